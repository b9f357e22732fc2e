//! The registry in a database of its own.

use trainyard_mlflow::entities::{LoggedModelStatus, Tag};
use trainyard_mlflow::{CreateLoggedModel, CreateModelVersion, VersionId};
use trainyard_testkit::{run_python, tracking_suite};
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::{Lending, open, share};

use crate::served::Served;
use crate::store::{options, uri};

#[tokio::test]
async fn models_lie_in_one_database_and_runs_in_the_other() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lending = Lending { registry_uri: Some(uri(&registry)), ..Lending::default() };
    let store = share(&uri(&folder), options(&folder), &lending).unwrap().own;
    tracking_suite::all(&store).await;

    let run_id = crate::store::create_run(&store, "0", 1).await;
    let model = CreateLoggedModel {
        experiment_id: "0".to_owned(),
        name: Some("model".to_owned()),
        source_run_id: Some(run_id.clone()),
        ..CreateLoggedModel::default()
    };
    let model = store.logged_models.create(model).await.unwrap();
    let model_id = model.info.model_id;
    store.logged_models.finalize(&model_id, LoggedModelStatus::Ready).await.unwrap();
    store.registered_models.create("elsewhere", &[Tag::new("a", "b")], None).await.unwrap();
    let version = CreateModelVersion {
        name: "elsewhere".to_owned(),
        source: format!("models:/{model_id}"),
        model_id: Some(model_id.clone()),
        ..CreateModelVersion::default()
    };
    let version = store.model_versions.create(version).await.unwrap();
    assert_eq!(version.run_id.as_deref(), Some(run_id.as_str()));
    let files = store
        .model_versions
        .download_uri(VersionId { name: "elsewhere", version: "1" })
        .await
        .unwrap();
    assert_eq!(files, model.info.artifact_uri);
    drop(store);

    let store = open(&uri(&folder), options(&folder)).unwrap();
    store.runs.get(&run_id).await.unwrap();
    store.registered_models.get("elsewhere").await.unwrap_err();
    let registry = open(&uri(&registry), options(&registry)).unwrap();
    registry.registered_models.get("elsewhere").await.unwrap();
    registry.runs.get(&run_id).await.unwrap_err();
}

#[test]
fn the_real_client_trains_registers_and_loads_across_both() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut options = options(&folder);
    options.default_artifact_root = Some("mlflow-artifacts:/".to_owned());
    let lending = Lending { registry_uri: Some(uri(&registry)), ..Lending::default() };
    let shared = share(&uri(&folder), options, &lending).unwrap();
    let server = Served::over(shared.lent, ServerOptions::default());
    let environment = [
        ("MLFLOW_TRACKING_URI", server.url.as_str()),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ];
    let printed = run_python(include_str!("../interop/fluent.py"), &[&server.url], &environment);
    assert_eq!(printed.lines().last(), Some("ok"), "{printed}");
}
