//! Scorers: named judges of an experiment's traces, each a JSON text that clients write and read, in versions.

use async_trait::async_trait;

use crate::Result;

/// One version of a scorer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScorerVersion {
    pub experiment_id: String,
    pub name: String,
    /// Of the scorer in all its versions.
    pub scorer_id: String,
    /// From 1 on.
    pub version: i64,
    /// JSON text.
    pub serialized: String,
    /// Milliseconds since the Unix epoch.
    pub creation_time: i64,
}

/// What is done with scorers. They are kept, and never run.
#[async_trait]
pub trait Scorers: Send + Sync {
    /// Adds a version, of a scorer that is made if there is none of the name.
    async fn register(
        &self,
        experiment_id: &str,
        name: &str,
        serialized: &str,
    ) -> Result<ScorerVersion>;
    /// The latest version of each scorer of an experiment, by name.
    async fn of_experiment(&self, experiment_id: &str) -> Result<Vec<ScorerVersion>>;
    /// The same of several experiments, or of all if none is named, by experiment and name. Those that are deleted or not
    /// there have none.
    async fn latest(&self, experiment_ids: Vec<String>) -> Result<Vec<ScorerVersion>>;
    /// All versions of one, oldest first.
    async fn versions(&self, experiment_id: &str, name: &str) -> Result<Vec<ScorerVersion>>;
    /// One version; the latest if none is named.
    async fn get(
        &self,
        experiment_id: &str,
        name: &str,
        version: Option<i64>,
    ) -> Result<ScorerVersion>;
    /// Removes one version; the scorer with all if none is named.
    async fn delete(&self, experiment_id: &str, name: &str, version: Option<i64>) -> Result<()>;
}
