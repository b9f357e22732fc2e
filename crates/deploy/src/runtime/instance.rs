//! An instance: what is started, what was started, and what every runtime can do with it. How one is started
//! is each runtime's own: they take different workloads.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

use crate::error::Result;
use crate::logs::Excerpt;
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
    /// What the runtime knows it by: a process id, the id of a container or of a swarm's service.
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
    /// Its runtime is about to run it, for the first time or once more; what that waits for.
    Awaited(String),
    /// It ended; how, if that is known (`exit code 1`, `signal 9`).
    Ended(String),
}

/// How an instance that runs is, as far as its runtime can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Vitals {
    /// For how long it has run.
    pub(crate) up: Option<Duration>,
    /// Bytes of memory that it holds.
    pub(crate) memory_bytes: Option<u64>,
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

/// A way to run instances. All methods are idempotent.
#[async_trait]
pub(crate) trait Runtime: Send + Sync + std::fmt::Debug {
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

    /// How it is, if it runs. What cannot be told is left out.
    async fn vitals(&self, _instance: &Instance) -> Vitals {
        Vitals::default()
    }

    /// The last lines of its output.
    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>>;

    /// Tells the lines of its output that are wanted and, where they are followed, those to come, until nobody
    /// listens; `false` where all its output is in its log file.
    async fn tell_logs(
        &self,
        _instance: &Instance,
        _excerpt: &Excerpt,
        _is_followed: bool,
        _tell: &Sender<String>,
    ) -> Result<bool> {
        Ok(false)
    }

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

/// Arguments and values with `{port}` and `{address}` replaced.
pub(crate) fn fill(text: &str, address: SocketAddr) -> String {
    text.replace("{port}", &address.port().to_string()).replace("{address}", &address.to_string())
}
