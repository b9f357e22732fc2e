//! Starts without a registry: from the copy of what served last, and not where the registry says that it is gone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use trainyard_mlflow::{AliasId, Tracking};
use trainyard_serve::{ModelCache, ServeOptions};
use trainyard_tracking::server::{ServerOptions, serve as serve_tracking};
use trainyard_tracking::{OpenOptions, open};

use crate::registry::{BODY, NAME, options, point, register, registry};
use crate::support::{Running, model};

/// A tracking server that can be reached, or not.
struct Door {
    tracking: Tracking,
    address: SocketAddr,
    open: Option<JoinHandle<trainyard_mlflow::Result<()>>>,
}

impl Door {
    async fn new(tracking: Tracking) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut door = Self { tracking, address, open: None };
        door.serve(listener);
        door
    }

    fn serve(&mut self, listener: TcpListener) {
        self.open = Some(tokio::spawn(serve_tracking(
            listener,
            self.tracking.clone(),
            ServerOptions::default(),
            axum::Router::new(),
            std::future::pending(),
        )));
    }

    async fn close(&mut self) {
        let task = self.open.take().unwrap();
        task.abort();
        let _aborted = task.await;
    }

    async fn reopen(&mut self) {
        let listener = loop {
            // Another test may have the port for a moment.
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_taken) => tokio::task::yield_now().await,
            }
        };
        self.serve(listener);
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn cache(&self, dir: &Path) -> ModelCache {
        ModelCache::new(dir, &self.url(), 1 << 30)
    }

    /// A model server of the alias that begins now.
    async fn server(&self, dir: &Path) -> Running {
        let options = ServeOptions { model_cache: Some(self.cache(dir)), ..options() };
        let client = open(&self.url(), OpenOptions::default()).unwrap();
        Running::start(options, Some(client)).await
    }

    /// Waits until a server that is healthy has kept its model.
    async fn kept(&self, dir: &Path) {
        while !self.cache(dir).holds(&options().source.describe()) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// The file of this name below a folder.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).find_map(|path| {
        if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) }
    })
}

#[tokio::test]
async fn without_its_registry_a_server_starts_from_the_copy_and_follows_again_later() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("cache");
    let tracking = registry(directory.path());
    let first = register(&tracking, &model("onnx_rf")).await;
    let second = register(&tracking, &model("onnx_rf_nozipmap")).await;
    point(&tracking, &first).await;
    let mut door = Door::new(tracking.clone()).await;
    let server = door.server(&dir).await;
    server.wait_healthy().await;
    assert_eq!(server.get("/health").await.json().get("from_copy_of"), None);
    assert_eq!(server.metric("trainyard_model_from_copy{model=\"IrisClassifier\"}").await, 0.0);
    door.kept(&dir).await;
    server.stop().await;

    door.close().await;
    let server = door.server(&dir).await;
    server.wait_healthy().await;
    let said = |health: &serde_json::Value| health.get("warning").is_some();
    let health = server.wait_for("warning", said).await;
    assert_eq!(health["version"], first.as_str(), "{health}");
    assert_eq!(health["alias"], "Production", "{health}");
    assert!(health["from_copy_of"].is_string(), "{health}");
    assert!(health["warning"].as_str().unwrap().contains("cannot ask the registry"), "{health}");
    assert_eq!(server.metric("trainyard_model_from_copy{model=\"IrisClassifier\"}").await, 1.0);
    assert_eq!(server.post("/invocations", BODY).await.status, 200);

    door.reopen().await;
    let confirmed = |health: &serde_json::Value| {
        health.get("from_copy_of").is_none() && health.get("warning").is_none()
    };
    server.wait_for("answer of the registry", confirmed).await;
    point(&tracking, &second).await;
    server.wait_for("second version", |health| health["version"] == second.as_str()).await;
    server.stop().await;
    // By the end of the server the copy is of what served last.
    door.close().await;
    let server = door.server(&dir).await;
    server.wait_healthy().await;
    assert_eq!(server.get("/health").await.json()["version"], second.as_str());
    server.stop().await;
}

#[tokio::test]
async fn a_copy_that_is_damaged_or_that_the_registry_does_not_know_is_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("cache");
    let tracking = registry(directory.path());
    let version = register(&tracking, &model("onnx_rf")).await;
    point(&tracking, &version).await;
    let mut door = Door::new(tracking.clone()).await;
    let server = door.server(&dir).await;
    server.wait_healthy().await;
    door.kept(&dir).await;
    server.stop().await;

    let path = find(&dir, "model.onnx").unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    door.close().await;
    let server = door.server(&dir).await;
    let reason = |text: &'static str| {
        move |health: &serde_json::Value| {
            health["reason"].as_str().is_some_and(|r| r.contains(text))
        }
    };
    let health = server.wait_for("refusal", reason("the copy on this disk is refused")).await;
    assert!(health["reason"].as_str().unwrap().contains("model.onnx has"), "{health}");
    assert_eq!(server.get("/health").await.status, 503);
    server.stop().await;

    std::fs::write(&path, whole).unwrap();
    let alias = AliasId { name: NAME, alias: "Production" };
    tracking.registered_models.delete_alias(alias).await.unwrap();
    door.reopen().await;
    let server = door.server(&dir).await;
    server.wait_for("answer of the registry", reason("no version with the alias")).await;
    server.stop().await;
    // Nor does it come back when the registry is away again.
    door.close().await;
    let server = door.server(&dir).await;
    server.wait_for("outage", reason("cannot reach the tracking server")).await;
    assert_eq!(server.get("/health").await.status, 503);
    server.stop().await;
}
