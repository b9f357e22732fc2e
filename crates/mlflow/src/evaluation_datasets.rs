//! Datasets of examples that applications are evaluated with.

use async_trait::async_trait;
use serde_json::Value;

use crate::entities::KeyValue;
use crate::{Page, Result};

/// A dataset of examples that applications are evaluated with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvaluationDataset {
    pub dataset_id: String,
    pub name: String,
    pub tags: Vec<KeyValue>,
    /// JSON text.
    pub schema: Option<String>,
    /// JSON text.
    pub profile: Option<String>,
    pub digest: String,
    /// Milliseconds since the Unix epoch.
    pub created_time: i64,
    /// Milliseconds since the Unix epoch.
    pub last_update_time: i64,
    pub created_by: Option<String>,
    pub last_updated_by: Option<String>,
    /// In answers of `create` and `search`; empty in others.
    pub experiment_ids: Vec<String>,
}

/// Arguments of [`EvaluationDatasets::search`].
#[derive(Debug, Clone, Default)]
pub struct SearchEvaluationDatasets {
    /// All if empty.
    pub experiment_ids: Vec<String>,
    pub filter: String,
    pub max_results: i64,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// What is done with datasets of examples.
#[async_trait]
pub trait EvaluationDatasets: Send + Sync {
    async fn create(
        &self,
        name: &str,
        experiment_ids: Vec<String>,
        tags: Vec<KeyValue>,
    ) -> Result<EvaluationDataset>;
    async fn get(&self, dataset_id: &str) -> Result<EvaluationDataset>;
    async fn search(&self, search: SearchEvaluationDatasets) -> Result<Page<EvaluationDataset>>;
    async fn delete(&self, dataset_id: &str) -> Result<()>;
    async fn set_tags(&self, dataset_id: &str, tags: Vec<KeyValue>) -> Result<()>;
    async fn delete_tag(&self, dataset_id: &str, key: &str) -> Result<()>;
    async fn experiment_ids(&self, dataset_id: &str) -> Result<Vec<String>>;
    async fn add_to_experiments(
        &self,
        dataset_id: &str,
        experiment_ids: Vec<String>,
    ) -> Result<EvaluationDataset>;
    async fn remove_from_experiments(
        &self,
        dataset_id: &str,
        experiment_ids: Vec<String>,
    ) -> Result<EvaluationDataset>;
    /// Adds records (JSON objects), or merges them into those with the same inputs; how many of each.
    async fn upsert_records(&self, dataset_id: &str, records: Vec<Value>) -> Result<(i64, i64)>;
    /// Records as JSON objects, oldest first.
    async fn records(
        &self,
        dataset_id: &str,
        max_results: i64,
        page_token: Option<String>,
    ) -> Result<Page<Value>>;
    async fn delete_records(&self, dataset_id: &str, record_ids: Vec<String>) -> Result<i64>;
}
