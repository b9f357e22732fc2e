//! Where instances run. A runtime starts, watches and stops them and finds them again by label; what
//! a release does with them is the same for every runtime.

pub mod docker;
pub mod process;
mod procfs;
mod together;

pub(crate) use together::Runtimes;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::spec::ReleaseSpec;

/// What to start.
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    /// Unique in the service.
    pub id: String,
    /// Folder of the service: the label by which its instances are found again.
    pub service_root: PathBuf,
    /// Program, environment, limits.
    pub release: ReleaseSpec,
}

/// An instance that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Unique in the service.
    pub id: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// Where it runs.
    #[serde(default)]
    pub runtime: RuntimeKind,
    /// What the runtime knows it by: a process id, a container id.
    pub handle: String,
    /// Tells a later process with the same id apart: the start time in clock ticks since boot.
    pub started: u64,
    /// Its output. A container's is here once the container is gone.
    pub log_path: PathBuf,
}

/// Which runtime an instance belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// A process of this machine.
    #[default]
    Process,
    /// A container.
    Docker,
}

/// Whether an instance runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceStatus {
    /// It runs.
    Running,
    /// It ended; how, if that is known (`exit code 1`, `signal 9`).
    Ended(String),
}

/// What a runtime's own health check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeHealth {
    /// Its verdict.
    pub verdict: HealthVerdict,
    /// What its last checks printed, oldest first.
    pub log: Vec<String>,
}

/// The verdict of a runtime's own health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthVerdict {
    /// Not decided yet.
    Starting,
    /// The check passes.
    Healthy,
    /// It failed as often as it may.
    Unhealthy,
}

/// A way to run instances. All methods are idempotent except [`Runtime::start`].
#[async_trait]
pub trait Runtime: Send + Sync + std::fmt::Debug {
    /// `process`, `docker`.
    fn name(&self) -> &'static str;

    /// Gets what a start needs and may take long (an image); what was got, for a person.
    async fn prepare(&self, _release: &ReleaseSpec) -> Result<Option<String>> {
        Ok(None)
    }

    /// Starts an instance that outlives this program, on an address nobody uses.
    async fn start(&self, spec: &InstanceSpec) -> Result<Instance>;

    /// Whether it runs.
    async fn status(&self, instance: &Instance) -> Result<InstanceStatus>;

    /// What the runtime's own health check says; `None` where there is none.
    async fn health(&self, _instance: &Instance) -> Result<Option<RuntimeHealth>> {
        Ok(None)
    }

    /// What happened to the instance since its start (`oom`, `die (exit code 137)`), oldest first.
    async fn events(&self, _instance: &Instance) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// The last lines of its output.
    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>>;

    /// The instance serves for good: from now on the runtime brings it back if it can.
    async fn keep(&self, _instance: &Instance) -> Result<()> {
        Ok(())
    }

    /// Asks it to end, and ends it when it has not after `grace`. Returns when it is gone.
    async fn stop(&self, instance: &Instance, grace: Duration) -> Result<()>;

    /// Ids of all instances of a service that are there, also of those whose start was not recorded.
    async fn list(&self, service_root: &Path) -> Result<Vec<String>>;

    /// Ends an instance known by its id alone (its start was not recorded).
    async fn remove(&self, service_root: &Path, id: &str, grace: Duration) -> Result<()>;

    /// Removes what instances of a service shared (a network), when no instance is left.
    async fn clean(&self, _service_root: &Path) -> Result<()> {
        Ok(())
    }
}

/// Where an instance's output is kept.
pub(crate) fn log_path(service_root: &Path, id: &str) -> PathBuf {
    service_root.join("instances").join(id).join("output.log")
}

/// An address of this machine that nobody listens on now.
pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Whether a process runs; a zombie does not.
pub(crate) fn runs(pid: rustix::process::Pid) -> bool {
    procfs::facts(pid).is_some()
}

/// Arguments and values with `{port}` and `{address}` replaced.
pub(crate) fn fill(text: &str, address: SocketAddr) -> String {
    text.replace("{port}", &address.port().to_string()).replace("{address}", &address.to_string())
}
