//! Following an alias: swaps under load, versions that do not work, registries that go away.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trainyard_mlflow::AliasId;

use serde_json::json;
use trainyard_serve::{ModelSource, ServeOptions};
use trainyard_testkit::run_python;
use trainyard_tracking::server::{
    Opened, ServerOptions, serve as serve_tracking, serve_once_opened,
};
use trainyard_tracking::webhooks::WebhookOptions;
use trainyard_tracking::{Lending, OpenOptions, open, share};

use crate::registry::{BODY, NAME, options, point, register, registry};
use crate::support::{Running, model};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_swapped_under_load_without_a_failed_request() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let first = register(&tracking, &model("onnx_rf")).await;
    let second = register(&tracking, &model("onnx_rf_nozipmap")).await;
    point(&tracking, &first).await;
    let server = Arc::new(Running::start(options(), Some(tracking.clone())).await);
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
        point(&tracking, version).await;
        let health = server.wait_for("swap", |health| health["version"] == version.as_str()).await;
        assert_eq!(
            (&health["alias"], &health["swaps"]),
            (&"Production".into(), &(round + 1).into())
        );
        assert_eq!((&health["pinned"], &health["follows"]), (&false.into(), &"production".into()));
    }
    stop.store(true, Ordering::Relaxed);
    let mut asked = 0;
    for client in clients {
        asked += client.await.unwrap();
    }
    assert!(asked > 50, "only {asked} requests");
    assert_eq!(server.metric("trainyard_model_loads_total{result=\"succeeded\"}").await, 7.0);
    // Other tests of this process have some for a moment.
    let started = std::time::Instant::now();
    while leftovers() > 0 {
        assert!(started.elapsed() < Duration::from_mins(1), "temporary folders stay behind");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Arc::into_inner(server).unwrap().stop().await;
}

#[tokio::test]
async fn a_look_can_be_asked_for_from_outside() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let first = register(&tracking, &model("onnx_rf")).await;
    let second = register(&tracking, &model("onnx_rf")).await;
    point(&tracking, &first).await;
    let (ask, reloads) = tokio::sync::watch::channel(());
    let poll_interval = Duration::from_hours(1);
    let options = ServeOptions { poll_interval, reloads: Some(reloads), ..options() };
    let server = Running::start(options, Some(tracking.clone())).await;
    server.wait_for("first", |health| health["version"] == first.as_str()).await;
    point(&tracking, &second).await;
    ask.send_replace(());
    server.wait_for("second", |health| health["version"] == second.as_str()).await;
    server.stop().await;
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
    let good = register(&tracking, &model("onnx_rf")).await;
    // One that cannot be read, and one whose example says nothing about it.
    let unsupported = register(&tracking, &model("sk_logreg")).await;
    let broken = directory.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    for file in ["MLmodel", "model.onnx", "input_example.json"] {
        std::fs::copy(model("onnx_rf").join(file), broken.join(file)).unwrap();
    }
    std::fs::write(broken.join("serving_input_example.json"), r#"{"inputs": [[1, 2, 3]]}"#)
        .unwrap();
    let unverified = register(&tracking, &broken).await;
    point(&tracking, &good).await;
    let options = ServeOptions { require_verified: true, ..options() };
    let server = Running::start(options, Some(tracking.clone())).await;
    server.wait_healthy().await;
    for (bad, reason) in [(&unsupported, "sk"), (&unverified, "does not fit its signature")] {
        point(&tracking, bad).await;
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
    point(&tracking, &good).await;
    let reload = server.post("/reload", "").await;
    assert_eq!((reload.status, &reload.json()["reload"]), (200, &"unchanged".into()));
    assert_eq!(reload.json().get("last_error"), None);
    server.stop().await;
}

#[tokio::test]
async fn an_alias_that_comes_later_is_waited_for_and_one_that_goes_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let server = Running::start(options(), Some(tracking.clone())).await;
    server
        .wait_for("reason", |health| health["reason"].as_str().is_some_and(|r| r.contains(NAME)))
        .await;
    let version = register(&tracking, &model("onnx_rf")).await;
    point(&tracking, &version).await;
    server.wait_healthy().await;
    tracking
        .registered_models
        .delete_alias(AliasId { name: NAME, alias: "Production" })
        .await
        .unwrap();
    let health = server.wait_for("warning", |health| health.get("warning").is_some()).await;
    assert_eq!(health["status"], "ok", "{health}");
    assert_eq!(server.get("/health").await.status, 200);
    point(&tracking, &version).await;
    server.wait_for("no warning", |health| health.get("warning").is_none()).await;
    server.stop().await;
}

