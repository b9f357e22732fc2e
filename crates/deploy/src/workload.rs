//! What an instance runs: a program of this machine, a container, or a container that a swarm has a place for. Said
//! once, here: project files and flags name the runtime and write networks as users do, and state files keep the whole.

use std::path::PathBuf;
use std::str::FromStr;

use serde::de::IntoDeserializer as _;
use serde::de::value::Error as UnknownName;
use serde::{Deserialize, Serialize};

/// What an instance runs, and in what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "Stored")]
pub enum Workload {
    /// A process of this machine.
    Process(ProcessSpec),
    /// A container of the Docker Engine.
    Container(ContainerSpec),
    /// A container on one of the nodes of a Docker Swarm.
    Swarm(SwarmSpec),
}

impl Workload {
    /// A process of this program.
    pub fn process(command: impl Into<PathBuf>) -> Self {
        Self::Process(ProcessSpec { command: command.into() })
    }

    /// The runtime that it needs.
    pub fn runtime(&self) -> RuntimeKind {
        match self {
            Self::Process(_) => RuntimeKind::Process,
            Self::Container(_) => RuntimeKind::Docker,
            Self::Swarm(_) => RuntimeKind::Swarm,
        }
    }
}

/// A workload in a state file. Releases before `process` had its name are there with their program alone,
/// or with a container beside it.
#[derive(Deserialize)]
struct Stored {
    process: Option<ProcessSpec>,
    container: Option<ContainerSpec>,
    swarm: Option<SwarmSpec>,
    command: Option<PathBuf>,
}

impl TryFrom<Stored> for Workload {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let named = [
            stored.process.map(Self::Process),
            stored.container.map(Self::Container),
            stored.swarm.map(Self::Swarm),
        ];
        let mut named = named.into_iter().flatten();
        match (named.next(), named.next(), stored.command) {
            (Some(one), None, _) => Ok(one),
            (None, _, Some(command)) => Ok(Self::process(command)),
            _ => Err("it names neither one process nor one container"),
        }
    }
}

/// Where instances run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// As processes of this machine.
    #[default]
    Process,
    /// As containers.
    Docker,
    /// As containers on the nodes of a swarm.
    Swarm,
}

impl RuntimeKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Process, Self::Docker, Self::Swarm];

    /// Its name in project files, flags and state files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Docker => "docker",
            Self::Swarm => "swarm",
        }
    }

    /// Whether it runs an image rather than a program of this machine.
    pub fn runs_images(self) -> bool {
        match self {
            Self::Process => false,
            Self::Docker | Self::Swarm => true,
        }
    }
}

impl FromStr for RuntimeKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::deserialize(name.into_deserializer())
    }
}

/// How a release runs as a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The program.
    pub command: PathBuf,
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

/// How a release runs in a Docker Swarm: each instance is a service with one task, locked down as a container is. It
/// answers at a port of the node that the task is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmSpec {
    /// `name:tag`, with a registry in front where it is not Docker Hub. Nodes fetch it with the deployer's credentials.
    pub image: String,
    /// `always`: its registry must know it; `missing`: nodes may have it; `never`: its registry is not asked which
    /// image the tag is.
    pub pull: Pull,
    /// An overlay network that is there; one of the service's own if none.
    pub network: Option<String>,
    /// Port the program listens on.
    pub port: u16,
    /// Memory it may use; it is killed beyond that.
    pub memory_bytes: Option<u64>,
    /// Processor time per second, in nanoseconds.
    pub nano_cpus: Option<u64>,
    /// Constraints on nodes as Swarm has them: `node.labels.gpu==true`.
    pub placement: Vec<String>,
    /// Folders of this machine that it sees, where a swarm has one node or `placement` leaves one.
    pub mounts: Vec<BindMount>,
    /// Where it sees a volume that a node keeps over restarts; no volume if none.
    pub volume: Option<PathBuf>,
    /// Files of this machine that it sees at the same place: keys and certificates, which become secrets of the swarm.
    pub files: Vec<PathBuf>,
    /// `uid:gid` instead of the image's own user.
    pub user: Option<String>,
}

impl SwarmSpec {
    /// Containers of this image in an overlay network of the service's own, on any node.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            pull: Pull::default(),
            network: None,
            port: 8080,
            memory_bytes: None,
            nano_cpus: None,
            placement: Vec::new(),
            mounts: Vec::new(),
            volume: None,
            files: Vec::new(),
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

impl Pull {
    /// Their names in project files and flags.
    pub const NAMES: [&str; 3] = ["always", "missing", "never"];
}

impl FromStr for Pull {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::deserialize(name.into_deserializer())
    }
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

impl From<&str> for Network {
    /// `own`, `host`, or the name of a network, as users write it.
    fn from(name: &str) -> Self {
        match name {
            "own" => Self::Own,
            "host" => Self::Host,
            name => Self::Named(name.to_owned()),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A workload within something else, as a release has it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        #[serde(flatten)]
        workload: Workload,
        args: Vec<String>,
    }

    fn read(text: &str) -> Result<Workload, String> {
        let holder: Holder = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(holder.workload)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut container = ContainerSpec::new("iris:1");
        container.network = Network::Named("shop".to_owned());
        container.memory_bytes = Some(u64::MAX);
        let mut swarm = SwarmSpec::new("iris:1");
        swarm.placement.push("node.role==worker".to_owned());
        let workloads = [
            Workload::process("/bin/true"),
            Workload::Container(container),
            Workload::Swarm(swarm),
        ];
        for workload in workloads {
            let holder = Holder { workload, args: vec!["-v".to_owned()] };
            let text = serde_json::to_string(&holder).unwrap();
            assert_eq!(serde_json::from_str::<Holder>(&text).unwrap(), holder, "{text}");
        }
    }

    #[test]
    fn the_old_form_is_read() {
        let process = r#"{"command": "/bin/true", "container": null, "args": []}"#;
        assert_eq!(read(process), Ok(Workload::process("/bin/true")));
        let older = r#"{"command": "/bin/true", "args": []}"#;
        assert_eq!(read(older), Ok(Workload::process("/bin/true")));
        let container = r#"{"command": "iris:1", "args": [], "container": {"image": "iris:1",
            "pull": "missing", "network": "own", "port": 8080, "memory_bytes": null,
            "nano_cpus": null, "mounts": [], "user": null}}"#;
        assert_eq!(read(container), Ok(Workload::Container(ContainerSpec::new("iris:1"))));
    }

    #[test]
    fn neither_and_both_are_refused() {
        assert!(read(r#"{"args": []}"#).unwrap_err().contains("neither"));
        let container = serde_json::to_string(&ContainerSpec::new("iris:1")).unwrap();
        let both =
            format!(r#"{{"process": {{"command": "a"}}, "container": {container}, "args": []}}"#);
        assert!(read(&both).is_err());
    }

    #[test]
    fn names_are_those_of_users() {
        let runtimes =
            RuntimeKind::ALL.map(|runtime| runtime.name().parse::<RuntimeKind>().unwrap());
        assert_eq!(runtimes, RuntimeKind::ALL);
        let pulls = Pull::NAMES.map(|name| name.parse::<Pull>().unwrap());
        assert_eq!(pulls, [Pull::Always, Pull::Missing, Pull::Never]);
        assert!("podman".parse::<RuntimeKind>().is_err());
        let networks = ["own", "host", "shop"].map(Network::from);
        assert_eq!(networks, [Network::Own, Network::Host, Network::Named("shop".to_owned())]);
    }
}
