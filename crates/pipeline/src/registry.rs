//! The versions of the project's model as the registry lists them, and what became of each.

use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{SearchModelVersions, Tracking};

use crate::alias::{PRODUCTION, in_production};
use crate::labels::version_of;
use crate::service::service;
use crate::states::{State, tag};
use crate::{Error, Project, Result};

/// Versions that are looked at, the newest: more than are trained in any window that rules are about.
const VERSIONS_MAX: i64 = 1000;

/// The newest versions of a model with their aliases, newest first; none where there is no such model.
pub(crate) async fn versions(tracking: &Tracking, model: &str) -> Result<Vec<ModelVersion>> {
    let quote = if model.contains('\'') { '"' } else { '\'' };
    let search = SearchModelVersions {
        filter: format!("name = {quote}{model}{quote}"),
        max_results: Some(VERSIONS_MAX),
        order_by: vec!["version_number DESC".to_owned()],
        page_token: None,
    };
    let mut versions = tracking.model_versions.search(search).await?.items;
    if versions.is_empty() {
        return Ok(versions);
    }
    // A search leaves aliases out, as upstream's does.
    let aliases = tracking.registered_models.get(model).await?.aliases;
    for version in &mut versions {
        let of_it = aliases.iter().filter(|alias| alias.version == version.version);
        version.aliases = of_it.map(|alias| alias.alias.clone()).collect();
    }
    Ok(versions)
}

/// The version that users get, and its URI: that of the project's deployment where one is up, else the one in
/// production. They differ while an alias that somebody moved is not released.
pub(crate) async fn in_service(
    project: &Project,
    tracking: &Tracking,
) -> Result<(ResolvedModel, ModelVersion, String)> {
    let name = &project.config.model.name;
    let production = in_production(tracking, name).await;
    let serving = trainyard_deploy::serving(&service(project)).await?;
    let serves = serving.as_ref().and_then(|serving| version_of(&serving.label));
    let is_production = |serves: &&str| {
        production.as_ref().is_ok_and(|(_model, version)| version.version == **serves)
    };
    if let Some(serves) = serves.filter(|serves| !is_production(serves)) {
        let uri = ModelUri::Version { name: name.clone(), version: serves.to_owned() };
        let resolved = resolve::resolve(tracking, &uri).await?;
        if let Some(version) = resolved.version.clone() {
            return Ok((resolved, version, uri.to_string()));
        }
    }
    let (resolved, version) = production?;
    Ok((resolved, version, format!("models:/{name}@{PRODUCTION}")))
}

/// Number of the version of the project that is in production, if one is.
pub async fn version_in_production(
    project: &Project,
    tracking: &Tracking,
) -> Result<Option<String>> {
    match in_production(tracking, &project.config.model.name).await {
        Ok((_model, version)) => Ok(Some(version.version)),
        Err(Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is settled what becomes of a version: it serves or served, or the gate refused it. What is not
/// settled may still be released.
pub(crate) fn is_settled(version: &ModelVersion) -> bool {
    let is_judged = State::of(version).is_some_and(|state| state != State::Approved);
    is_judged
        || tag(version, "trainyard.gate") == Some("failed")
        || version.aliases.iter().any(|alias| alias == PRODUCTION)
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::KeyValue;

    use super::*;

    #[test]
    fn what_may_still_be_released_is_not_settled() {
        let version = |tags: &[(&str, &str)], aliases: &[&str]| ModelVersion {
            tags: tags.iter().map(|(key, value)| KeyValue::new(*key, *value)).collect(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            ..ModelVersion::default()
        };
        assert!(!is_settled(&version(&[], &[])));
        assert!(!is_settled(&version(&[("trainyard.gate", "passed")], &["Staging"])));
        assert!(!is_settled(&version(&[("trainyard.state", "approved")], &[])));
        assert!(is_settled(&version(&[("trainyard.gate", "failed")], &[])));
        assert!(is_settled(&version(&[("trainyard.state", "replaced")], &[])));
        assert!(is_settled(&version(&[], &["Production"])));
        assert!(is_settled(&version(&[("trainyard.state", "refused")], &[])));
    }
}
