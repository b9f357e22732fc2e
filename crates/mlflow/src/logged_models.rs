//! Logged models: model folders as entities of their own (MLflow 3).

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};

use crate::entities::{LoggedModel, LoggedModelStatus, ModelVersion, Param, Tag};
use crate::{Page, Result};

/// The tag of a logged model that says which versions are made of it: a JSON list of their names and numbers.
pub const VERSIONS_TAG: &str = "mlflow.modelVersions";

/// What [`VERSIONS_TAG`] says once `version` is made of `model`; none if it says so already. The number is one, as
/// upstream's server writes it; its client adds the version once more, as text.
pub fn versions_with(model: &LoggedModel, version: &ModelVersion) -> Option<Vec<Value>> {
    let known = Tag::find(&model.info.tags, VERSIONS_TAG).unwrap_or("[]");
    let mut versions: Vec<Value> = serde_json::from_str(known).unwrap_or_default();
    let number =
        version.version.parse::<i64>().map_or_else(|_| json!(version.version), Value::from);
    let this = json!({ "name": version.name, "version": number });
    if versions.contains(&this) {
        return None;
    }
    versions.push(this);
    Some(versions)
}

/// Arguments of [`LoggedModels::create`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct CreateLoggedModel {
    pub experiment_id: String,
    /// A random name if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_run_id: Option<String>,
    pub params: Vec<Param>,
    pub tags: Vec<Tag>,
}

/// Arguments of [`LoggedModels::search`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct SearchLoggedModels {
    pub experiment_ids: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// Narrow which metrics the filter looks at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<DatasetFilter>,
    /// 50 if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_by: Vec<OrderLoggedModels>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

/// A dataset that metrics must have been computed on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DatasetFilter {
    pub dataset_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_digest: Option<String>,
}

/// One term of an order: an attribute, or a metric, which may be that of a dataset.
#[derive(Debug, Clone, Serialize)]
pub struct OrderLoggedModels {
    pub field_name: String,
    pub ascending: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_digest: Option<String>,
}

/// What is done with logged models.
#[async_trait]
pub trait LoggedModels: Send + Sync {
    /// Makes a logged model whose files are still to come.
    async fn create(&self, model: CreateLoggedModel) -> Result<LoggedModel>;
    async fn get(&self, model_id: &str) -> Result<LoggedModel>;
    /// The same for a model that may have been deleted, where deleted ones can still be seen.
    async fn get_or_deleted(&self, model_id: &str) -> Result<LoggedModel> {
        self.get(model_id).await
    }
    /// Refuses a caller who may not write the model's files. This default refuses nobody: a store asks
    /// nobody who they are.
    async fn may_write_files(&self, _model_id: &str) -> Result<()> {
        Ok(())
    }
    /// Says whether the files are all there.
    async fn finalize(&self, model_id: &str, status: LoggedModelStatus) -> Result<LoggedModel>;
    async fn delete(&self, model_id: &str) -> Result<()>;
    async fn set_tags(&self, model_id: &str, tags: Vec<Tag>) -> Result<()>;
    /// Sets the tag that says which versions are made of a model. It belongs to making a version: whoever may do
    /// that need not be one who may change the model.
    async fn set_versions_tag(&self, model_id: &str, tag: Tag) -> Result<()> {
        self.set_tags(model_id, vec![tag]).await
    }
    async fn delete_tag(&self, model_id: &str, key: &str) -> Result<()>;
    /// Adds params, each once.
    async fn log_params(&self, model_id: &str, params: Vec<Param>) -> Result<()>;
    async fn search(&self, search: SearchLoggedModels) -> Result<Page<LoggedModel>>;
}
