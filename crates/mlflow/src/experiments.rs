//! Experiments: named groups of runs and logged models.

use async_trait::async_trait;
use serde::Serialize;

use crate::entities::{DatasetSummary, Experiment, Tag, ViewType};
use crate::{Page, Result};

/// Arguments of [`Experiments::search`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct SearchExperiments {
    pub view_type: ViewType,
    /// 1 to 50,000; 1,000 if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i64>,
    pub filter: String,
    pub order_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

/// What is done with experiments.
#[async_trait]
pub trait Experiments: Send + Sync {
    /// Whether writes would be kept. This default is that they would.
    async fn health(&self) -> Result<()> {
        Ok(())
    }
    /// Makes an experiment and returns its id.
    async fn create(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String>;
    /// The experiment, deleted or not.
    async fn get(&self, experiment_id: &str) -> Result<Experiment>;
    /// The same by its name.
    async fn get_by_name(&self, name: &str) -> Result<Experiment>;
    async fn search(&self, search: SearchExperiments) -> Result<Page<Experiment>>;
    async fn rename(&self, experiment_id: &str, new_name: &str) -> Result<()>;
    async fn delete(&self, experiment_id: &str) -> Result<()>;
    async fn restore(&self, experiment_id: &str) -> Result<()>;
    async fn set_tag(&self, experiment_id: &str, tag: Tag) -> Result<()>;
    async fn delete_tag(&self, experiment_id: &str, key: &str) -> Result<()>;
    /// Datasets that runs of the experiments read, each with what for.
    async fn search_datasets(&self, experiment_ids: &[String]) -> Result<Vec<DatasetSummary>>;
}
