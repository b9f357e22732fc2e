//! What a caller says: which service, and what to release under it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trainyard_base::words::HEALTH_PATH;

use crate::error::{Error, Result};

/// A place where one version at a time is served, behind one address.
#[derive(Debug, Clone)]
pub struct Service {
    /// Names the folder of its state and labels its instances.
    pub name: String,
    /// Folder below which services keep their state (`<state_dir>/<name>/`).
    pub state_dir: PathBuf,
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// Program and first arguments that run the gateway; `--state-dir` and `--listen` are added.
    /// `None`: this executable with `gateway`.
    pub gateway_command: Option<Vec<OsString>>,
    /// How long to wait for another deployment of the same service.
    pub lock_wait: Duration,
    /// Whether the gateway writes a line for each request.
    pub access_log: bool,
    /// Where the gateway answers `/metrics`, beside its control socket.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the gateway passes all paths of the instance on, for operators.
    pub operator_listen: Option<SocketAddr>,
    /// Paths that the public may ask beside predictions, documentation and health.
    pub exposed: Vec<String>,
    /// How long an instance may take to begin an answer; the gateway's own limit if none.
    pub response_timeout: Option<Duration>,
    /// Connections of clients at a time; the gateway's own limit if none.
    pub max_connections: Option<usize>,
    /// Connections of one address at a time; half of all if none.
    pub max_per_address: Option<usize>,
}

impl Service {
    /// A service with the usual gateway; waits 10 s for another deployment.
    pub fn new(name: impl Into<String>, state_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            name: name.into(),
            state_dir: state_dir.into(),
            listen,
            gateway_command: None,
            lock_wait: Duration::from_secs(10),
            access_log: false,
            metrics_listen: None,
            operator_listen: None,
            exposed: Vec::new(),
            response_timeout: None,
            max_connections: None,
            max_per_address: None,
        }
    }

    /// What a gateway of this service is told beside its folder and address.
    pub(crate) fn gateway_arguments(&self) -> Vec<String> {
        let given =
            |flag: &str, value: Option<String>| value.map(|value| format!("{flag}={value}"));
        let address = |address: Option<SocketAddr>| address.map(|address| address.to_string());
        let count = |count: Option<usize>| count.map(|count| count.to_string());
        let response = self.response_timeout.map(|limit| format!("{}ms", limit.as_millis()));
        self.access_log
            .then(|| "--access-log".to_owned())
            .into_iter()
            .chain(given("--metrics-listen", address(self.metrics_listen)))
            .chain(given("--operator-listen", address(self.operator_listen)))
            .chain(self.exposed.iter().map(|path| format!("--expose={path}")))
            .chain(given("--response-timeout", response))
            .chain(given("--max-connections", count(self.max_connections)))
            .chain(given("--max-per-address", count(self.max_per_address)))
            .collect()
    }

    /// Refuses names that are no plain folder names.
    pub(crate) fn check_name(&self) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let starts = self.name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if starts && self.name.len() <= 64 && self.name.bytes().all(plain) {
            return Ok(());
        }
        Err(Error::Name { name: self.name.clone() })
    }
}

/// What to release and when it counts as good.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSpec {
    /// The program.
    pub command: PathBuf,
    /// Its arguments; `{port}` and `{address}` (`127.0.0.1:port`) are replaced.
    pub args: Vec<String>,
    /// Variables added to the environment; `{port}` and `{address}` are replaced in values.
    /// Kept in the service's folder (readable by its owner alone) for a rollback.
    pub env: Vec<(String, String)>,
    /// Working folder of the program; `None` is the deployer's.
    pub working_dir: Option<PathBuf>,
    /// Variable that carries the port as well; `None` for none.
    pub port_env: Option<String>,
    /// Answers 2xx when the instance can serve.
    pub health_path: String,
    /// One real request that must succeed before traffic comes.
    pub prediction: Option<Probe>,
    /// Time from the start until the instance must have passed all probes.
    pub deadline: Duration,
    /// Health probes that must succeed in a row.
    pub successes_in_row: u32,
    /// How long requests that the old instance is working on may take after the switch.
    pub drain_limit: Duration,
    /// How long the old instance is kept warm after the switch; it takes over again if the new one fails.
    pub bake: Duration,
    /// How long an instance may take to end after SIGTERM before it is killed.
    pub stop_grace: Duration,
    /// When the new instance counts as bad while the old one is still warm.
    #[serde(default)]
    pub bake_limits: BakeLimits,
    /// What is being released, for people (`model`, `version`, …).
    pub label: BTreeMap<String, String>,
    /// Run as a container instead of a process; `command` is then only a name for messages.
    #[serde(default)]
    pub container: Option<ContainerSpec>,
}

