//! A registry in a directory, and versions in it.

use std::path::Path;
use std::time::Duration;

use trainyard_mlflow::entities::LoggedModelStatus;
use trainyard_mlflow::{CreateLoggedModel, CreateModelVersion, Tracking, VersionId, artifacts};
use trainyard_serve::{ModelSource, ServeOptions};
use trainyard_tracking::{OpenOptions, open};

pub(crate) const NAME: &str = "IrisClassifier";
pub(crate) const BODY: &str = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;

/// A registry in a directory.
pub(crate) fn registry(directory: &Path) -> Tracking {
    open(&uri(directory), opening(directory)).unwrap()
}

pub(crate) fn uri(directory: &Path) -> String {
    format!("sqlite:///{}", directory.join("mlflow.db").display())
}

pub(crate) fn opening(directory: &Path) -> OpenOptions {
    let path = |name: &str| directory.join(name).display().to_string();
    OpenOptions {
        default_artifact_root: Some(path("mlruns")),
        artifacts_destination: Some(path("mlartifacts")),
        ..OpenOptions::default()
    }
}

/// Registers a folder as the next version.
pub(crate) async fn register(tracking: &Tracking, folder: &Path) -> String {
    if tracking.registered_models.get(NAME).await.is_err() {
        tracking.registered_models.create(NAME, &[], None).await.unwrap();
    }
    let logged =
        CreateLoggedModel { experiment_id: "0".to_owned(), ..CreateLoggedModel::default() };
    let info = tracking.logged_models.create(logged).await.unwrap().info;
    artifacts::upload_tree(&*tracking.artifacts, folder, &info.artifact_uri, "").await.unwrap();
    tracking.logged_models.finalize(&info.model_id, LoggedModelStatus::Ready).await.unwrap();
    let version = CreateModelVersion {
        name: NAME.to_owned(),
        source: format!("models:/{}", info.model_id),
        model_id: Some(info.model_id),
        ..CreateModelVersion::default()
    };
    tracking.model_versions.create(version).await.unwrap().version
}

/// Moves the alias.
pub(crate) async fn point(tracking: &Tracking, version: &str) {
    tracking
        .registered_models
        .set_alias(VersionId { name: NAME, version }, "Production")
        .await
        .unwrap();
}

/// Options to serve what the alias means.
pub(crate) fn options() -> ServeOptions {
    let stage = "production".to_owned();
    let mut options = ServeOptions::new(ModelSource::Registry { name: NAME.to_owned(), stage });
    options.poll_interval = Duration::from_millis(30);
    options
}
