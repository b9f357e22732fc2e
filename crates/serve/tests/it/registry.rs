//! A registry in a directory, and versions in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use trainyard_mlflow::entities::LoggedModelStatus;
use trainyard_mlflow::{CreateLoggedModel, CreateModelVersion, Tracking, artifacts};
use trainyard_serve::{ModelSource, ServeOptions};
use trainyard_tracking::{OpenOptions, open};

pub(crate) const NAME: &str = "IrisClassifier";
pub(crate) const BODY: &str = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;

/// A registry in a directory.
pub(crate) fn registry(directory: &Path) -> Arc<dyn Tracking> {
    let path = |name: &str| directory.join(name).display().to_string();
    let options = OpenOptions {
        default_artifact_root: Some(path("mlruns")),
        artifacts_destination: Some(path("mlartifacts")),
        ..OpenOptions::default()
    };
    open(&format!("sqlite:///{}", path("mlflow.db")), options).unwrap()
}

/// Registers a folder as the next version.
pub(crate) async fn register(tracking: &dyn Tracking, folder: &Path) -> String {
    if tracking.get_registered_model(NAME).await.is_err() {
        tracking.create_registered_model(NAME, &[], None).await.unwrap();
    }
    let logged =
        CreateLoggedModel { experiment_id: "0".to_owned(), ..CreateLoggedModel::default() };
    let info = tracking.create_logged_model(logged).await.unwrap().info;
    artifacts::upload_tree(tracking, folder, &info.artifact_uri, "").await.unwrap();
    tracking.finalize_logged_model(&info.model_id, LoggedModelStatus::Ready).await.unwrap();
    let version = CreateModelVersion {
        name: NAME.to_owned(),
        source: format!("models:/{}", info.model_id),
        model_id: Some(info.model_id),
        ..CreateModelVersion::default()
    };
    tracking.create_model_version(version).await.unwrap().version
}

/// Moves the alias.
pub(crate) async fn point(tracking: &dyn Tracking, version: &str) {
    tracking.set_registered_model_alias(NAME, "Production", version).await.unwrap();
}

/// Options to serve what the alias means.
pub(crate) fn options() -> ServeOptions {
    let stage = "production".to_owned();
    let mut options = ServeOptions::new(ModelSource::Registry { name: NAME.to_owned(), stage });
    options.poll_interval = Duration::from_millis(30);
    options
}