#[tokio::test]
async fn a_tracking_server_that_goes_away_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let version = register(&tracking, &model("onnx_rf")).await;
    point(&tracking, &version).await;
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

/// A copy of a model folder of the tests with further files.
fn copy(from: &str, to: &Path, files: &[(&str, &str)]) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(model(from)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    for (name, text) in files {
        std::fs::write(to.join(name), text).unwrap();
    }
}

#[tokio::test]
async fn a_version_that_is_not_what_was_registered_or_predicts_something_else_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let good = register(&tracking, &model("onnx_rf")).await;
    point(&tracking, &good).await;
    let server = Running::start(options(), Some(tracking.clone())).await;
    server.wait_healthy().await;
    // The recorded answer of a model that predicts as it did when it was logged.
    let example = std::fs::read_to_string(model("onnx_rf").join("serving_input_example.json"));
    let answer = server.post("/invocations", example.unwrap()).await;
    let digest = "00".repeat(32);
    for (index, (files, reason)) in [
        (vec![("serving_output_example.json", answer.text.as_str())], None),
        (
            vec![("serving_output_example.json", r#"{"predictions": {"output_label": [7]}}"#)],
            Some("is not the one in serving_output_example.json"),
        ),
        (
            vec![("checksums.sha256", &*format!("{digest}  model.onnx\n"))],
            Some("not what was registered: model.onnx is"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = directory.path().join(format!("model-{index}"));
        copy("onnx_rf", &folder, &files);
        let version = register(&tracking, &folder).await;
        point(&tracking, &version).await;
        let reload = server.post("/reload", "").await;
        match reason {
            None => assert_eq!(reload.json()["version"], version.as_str(), "{reload:?}"),
            Some(reason) => {
                assert!(
                    reload.json()["last_error"].as_str().unwrap().contains(reason),
                    "{reload:?}"
                );
                assert_ne!(reload.json()["version"], version.as_str());
                assert_eq!(server.post("/invocations", BODY).await.status, 200);
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_version_without_room_is_not_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let version = register(&tracking, &model("onnx_rf")).await;
    point(&tracking, &version).await;
    let mut options = options();
    options.memory_bytes_max = Some(1);
    let server = Running::start(options, Some(tracking.clone())).await;
    let health = server.wait_for("error", |health| health.get("last_error").is_some()).await;
    assert!(health["reason"].as_str().unwrap().contains("bytes of memory, 0 are left"), "{health}");
    // There may be room later.
    assert_eq!(health["status"], "loading");
    server.stop().await;
}

/// Headers of a webhook that the real MLflow signs.
const SIGN: &str = r#"
import sys
from mlflow.webhooks.delivery import _generate_hmac_signature as sign
print(sign("shared", "delivery-1", sys.argv[1], sys.argv[2]))
"#;

#[tokio::test]
async fn a_signed_webhook_of_the_registry_swaps_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let first = register(&tracking, &model("onnx_rf")).await;
    let second = register(&tracking, &model("onnx_rf_nozipmap")).await;
    point(&tracking, &first).await;
    let mut options = options();
    options.poll_interval = Duration::from_hours(1);
    options.webhook_secret = Some("shared".to_owned());
    options.token = Some("for requests, not for webhooks".to_owned());
    let server = Running::start(options, Some(tracking.clone())).await;
    server.wait_healthy().await;
    let alias = |name: &str| {
        json!({ "entity": "model_version_alias", "action": "created",
                "timestamp": "2026-11-23T00:00:00+00:00",
                "data": { "name": name, "alias": "Production", "version": "2" } })
        .to_string()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let send = async |body: &str, signature: &str| {
        let request = server.http.post(server.url("/webhook")).body(body.to_owned());
        let request = request.header("x-mlflow-signature", signature);
        let request = request.header("x-mlflow-timestamp", &now);
        server.send(request.header("x-mlflow-delivery-id", "delivery-1")).await
    };
    point(&tracking, &second).await;
    let forged = send(&alias(NAME), "v1,AAAA").await;
    assert_eq!((forged.status, &forged.json()["error_code"]), (403, &"PERMISSION_DENIED".into()));
    let other = alias("Another");
    let sign = |body: &str| run_python(SIGN, &[&now, body], &[]).trim().to_owned();
    let answer = send(&other, &sign(&other)).await;
    assert_eq!((answer.status, &answer.json()["models"]), (202, &json!([])));
    assert_eq!(server.get("/health").await.json()["version"], first.as_str());
    let body = alias(NAME);
    let answer = send(&body, &sign(&body)).await;
    assert_eq!((answer.status, &answer.json()["models"]), (202, &json!([NAME])));
    server.wait_for("swap", |health| health["version"] == second.as_str()).await;
    server.stop().await;
}

#[tokio::test]
async fn the_registry_tells_the_server_that_an_alias_moved_and_it_swaps_at_once() {
    /// Of Fernet's specification.
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    let directory = tempfile::tempdir().unwrap();
    let opening = crate::registry::opening(directory.path());
    let shared =
        share(&crate::registry::uri(directory.path()), opening, &Lending::default()).unwrap();
    let tracking = shared.own;
    let first = register(&tracking, &model("onnx_rf")).await;
    let second = register(&tracking, &model("onnx_rf_nozipmap")).await;
    point(&tracking, &first).await;
    let mut options = options();
    // Nothing but a webhook makes it look in time.
    options.poll_interval = Duration::from_hours(1);
    options.webhook_secret = Some("shared".to_owned());
    let server = Running::start(options, Some(tracking.clone())).await;
    server.wait_healthy().await;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/2.0/mlflow", listener.local_addr().unwrap());
    let opened = Opened {
        tracking: shared.lent,
        pages: axum::Router::new(),
        webhooks: shared.webhooks,
        changes: shared.changes,
    };
    let key = |name: &str| name.ends_with("_SECRET_ENCRYPTION_KEY").then(|| KEY.to_owned());
    let webhooks = WebhookOptions::read(vec!["127.0.0.1".parse().unwrap()], key).unwrap();
    let options = ServerOptions { webhooks, ..ServerOptions::default() };
    let opened = std::future::ready(Ok::<_, trainyard_mlflow::Error>(opened));
    let registry = tokio::spawn(async move {
        Box::pin(serve_once_opened(listener, opened, options, std::future::pending())).await
    });
    let body = json!({ "name": "serve", "url": server.url("/webhook"), "secret": "shared",
                       "events": [{ "entity": "MODEL_VERSION_ALIAS", "action": "CREATED" }] });
    let made = server.http.post(format!("{url}/webhooks")).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 200);
    let alias = json!({ "name": NAME, "alias": "Production", "version": second });
    let moved = server.http.post(format!("{url}/registered-models/alias")).json(&alias);
    assert_eq!(moved.send().await.unwrap().status(), 200);
    server.wait_for("swap", |health| health["version"] == second.as_str()).await;
    registry.abort();
    server.stop().await;
}

#[tokio::test]
async fn without_a_secret_there_are_no_webhooks() {
    let server = Running::ready(crate::support::folder("onnx_rf")).await;
    assert_eq!(server.post("/webhook", "{}").await.status, 404);
    server.stop().await;
}
