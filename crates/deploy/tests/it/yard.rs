//! A service whose instances are containers, driven through programs of their own as a user would.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use tokio::sync::{RwLock, RwLockReadGuard};

use serde_json::Value;
use trainyard_testkit::docker::{Engine, engine, swarm_engine};

use crate::stage::{TestLimit, part};

/// The image of the parts: a health check that is asked often, so that tests need not wait.
const DOCKERFILE: &str = "\
USER 65534:65534
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=250ms --timeout=10s --start-period=2s --retries=3 CMD [\"/part\", \"health\"]
ENTRYPOINT [\"/part\"]
";

/// How a deployer ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Finished,
    Killed,
    Failed,
}

/// A service of containers.
pub(crate) struct Yard {
    pub(crate) engine: &'static Engine,
    folder: tempfile::TempDir,
    address: SocketAddr,
    pub(crate) image: String,
    /// Added to the environment of deployers.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    engine_stays: Option<RwLockReadGuard<'static, ()>>,
    /// Added to what deployers are told.
    runtime: &'static [&'static str],
    _limit: TestLimit,
}

/// Written by the test that takes the engine away from all others.
pub(crate) static ENGINE_STAYS: RwLock<()> = RwLock::const_new(());

impl Yard {
    /// `None` (said loudly) where no engine can run. The image is in the registry, not in the engine, when
    /// the first yard is made.
    pub(crate) async fn new(test: &str) -> Option<Self> {
        let stays = ENGINE_STAYS.read().await;
        let mut yard = Self::alone(test)?;
        yard.engine_stays = Some(stays);
        Some(yard)
    }

    /// A yard of a test that holds [`ENGINE_STAYS`] itself.
    pub(crate) fn alone(test: &str) -> Option<Self> {
        static BUILT: Mutex<bool> = Mutex::new(false);
        Some(Self::on(engine(test)?, &BUILT, &[]))
    }

    /// A yard whose containers are those of a swarm of one node.
    pub(crate) fn swarm(test: &str) -> Option<Self> {
        static BUILT: Mutex<bool> = Mutex::new(false);
        Some(Self::on(swarm_engine(test)?, &BUILT, &["--swarm"]))
    }

    fn on(engine: &'static Engine, built: &Mutex<bool>, runtime: &'static [&'static str]) -> Self {
        let image = format!("{}/part:1", engine.registry);
        let mut built = built.lock().unwrap();
        if !*built {
            engine.build(&image, &part(), "part", DOCKERFILE);
            engine.docker(&["push", "-q", &image]);
            engine.docker(&["rmi", &image]);
            *built = true;
        }
        drop(built);
        let address = SocketAddr::from(([127, 0, 0, 1], trainyard_testkit::free_port()));
        let folder = tempfile::tempdir().unwrap();
        let environment = Vec::new();
        // What it left is seen by the next test of this engine.
        let limit = TestLimit::begin(|| {});
        Self {
            engine,
            folder,
            address,
            image,
            environment,
            engine_stays: None,
            runtime,
            _limit: limit,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn root(&self) -> PathBuf {
        std::fs::canonicalize(self.folder.path()).unwrap().join("test")
    }

    fn part(&self, what: &str) -> Command {
        let mut command = Command::new(part());
        command
            .arg(what)
            .arg("--state-dir")
            .arg(self.folder.path())
            .args(["--listen", &self.address.to_string()])
            .env("DOCKER_HOST", &self.engine.host)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a deployer.
    pub(crate) fn start(&self, name: &str, more: &[&str]) -> Child {
        let mut command = self.part("release");
        command.args(["--name", name]).args(more);
        if !more.contains(&"--image") && !more.contains(&"--process") {
            command.args(["--image", &self.image]).args(self.runtime);
        }
        command.spawn().unwrap()
    }

    /// Waits for a deployer: how it ended, and all that it said.
    pub(crate) async fn wait(child: Child) -> (End, String) {
        let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await;
        let output = output.unwrap().unwrap();
        let end = match output.status {
            status if status.success() => End::Finished,
            status if status.signal() == Some(9) => End::Killed,
            _ => End::Failed,
        };
        let said = [output.stdout, output.stderr].concat();
        (end, String::from_utf8_lossy(&said).into_owned())
    }

    pub(crate) async fn deploy(&self, name: &str, more: &[&str]) -> (End, String) {
        Self::wait(self.start(name, more)).await
    }

    /// A deployment that must succeed.
    pub(crate) async fn deployed(&self, name: &str, more: &[&str]) -> String {
        let (end, said) = self.deploy(name, more).await;
        assert_eq!(end, End::Finished, "{name}:\n{said}");
        said
    }

    /// Starts again what is down, until all is well; what was said of it.
    pub(crate) async fn keep(&self) -> String {
        let child = self.part("keep").spawn().unwrap();
        let (end, said) = Self::wait(child).await;
        assert_eq!(end, End::Finished, "{said}");
        said
    }

    /// Brings back what served before; what was said of it.
    pub(crate) async fn rollback(&self) -> String {
        let child = self.part("rollback").spawn().unwrap();
        let (end, said) = Self::wait(child).await;
        assert_eq!(end, End::Finished, "{said}");
        said
    }

    /// Ends the service.
    pub(crate) async fn end(&self) {
        let child = self.part("stop").spawn().unwrap();
        let (end, said) = Self::wait(child).await;
        assert_eq!(end, End::Finished, "{said}");
    }

    /// Ends the service, after which nothing of it is left.
    pub(crate) async fn stop(&self) {
        self.end().await;
        assert_eq!(self.containers(), Vec::<String>::new());
        assert_eq!(self.networks(), Vec::<String>::new());
        assert!(std::net::TcpListener::bind(self.address).is_ok(), "the port is free again");
    }

    /// Names of all containers of the service, in whatever state.
    pub(crate) fn containers(&self) -> Vec<String> {
        self.labelled(&["ps", "-a", "--format", "{{.Names}} {{.State}}"])
    }

    pub(crate) fn networks(&self) -> Vec<String> {
        self.labelled(&["network", "ls", "--format", "{{.Name}}"])
    }

    /// What the engine has of the service, as `docker` with these arguments lists it.
    pub(crate) fn labelled(&self, arguments: &[&str]) -> Vec<String> {
        let filter = format!("label=trainyard.service={}", self.root().display());
        let arguments = [arguments, &["--filter", &filter]].concat();
        let text = self.engine.docker(&arguments);
        text.lines().map(str::to_owned).collect()
    }

    /// When the journal says that a step happened last, in milliseconds since 1970.
    pub(crate) fn at(&self, step: &str) -> u64 {
        let text = std::fs::read_to_string(self.root().join("journal.jsonl")).unwrap();
        let lines = text.lines().rev().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line = lines.into_iter().find(|line| line["step"] == step);
        line.unwrap_or_else(|| panic!("no {step} in:\n{text}"))["at_ms"].as_u64().unwrap()
    }

    /// What an instance said; its container may be long gone.
    pub(crate) fn output(&self, id: &str) -> String {
        std::fs::read_to_string(self.root().join("instances").join(id).join("output.log")).unwrap()
    }
}

/// The gateway of a test that failed must not stay.
impl Drop for Yard {
    fn drop(&mut self) {
        if let Ok(mut child) = self.part("stop").stdout(Stdio::null()).spawn() {
            let _told_or_not = child.wait();
        }
    }
}
