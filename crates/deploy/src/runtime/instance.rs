//! An instance: what is started, what was started, and how it is.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::release::ReleaseSpec;
use crate::workload::RuntimeKind;

/// What to start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InstanceSpec<'a> {
    /// Unique in the service.
    pub(crate) id: &'a str,
    /// Folder of the service: the label by which its instances are found again.
    pub(crate) service_root: &'a Path,
    /// Program, environment, limits.
    pub(crate) release: &'a ReleaseSpec,
}

/// An instance that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// Unique in the service.
    pub(crate) id: String,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// Where it runs.
    #[serde(default)]
    pub(crate) runtime: RuntimeKind,
    /// What the runtime knows it by: a process id, a container id.
    pub(crate) handle: String,
    /// Tells a later process with the same id apart: the start time in clock ticks since boot.
    pub(crate) started: u64,
    /// Its output. A container's is here once the container is gone.
    pub(crate) log_path: PathBuf,
}

/// Whether an instance runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InstanceStatus {
    /// It runs.
    Running,
    /// It ended; how, if that is known (`exit code 1`, `signal 9`).
    Ended(String),
}

/// What a runtime's own health check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuntimeHealth {
    /// Its verdict.
    pub(crate) verdict: HealthVerdict,
    /// What its last checks printed, oldest first.
    pub(crate) log: Vec<String>,
}

/// The verdict of a runtime's own health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HealthVerdict {
    /// Not decided yet.
    Starting,
    /// The check passes.
    Healthy,
    /// It failed as often as it may.
    Unhealthy,
}

/// An address of this machine that nobody listens on now.
pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Arguments and values with `{port}` and `{address}` replaced.
pub(crate) fn fill(text: &str, address: SocketAddr) -> String {
    text.replace("{port}", &address.port().to_string()).replace("{address}", &address.to_string())
}
