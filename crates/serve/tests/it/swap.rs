//! Following an alias: swaps under load, versions that do not work, registries that go away.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trainyard_mlflow::entities::LoggedModelStatus;
use trainyard_mlflow::{CreateLoggedModel, CreateModelVersion, Tracking, artifacts};
use trainyard_serve::{ModelSource, ServeOptions};
use trainyard_tracking::server::{ServerOptions, serve as serve_tracking};
use trainyard_tracking::{OpenOptions, open};

use crate::support::{Running, model};

const NAME: &str = "IrisClassifier";
const BODY: &str = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;

/// A registry in a directory.
fn registry(directory: &Path) -> Arc<dyn Tracking> {
    let path = |name: &str| directory.join(name).display().to_string();
    let options = OpenOptions {
        default_artifact_root: Some(path("mlruns")),
        artifacts_destination: Some(path("mlartifacts")),
    };
    open(&format!("sqlite:///{}", path("mlflow.db")), options).unwrap()
}

/// Registers a folder as the next version.
async fn register(tracking: &dyn Tracking, folder: &Path) -> String {
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

async fn point(tracking: &dyn Tracking, version: &str) {
    tracking.set_registered_model_alias(NAME, "Production", version).await.unwrap();
}

fn options() -> ServeOptions {
    let stage = "production".to_owned();
    let mut options = ServeOptions::new(ModelSource::Registry { name: NAME.to_owned(), stage });
    options.poll_interval = Duration::from_millis(30);
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_swapped_under_load_without_a_failed_request() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let first = register(&*tracking, &model("onnx_rf")).await;
    let second = register(&*tracking, &model("onnx_rf_nozipmap")).await;
    point(&*tracking, &first).await;
    let server = Arc::new(Running::start(options(), Some(Arc::clone(&tracking))).await);
    server.wait_healthy().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..4 {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        clients.push(tokio::spawn(async move {
            let mut asked = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = server.post("/invocations", BODY).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                assert!(answer.text.contains("label\": [0]"), "{answer:?}");
                asked += 1;
            }
            asked
        }));
    }
    for round in 0..6 {
        let version = if round % 2 == 0 { &second } else { &first };
        point(&*tracking, version).await;
        let health = server.wait_for("swap", |health| health["version"] == version.as_str()).await;
        assert_eq!(
            (&health["alias"], &health["swaps"]),
            (&"Production".into(), &(round + 1).into())
        );
    }
    stop.store(true, Ordering::Relaxed);
    let mut asked = 0;
    for client in clients {
        asked += client.await.unwrap();
    }
    assert!(asked > 50, "only {asked} requests");
    assert_eq!(server.metric("trainyard_model_loads_total{result=\"succeeded\"}").await, 7.0);
    assert_eq!(leftovers(), 0, "temporary folders stay behind");
    Arc::into_inner(server).unwrap().stop().await;
}

/// Temporary model folders of this process's servers that nobody uses any more.
fn leftovers() -> usize {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let ours = format!("trainyard-model-{}-", std::process::id());
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&ours)).count()
}

#[tokio::test]
async fn a_version_that_does_not_work_leaves_the_old_one_serving() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let good = register(&*tracking, &model("onnx_rf")).await;
    // One that cannot be read, and one that does not predict its own example.
    let unsupported = register(&*tracking, &model("sk_logreg")).await;
    let broken = directory.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    for file in ["MLmodel", "model.onnx", "input_example.json"] {
        std::fs::copy(model("onnx_rf").join(file), broken.join(file)).unwrap();
    }
    std::fs::write(broken.join("serving_input_example.json"), r#"{"inputs": [[1, 2, 3]]}"#)
        .unwrap();
    let unverified = register(&*tracking, &broken).await;
    point(&*tracking, &good).await;
    let server = Running::start(options(), Some(Arc::clone(&tracking))).await;
    server.wait_healthy().await;
    for (bad, reason) in
        [(&unsupported, "sk"), (&unverified, "does not reproduce its input example")]
    {
        point(&*tracking, bad).await;
        let name = format!("{NAME} version {bad} cannot be served");
        let health = server
            .wait_for("error", |health| {
                health["last_error"].as_str().is_some_and(|error| error.contains(&name))
            })
            .await;
        assert!(health["last_error"].as_str().unwrap().contains(reason), "{health}");
        assert_eq!((&health["version"], &health["status"]), (&good.as_str().into(), &"ok".into()));
        assert_eq!(server.post("/invocations", BODY).await.status, 200);
    }
    // It is not downloaded again at each look, but at once when asked for.
    let failed = server.metric("trainyard_model_loads_total{result=\"failed\"}").await;
    assert_eq!(failed, 2.0);
    let reload = server.post("/reload", "").await;
    assert_eq!((reload.status, &reload.json()["reload"]), (502, &"failed".into()));
    assert_eq!(server.metric("trainyard_model_loads_total{result=\"failed\"}").await, 3.0);
    // Back to the good one: nothing is wrong any more.
    point(&*tracking, &good).await;
    let reload = server.post("/reload", "").await;
    assert_eq!((reload.status, &reload.json()["reload"]), (200, &"unchanged".into()));
    assert_eq!(reload.json().get("last_error"), None);
    server.stop().await;
}

#[tokio::test]
async fn an_alias_that_comes_later_is_waited_for_and_one_that_goes_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let server = Running::start(options(), Some(Arc::clone(&tracking))).await;
    server
        .wait_for("reason", |health| health["reason"].as_str().is_some_and(|r| r.contains(NAME)))
        .await;
    let version = register(&*tracking, &model("onnx_rf")).await;
    point(&*tracking, &version).await;
    server.wait_healthy().await;
    tracking.delete_registered_model_alias(NAME, "Production").await.unwrap();
    let health = server.wait_for("warning", |health| health.get("warning").is_some()).await;
    assert_eq!(health["status"], "ok", "{health}");
    assert_eq!(server.get("/health").await.status, 200);
    point(&*tracking, &version).await;
    server.wait_for("no warning", |health| health.get("warning").is_none()).await;
    server.stop().await;
}

#[tokio::test]
async fn a_tracking_server_that_goes_away_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let version = register(&*tracking, &model("onnx_rf")).await;
    point(&*tracking, &version).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let over_http = tokio::spawn(serve_tracking(
        listener,
        tracking,
        ServerOptions::default(),
        axum::Router::new(),
        std::future::pending(),
    ));
    let client = open(&url, OpenOptions::default()).unwrap();
    let server = Running::start(options(), Some(client)).await;
    server.wait_healthy().await;
    over_http.abort();
    let _aborted = over_http.await;
    // Retries of the client take their time; requests do not wait for them.
    for _ in 0..20 {
        assert_eq!(server.post("/invocations", BODY).await.status, 200);
    }
    assert_eq!(server.get("/health").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_folder_is_read_again_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    let fill = |from: &str| {
        for file in ["MLmodel", "model.onnx", "input_example.json", "serving_input_example.json"] {
            std::fs::copy(model(from).join(file), folder.join(file)).unwrap();
        }
    };
    fill("onnx_rf");
    let source = ModelSource::Uri(folder.display().to_string().parse().unwrap());
    let server = Running::ready(ServeOptions::new(source)).await;
    assert!(server.post("/invocations", BODY).await.text.contains("output_label"));
    fill("onnx_rf_nozipmap");
    let reload = server.post("/reload", "").await;
    assert_eq!((reload.status, &reload.json()["reload"]), (200, &"swapped".into()));
    assert!(server.post("/invocations", BODY).await.text.contains("probabilities"));
    server.stop().await;
}
