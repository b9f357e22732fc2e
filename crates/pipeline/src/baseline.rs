//! What a candidate is compared with: the version that serves. An alias can be moved or deleted by anybody, and a
//! deployment can be down; what users get (or got last) is what a candidate must not be worse than.

use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::{Tracking, VersionId};

use crate::labels::version_of;
use crate::registry::versions;
use crate::service::service;
use crate::states::State;
use crate::{Project, Result};

/// The version that serves here or, where the deployment is down, served last; none where nothing was deployed.
pub(crate) async fn serving(project: &Project) -> Result<Option<String>> {
    let label = trainyard_deploy::served_last(&service(project)).await?;
    Ok(label.as_ref().and_then(version_of).map(str::to_owned))
}

/// The version that serves, else the one with the alias `Production`, else the newest that is released by its tags.
/// Never the candidate itself: none where it serves, or where nothing was released before it.
pub(crate) async fn baseline(
    tracking: &Tracking,
    candidate: &ModelVersion,
    serving: Option<&str>,
    production: Option<&ModelVersion>,
) -> Result<Option<ModelVersion>> {
    if serving == Some(candidate.version.as_str()) {
        return Ok(None);
    }
    let name = &candidate.name;
    if let Some(version) = serving {
        match tracking.model_versions.get(VersionId { name, version }).await {
            // Somebody deleted it.
            Err(error) if error.is_not_found() => {}
            found => return Ok(Some(found?)),
        }
    }
    let is_another = |version: &&ModelVersion| version.version != candidate.version;
    if let Some(production) = production.filter(is_another) {
        return Ok(Some(production.clone()));
    }
    let all = versions(tracking, name).await?;
    let is_released = |version: &ModelVersion| State::of(version) == Some(State::Released);
    Ok(all.into_iter().find(|version| is_another(&version) && is_released(version)))
}

#[cfg(test)]
mod tests {
    use trainyard_deploy::Cause;
    use trainyard_mlflow::CreateModelVersion;

    use super::*;
    use crate::releases::set_state;
    use crate::states::Transition;

    #[tokio::test]
    async fn a_version_is_compared_with_what_serves_and_never_with_itself() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[model]\nname = \"Churn\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        std::fs::write(folder.path().join("trainyard.toml"), text).unwrap();
        let project = Project::open(folder.path(), None).unwrap();
        assert_eq!(serving(&project).await.unwrap(), None, "nothing was deployed");
        let tracking = project.tracking().unwrap();
        tracking.registered_models.create("Churn", &[], None).await.unwrap();
        let mut all = Vec::new();
        for _ in 0..3 {
            let source = folder.path().to_string_lossy().into_owned();
            let name = "Churn".to_owned();
            let new = CreateModelVersion { name, source, ..CreateModelVersion::default() };
            all.push(tracking.model_versions.create(new).await.unwrap());
        }
        let against = async |candidate: usize, serving: Option<&str>, alias: Option<usize>| {
            let production = alias.map(|index| &all[index]);
            let found = baseline(&tracking, &all[candidate], serving, production).await.unwrap();
            found.map(|version| version.version)
        };
        // What serves, wherever the alias is.
        for alias in [None, Some(0), Some(1), Some(2)] {
            assert_eq!(against(2, Some("1"), alias).await.as_deref(), Some("1"), "{alias:?}");
            assert_eq!(against(0, Some("1"), alias).await, None, "it serves itself");
        }
        assert_eq!(against(2, Some("9"), Some(1)).await.as_deref(), Some("2"), "9 is gone");
        assert_eq!(against(2, None, Some(1)).await.as_deref(), Some("2"));
        assert_eq!(against(2, None, Some(2)).await, None, "a first version");
        for version in ["1", "3"] {
            let cause = Cause::default();
            let released = Transition::now("Churn", version, State::Released, &cause, "");
            set_state(&tracking, &released).await.unwrap();
        }
        assert_eq!(against(2, None, Some(2)).await.as_deref(), Some("1"));
    }
}
