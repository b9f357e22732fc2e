//! Where instances run. A runtime starts, watches and stops them and finds them again by label; what
//! a release does with them is the same for every runtime.

pub mod process;
mod procfs;

use std::net::SocketAddr;
use std::path::PathBuf;
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
    /// What the runtime knows it by: a process id, a container id.
    pub handle: String,
    /// Tells a later process with the same id apart: the start time in clock ticks since boot.
    pub started: u64,
    /// Its output.
    pub log_path: PathBuf,
}

/// Whether an instance runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceStatus {
    /// It runs.
    Running,
    /// It ended; how, if that is known (`exit code 1`, `signal 9`).
    Ended(String),
}

/// A way to run instances. All methods are idempotent except [`Runtime::start`].
#[async_trait]
pub trait Runtime: Send + Sync + std::fmt::Debug {
    /// `process`, `docker`.
    fn name(&self) -> &'static str;

    /// Starts an instance that outlives this program, on an address nobody uses.
    async fn start(&self, spec: &InstanceSpec) -> Result<Instance>;

    /// Whether it runs.
    async fn status(&self, instance: &Instance) -> Result<InstanceStatus>;

    /// The last lines of its output.
    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>>;

    /// Asks it to end, and ends it when it has not after `grace`. Returns when it is gone.
    async fn stop(&self, instance: &Instance, grace: Duration) -> Result<()>;

    /// Ids of all instances of a service that run, also of those whose start was not recorded.
    async fn list(&self, service_root: &std::path::Path) -> Result<Vec<String>>;

    /// Ends an instance known by its id alone (its start was not recorded).
    async fn remove(&self, service_root: &std::path::Path, id: &str, grace: Duration)
    -> Result<()>;
}
