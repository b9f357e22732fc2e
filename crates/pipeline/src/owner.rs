//! Whose deployment `Production` belongs to. Several projects may share a registry, and two of them may name the
//! same model, by intention or by a copied file: a release of the one would take the alias from what the other
//! one serves. So a release writes on the model where its deployment is, and another one asks before it goes on.

use std::path::Path;

use trainyard_deploy::Service;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{KeyValue, RegisteredModel};

use crate::alias::PRODUCTION;
use crate::labels::version_of;
use crate::service::service;
use crate::{Error, Project, Result};

/// The tag of a registered model: the deployment whose release moved `Production` last, as `host:/folder`.
const DEPLOYMENT: &str = "trainyard.deployment";

/// Refuses to take `Production` from a deployment of another project that serves, as far as can be told: one on
/// another host is taken at the word of its tag, unless what `Production` names serves here. Where `Production` names
/// this version already, nothing is taken.
pub(crate) async fn check(
    project: &Project,
    tracking: &Tracking,
    version: Option<&str>,
) -> Result<()> {
    let model = match tracking.registered_models.get(&project.config.model.name).await {
        Ok(model) => model,
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let production = model.aliases.iter().find(|alias| alias.alias == PRODUCTION);
    let Some(production) = production.map(|alias| alias.version.clone()) else { return Ok(()) };
    let Some(place) = other(&model, &own_place(project)) else { return Ok(()) };
    if version == Some(&*production) || !may_serve(project, &place, &production).await {
        return Ok(());
    }
    Err(Error::Elsewhere { model: model.name, version: production, place })
}

/// Writes down that `Production` is this project's now; where the deployment is that had it before, if that is
/// another one's.
pub(crate) async fn take(project: &Project, tracking: &Tracking) -> Result<Option<String>> {
    let (name, own) = (&project.config.model.name, own_place(project));
    let model = tracking.registered_models.get(name).await?;
    if place(&model) == Some(&*own) {
        return Ok(None);
    }
    let before = other(&model, &own);
    tracking.registered_models.set_tag(name, KeyValue::new(DEPLOYMENT, own)).await?;
    Ok(before)
}

/// Where the deployment is whose version has `Production`.
fn place(model: &RegisteredModel) -> Option<&str> {
    let tag = model.tags.iter().find(|tag| tag.key == DEPLOYMENT)?;
    Some(tag.value.as_str()).filter(|place| !place.is_empty())
}

/// The same where it is not this one.
fn other(model: &RegisteredModel, own: &str) -> Option<String> {
    place(model).filter(|place| *place != own).map(str::to_owned)
}

fn own_place(project: &Project) -> String {
    format!("{}:{}", host(), project.state_folder().display())
}

/// Whether something serves there. What cannot be looked at may, unless it is this one by another name: a host may be
/// renamed, and a container has another one each time it is made.
async fn may_serve(project: &Project, place: &str, production: &str) -> bool {
    let here = format!("{}:", host());
    let Some(state) = place.strip_prefix(&here) else {
        return !serves_here(project, production).await;
    };
    let own = service(project);
    let there = Service::new(own.name, Path::new(state).join("deploy"), own.listen);
    match there.state_dir.join(&there.name).try_exists() {
        Ok(false) => false,
        Ok(true) => {
            let status = Box::pin(trainyard_deploy::status(&there)).await;
            status.map_or(true, |status| status.url.is_some())
        }
        Err(_hidden) => true,
    }
}

/// Whether users of this project's deployment have this version now.
async fn serves_here(project: &Project, version: &str) -> bool {
    let serving = trainyard_deploy::serving(&service(project)).await.ok().flatten();
    serving.is_some_and(|serving| version_of(&serving.label) == Some(version))
}

/// The name of this machine, or of this container.
pub(crate) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::{CreateModelVersion, VersionId};

    use super::*;

    #[tokio::test]
    async fn production_is_not_taken_from_what_may_serve() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[model]\nname = \"Churn\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        std::fs::write(folder.path().join("trainyard.toml"), text).unwrap();
        let project = Project::open(folder.path(), None).unwrap();
        let tracking = project.tracking().unwrap();
        assert!(check(&project, &tracking, None).await.is_ok(), "there is no such model");
        tracking.registered_models.create("Churn", &[], None).await.unwrap();
        let source = folder.path().to_string_lossy().into_owned();
        let name = "Churn".to_owned();
        let new = CreateModelVersion { name, source, ..CreateModelVersion::default() };
        tracking.model_versions.create(new).await.unwrap();
        let tag = async |place: &str| {
            let tag = KeyValue::new(DEPLOYMENT, place);
            tracking.registered_models.set_tag("Churn", tag).await.unwrap();
        };
        tag("elsewhere:/srv/churn/.trainyard").await;
        assert!(check(&project, &tracking, None).await.is_ok(), "nobody has Production");
        let id = VersionId { name: "Churn", version: "1" };
        tracking.registered_models.set_alias(id, PRODUCTION).await.unwrap();
        let refused = check(&project, &tracking, Some("2")).await.unwrap_err().to_string();
        assert!(refused.contains("version 1") && refused.contains("elsewhere:/srv"), "{refused}");
        assert!(check(&project, &tracking, None).await.is_err(), "a version to be");
        assert!(check(&project, &tracking, Some("1")).await.is_ok(), "nothing is taken");
        // On this host it can be seen that nothing is there.
        tag(&format!("{}:{}/gone", host(), folder.path().display())).await;
        assert!(check(&project, &tracking, Some("2")).await.is_ok());
        let before = take(&project, &tracking).await.unwrap().unwrap();
        assert!(before.ends_with("/gone"), "{before}");
        assert_eq!(take(&project, &tracking).await.unwrap(), None);
        assert!(check(&project, &tracking, Some("2")).await.is_ok(), "it is its own");
    }
}
