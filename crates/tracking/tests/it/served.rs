//! A server of this crate in the test's own process, on a free port and a throwaway folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use trainyard_mlflow::Tracking;
use trainyard_tracking::Governance;
use trainyard_tracking::access::AccessControl;
use trainyard_tracking::artifacts::ArtifactStorage;
use trainyard_tracking::server::{Opened, ServerOptions, serve_once_opened};
use trainyard_tracking::store::{ReadLimits, SqlStore, StoreOptions};
use trainyard_tracking::{Lending, OpenOptions, Opening, share};

/// A running server; it stops when this is dropped.
pub(crate) struct Served {
    /// `http://127.0.0.1:<port>`
    pub(crate) url: String,
    directory: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<mpsc::Receiver<()>>,
    runtime: Option<Runtime>,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::with(ServerOptions::default())
    }

    pub(crate) fn with(options: ServerOptions) -> Self {
        Self::with_pages(options, Router::new().route("/", get(async || "pages")))
    }

    pub(crate) fn with_pages(options: ServerOptions, pages: Router) -> Self {
        let directory = tempfile::tempdir().expect("a throwaway folder");
        let destination = directory.path().join("mlartifacts");
        let artifacts = ArtifactStorage::open(&destination.to_string_lossy());
        let tracking = store(directory.path(), Arc::new(artifacts.expect("a destination")));
        Self::run(directory, tracking, options, pages)
    }

    /// A server whose store does for each sender what is theirs to do.
    pub(crate) fn guarded(control: &AccessControl) -> Self {
        Self::guarded_at("127.0.0.1:0", control)
    }

    /// The same, listening at an address.
    pub(crate) fn guarded_at(address: &str, control: &AccessControl) -> Self {
        let options = ServerOptions {
            authorize: Some(control.authorize()),
            more_routes: control.routes(),
            ..ServerOptions::default()
        };
        let directory = tempfile::tempdir().expect("a throwaway folder");
        let destination = directory.path().join("mlartifacts");
        let artifacts = ArtifactStorage::open(&destination.to_string_lossy());
        let tracking = store(directory.path(), Arc::new(artifacts.expect("a destination")));
        let opened = (control.guard(tracking), Router::new());
        Self::listening(address, directory, opened.into(), options)
    }

    /// A server that keeps its artifacts elsewhere.
    pub(crate) fn with_artifacts(options: ServerOptions, artifacts: Arc<ArtifactStorage>) -> Self {
        let directory = tempfile::tempdir().expect("a throwaway folder");
        let tracking = store(directory.path(), artifacts);
        Self::run(directory, tracking, options, Router::new())
    }

    /// A server over a store of the caller's.
    pub(crate) fn over(tracking: Tracking, options: ServerOptions) -> Self {
        let directory = tempfile::tempdir().expect("a throwaway folder");
        Self::run(directory, tracking, options, Router::new())
    }

    /// The same, listening at an address.
    pub(crate) fn at(address: &str, tracking: Tracking, options: ServerOptions) -> Self {
        let directory = tempfile::tempdir().expect("a throwaway folder");
        Self::listening(address, directory, (tracking, Router::new()).into(), options)
    }

    /// A server over a database, which tells webhooks.
    pub(crate) fn telling(uri: &str, opening: OpenOptions, options: ServerOptions) -> Self {
        let directory = tempfile::tempdir().expect("a throwaway folder");
        let shared = share(uri, opening, &Lending::default()).expect("a database");
        let opened = Opened {
            tracking: shared.lent,
            pages: Router::new(),
            webhooks: shared.webhooks,
            changes: shared.changes,
        };
        Self::listening("127.0.0.1:0", directory, opened, options)
    }

    fn run(
        directory: tempfile::TempDir,
        tracking: Tracking,
        options: ServerOptions,
        pages: Router,
    ) -> Self {
        Self::listening("127.0.0.1:0", directory, (tracking, pages).into(), options)
    }

    fn listening(
        address: &str,
        directory: tempfile::TempDir,
        opened: Opened,
        options: ServerOptions,
    ) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("http://127.0.0.1:{port}");
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _dropped = stopped.await;
        };
        let opened = std::future::ready(Ok::<_, trainyard_mlflow::Error>(opened));
        let server = serve_once_opened(listener, opened, options, shutdown);
        let (ended, stopped) = mpsc::channel();
        runtime.spawn(async move {
            server.await.expect("the server runs");
            let _nobody_waits = ended.send(());
        });
        Self { url, directory, stop: Some(stop), stopped: Some(stopped), runtime: Some(runtime) }
    }

    /// Starts an orderly shutdown; the channel tells when it is over.
    pub(crate) fn ask_to_stop(&mut self) -> mpsc::Receiver<()> {
        let stop = self.stop.take().expect("a running server");
        stop.send(()).expect("the server listens");
        self.stopped.take().expect("a running server")
    }

    /// The database of runs, and how it is opened beside the server.
    pub(crate) fn opening(&self) -> Opening {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let options = OpenOptions {
            default_artifact_root: Some("mlflow-artifacts:/".to_owned()),
            artifacts_destination: Some(path("mlartifacts")),
            ..OpenOptions::default()
        };
        let uri = format!("sqlite:///{}", path("mlflow.db"));
        Opening { uri, options, lending: Lending::default() }
    }

    /// Where proxied artifacts lie.
    pub(crate) fn artifacts(&self) -> PathBuf {
        self.directory.path().join("mlartifacts")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _already_stopped = stop.send(());
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn store(directory: &Path, artifacts: Arc<ArtifactStorage>) -> Tracking {
    let options = StoreOptions {
        artifact_root: "mlflow-artifacts:/".to_owned(),
        truncate_long_values: true,
        limits: ReadLimits::default(),
        governance: Governance::default(),
    };
    let store = SqlStore::open_sqlite(&directory.join("mlflow.db"), options);
    let store = Arc::new(store.expect("a new database"));
    Tracking::new(Arc::clone(&store), artifacts).with_tracing(store)
}
