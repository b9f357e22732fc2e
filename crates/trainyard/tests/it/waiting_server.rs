//! `trainyard server` beside a PostgreSQL that is not there yet, or not any more.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::{KillOnDrop, free_port};

use crate::project::trainyard;

const NEVER: Duration = Duration::from_mins(2);

/// A server on a database that may not be there.
struct Server {
    process: KillOnDrop,
    url: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(uri: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = trainyard();
        command.current_dir(folder.path()).args(["server", "--port", &port.to_string()]);
        command.args(["--backend-store-uri", uri]).stdout(Stdio::null());
        command.stderr(std::fs::File::create(folder.path().join("log")).unwrap());
        let process = KillOnDrop::spawn(&mut command);
        Self { process, url: format!("http://127.0.0.1:{port}"), folder }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    async fn status(&self, path: &str) -> Option<u16> {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.ok()?;
        let status = answer.status().as_u16();
        let retries = answer.headers().contains_key("retry-after");
        assert_eq!(retries, status == 503, "{path} answers {status}");
        Some(status)
    }

    async fn wait_for(&self, path: &str, expected: u16) {
        let start = Instant::now();
        while self.status(path).await != Some(expected) {
            assert!(start.elapsed() < NEVER, "{path} never answers {expected}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_waits_for_its_database_and_tells_who_asks() {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let postgres = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap();
    let uri = postgres.database("mlflow");
    postgres.down();
    let server = Server::start(&uri);
    server.wait_for("/livez", 200).await;
    assert_eq!(server.status("/health").await, Some(503));
    assert_eq!(server.status("/api/2.0/mlflow/experiments/get?experiment_id=0").await, Some(503));
    assert!(server.log().contains("waiting for the tracking database"), "{}", server.log());

    // And one that is told to end while it waits ends.
    let mut other = Server::start(&uri);
    other.wait_for("/livez", 200).await;
    let pid = other.process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || other.process.0.wait().unwrap()).await;
    assert!(ended.unwrap().success());

    postgres.up();
    server.wait_for("/health", 200).await;
    assert_eq!(server.status("/api/2.0/mlflow/experiments/get?experiment_id=0").await, Some(200));
    // Without its database it lives, and is not ready; with it, it goes on by itself.
    postgres.down();
    server.wait_for("/health", 503).await;
    assert_eq!(server.status("/livez").await, Some(200));
    assert!(server.log().contains("the tracking database cannot be reached"), "{}", server.log());
    postgres.up();
    server.wait_for("/health", 200).await;
    assert!(server.log().contains("the tracking database is reached again"), "{}", server.log());

    // What waiting does not mend is said at once.
    let uri = uri.replace("/mlflow", "/none");
    let gone = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let mut command = trainyard();
        command.current_dir(folder.path()).args(["server", "--port", "0"]);
        command.args(["--backend-store-uri", &uri]).output().unwrap()
    });
    let gone = gone.await.unwrap();
    assert!(!gone.status.success());
    let error = String::from_utf8_lossy(&gone.stderr);
    assert!(error.contains("\"none\" does not exist") && !error.contains("waiting"), "{error}");
    // Nor is anybody waited for who was not to be.
    postgres.down();
    let uri = format!("postgresql://postgres@127.0.0.1:{}/mlflow", postgres.port());
    let gone = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let mut command = trainyard();
        command.current_dir(folder.path()).args(["server", "--port", "0"]);
        command
            .args(["--wait-for-database", "0s"])
            .args(["--backend-store-uri", &uri])
            .output()
            .unwrap()
    });
    let gone = gone.await.unwrap();
    let error = String::from_utf8_lossy(&gone.stderr);
    assert!(!gone.status.success() && error.contains("cannot reach"), "{error}");
}
