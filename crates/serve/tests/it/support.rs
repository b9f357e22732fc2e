//! A server in this process, and clients for it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trainyard_mlflow::Tracking;
use trainyard_serve::{ModelSource, ServeOptions, serve};

/// A model folder of the tests.
pub(crate) fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)
}

/// Options to serve such a folder.
pub(crate) fn folder(name: &str) -> ServeOptions {
    ServeOptions::new(ModelSource::Uri(model(name).display().to_string().parse().unwrap()))
}

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<trainyard_serve::Result<()>>,
}

/// The status, the headers and the text of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn client() -> reqwest::Client {
    // Whoever is first sets the provider for the process.
    let _already = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Running {
    /// Starts a server without waiting for its model.
    pub(crate) async fn start(options: ServeOptions, tracking: Option<Tracking>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, tracking, options, async {
            let _dropped = stopped.await;
        }));
        Self { address, http: client(), shutdown: Some(shutdown), task }
    }

    /// Starts a server and waits until it is healthy.
    pub(crate) async fn ready(options: ServeOptions) -> Self {
        let running = Self::start(options, None).await;
        running.wait_healthy().await;
        running
    }

    pub(crate) async fn wait_healthy(&self) {
        let started = Instant::now();
        loop {
            let health = self.get("/health").await;
            if health.status == 200 {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "not healthy: {health:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until `/health` fulfils a condition, and returns it.
    pub(crate) async fn wait_for(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        self.wait_long(what, Duration::from_secs(20), condition).await
    }

    /// The same with another deadline.
    pub(crate) async fn wait_long(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        let started = Instant::now();
        loop {
            let health = self.get("/health").await.json();
            if condition(&health) {
                return health;
            }
            assert!(started.elapsed() < deadline, "no {what}: {health}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(self.url(path))).await
    }

    /// Sends JSON.
    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        self.post_as(path, "application/json", body.into()).await
    }

    pub(crate) async fn post_as(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        self.send(self.http.post(self.url(path)).header("content-type", content_type).body(body))
            .await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    /// The value of a metric's line.
    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let page = self.get("/metrics").await.text;
        let found = page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no {line} in\n{page}"))
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn tell_to_stop(&mut self) {
        let _already = self.shutdown.take().map(|shutdown| shutdown.send(()));
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.tell_to_stop();
        self.task.await.unwrap().unwrap();
    }
}