/// What the gateway does not accept of a new instance while the old one is still warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BakeLimits {
    /// Answers out of a hundred that may be 5xx or missing, beyond what the old instance had.
    pub errors_percent: u32,
    /// Time within which 95 of a hundred answers must begin; `None` for any time.
    pub latency: Option<Duration>,
    /// Requests before either is judged: one bad answer of two says nothing.
    pub min_requests: u64,
}

impl Default for BakeLimits {
    fn default() -> Self {
        Self { errors_percent: 10, latency: None, min_requests: 20 }
    }
}

/// How a release runs as a container. Its file system is read-only except for `/tmp`, it has no
/// capabilities, and it swaps nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// `name:tag`, with a registry in front where it is not Docker Hub.
    pub image: String,
    /// When the image is fetched.
    pub pull: Pull,
    /// Which network it is in.
    pub network: Network,
    /// Port the program listens on. On the host's network it is told a free one by `{port}` in its
    /// environment or arguments.
    pub port: u16,
    /// Memory it may use; it is killed beyond that.
    pub memory_bytes: Option<u64>,
    /// Processor time per second, in nanoseconds.
    pub nano_cpus: Option<u64>,
    /// Folders of this machine that it sees.
    pub mounts: Vec<BindMount>,
    /// `uid:gid` instead of the image's own user.
    pub user: Option<String>,
}

impl ContainerSpec {
    /// A container of this image in a network of the service's own.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            pull: Pull::default(),
            network: Network::default(),
            port: 8080,
            memory_bytes: None,
            nano_cpus: None,
            mounts: Vec::new(),
            user: None,
        }
    }
}

/// When an image is fetched from its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// At each release: a tag may have moved.
    Always,
    /// When it is not on this machine.
    #[default]
    Missing,
    /// It must be on this machine.
    Never,
}

/// The network of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// One that only the instances of the service are in. The gateway asks them at their own address,
    /// so the engine must be on this machine.
    #[default]
    Own,
    /// This machine's own.
    Host,
    /// One that is there already. The port is published on this machine's loopback.
    Named(String),
}

/// A folder of this machine inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindMount {
    /// Where it is on this machine.
    pub source: PathBuf,
    /// Where the container sees it.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
}

impl ReleaseSpec {
    /// A release of this program with the usual limits.
    pub fn new(command: impl Into<PathBuf>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            working_dir: None,
            port_env: Some("PORT".to_owned()),
            health_path: HEALTH_PATH.to_owned(),
            prediction: None,
            deadline: Duration::from_mins(1),
            successes_in_row: 2,
            drain_limit: Duration::from_secs(30),
            bake: Duration::from_secs(1),
            stop_grace: Duration::from_secs(10),
            bake_limits: BakeLimits::default(),
            label: BTreeMap::new(),
            container: None,
        }
    }

    /// A release of this container's image with the usual limits.
    pub fn container(container: ContainerSpec) -> Self {
        let mut spec = Self::new(container.image.clone());
        spec.container = Some(container);
        spec
    }
}

/// Values of variables may be secrets: only their names are shown.
impl fmt::Debug for ReleaseSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ReleaseSpec")
            .field("command", &self.command)
            .field("args", &self.args)
            .field("env (names)", &names)
            .field("health_path", &self.health_path)
            .field("prediction", &self.prediction)
            .field("deadline", &self.deadline)
            .field("successes_in_row", &self.successes_in_row)
            .field("drain_limit", &self.drain_limit)
            .field("bake", &self.bake)
            .field("label", &self.label)
            .field("container", &self.container)
            .finish_non_exhaustive()
    }
}

/// One request whose answer tells whether an instance works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// `POST` for a prediction.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Sent as `Content-Type` when there is a body.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// What the answer's body must contain; any 2xx answer will do when empty.
    pub expect: String,
    /// Sent as `X-Request-Id` unless it is empty. A model server that was told of it does not log what
    /// nobody needs but the release; so only the release may know it.
    #[serde(default)]
    pub request_id: String,
}

impl Probe {
    /// A JSON request that must be answered with 2xx.
    pub fn post_json(path: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            method: "POST".to_owned(),
            path: path.into(),
            content_type: "application/json".to_owned(),
            body: body.into(),
            expect: String::new(),
            request_id: String::new(),
        }
    }

    /// A GET that must be answered with 2xx.
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.to_owned(),
            content_type: String::new(),
            body: String::new(),
            expect: String::new(),
            request_id: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut spec = ReleaseSpec::new("/bin/true");
        spec.env.push(("TOKEN".to_owned(), "hunter2".to_owned()));
        let text = format!("{spec:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn names_are_plain() {
        for (name, good) in [
            ("iris", true),
            ("a.b-c_1", true),
            ("", false),
            ("../x", false),
            ("a/b", false),
            (".a", false),
        ] {
            let service = Service::new(name, "/tmp", ([127, 0, 0, 1], 0).into());
            assert_eq!(service.check_name().is_ok(), good, "{name:?}");
        }
    }
}
