//! What every runtime can do with an instance. How one is started is its own: each takes its own kind of
//! workload.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use super::instance::{Instance, InstanceStatus, RuntimeHealth};
use crate::error::Result;

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
