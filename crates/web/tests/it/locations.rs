//! Pages keep to the artifact roots, wherever a run, a model or a version says that its files lie.

use trainyard_mlflow::artifacts::once;
use trainyard_mlflow::{CreateLoggedModel, CreateModelVersion, CreateRun};
use trainyard_tracking::{Lending, OpenOptions, Shared, share};

use crate::site::get;

#[tokio::test]
async fn files_outside_of_the_roots_are_nobodys_but_their_users() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let options = OpenOptions {
        default_artifact_root: Some(path("runs")),
        artifacts_destination: Some(path("artifacts")),
        ..OpenOptions::default()
    };
    let uri = format!("sqlite:///{}", path("mlflow.db"));
    let Shared { own, lent, .. } = share(&uri, options, &Lending::default()).unwrap();
    let outside = path("outside");
    let experiment = own.experiments.create("e", Some(&outside), &[]).await.unwrap();
    let run = CreateRun { experiment_id: experiment.clone(), ..CreateRun::default() };
    let run = own.runs.create(run).await.unwrap().info;
    let model = CreateLoggedModel { experiment_id: experiment, ..CreateLoggedModel::default() };
    let model = own.logged_models.create(model).await.unwrap().info;
    for root in [&run.artifact_uri, &model.artifact_uri] {
        own.artifacts.upload(root, "MLmodel", once("run_id: SECRET")).await.unwrap();
    }
    own.registered_models.create("m", &[], None).await.unwrap();
    let version = CreateModelVersion {
        name: "m".to_owned(),
        source: run.artifact_uri.clone(),
        ..CreateModelVersion::default()
    };
    own.model_versions.create(version).await.unwrap();

    let pages = trainyard_web::router(lent);
    for (address, status) in [
        (format!("/runs/{}", run.run_id), 200),
        (format!("/runs/{}/files/MLmodel", run.run_id), 403),
        (format!("/runs/{}/raw/MLmodel", run.run_id), 403),
        (format!("/logged-models/{}", model.model_id), 200),
        (format!("/logged-models/{}/raw/MLmodel", model.model_id), 403),
        ("/models/m/versions/1".to_owned(), 200),
    ] {
        let page = get(pages.clone(), &address).await;
        assert_eq!(page.status.as_u16(), status, "{address}");
        assert!(!page.text.contains("SECRET"), "{address}");
        assert!(page.text.contains("outside of its artifact roots"), "{address}: {}", page.text);
    }
    // With the rights of the user who runs the program they are where they were said to be.
    let listed = own.artifacts.list(&run.artifact_uri, "").await.unwrap();
    assert_eq!(listed.len(), 1);
}
