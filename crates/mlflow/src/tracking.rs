//! What a tracking server and registry does, as one trait.

use async_trait::async_trait;

use crate::Result;
use crate::artifacts::Artifacts;
use crate::entities::{
    DatasetInput, DatasetSummary, Experiment, LoggedModel, LoggedModelStatus, Metric, ModelInput,
    ModelOutput, ModelVersion, Param, RegisteredModel, Run, RunInfo, RunStatus, Tag, ViewType,
};

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque; pass it back to get the next page. None on the last page.
    pub next_page_token: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next_page_token: None }
    }
}

/// Arguments of [`Tracking::search_experiments`].
#[derive(Debug, Clone, Default)]
pub struct SearchExperiments {
    pub view_type: ViewType,
    /// 1 to 50,000; 1,000 if none.
    pub max_results: Option<i64>,
    pub filter: String,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// Arguments of [`Tracking::create_run`].
#[derive(Debug, Clone, Default)]
pub struct CreateRun {
    pub experiment_id: String,
    pub user_id: String,
    /// A random name if none.
    pub run_name: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub start_time: i64,
    pub tags: Vec<Tag>,
}

/// Arguments of [`Tracking::update_run`]; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateRun {
    pub run_id: String,
    pub status: Option<RunStatus>,
    pub end_time: Option<i64>,
    pub run_name: Option<String>,
}

/// Arguments of [`Tracking::log_batch`].
#[derive(Debug, Clone, Default)]
pub struct LogBatch {
    pub metrics: Vec<Metric>,
    pub params: Vec<Param>,
    pub tags: Vec<Tag>,
}

/// Arguments of [`Tracking::search_runs`].
#[derive(Debug, Clone, Default)]
pub struct SearchRuns {
    pub experiment_ids: Vec<String>,
    pub filter: String,
    pub view_type: ViewType,
    /// 1 to 50,000; 1,000 if none.
    pub max_results: Option<i64>,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// Which part of a metric's history to return.
#[derive(Debug, Clone, Default)]
pub struct MetricHistoryPage {
    /// Everything if none.
    pub max_results: Option<i64>,
    pub page_token: Option<String>,
}

/// Arguments of [`Tracking::create_logged_model`].
#[derive(Debug, Clone, Default)]
pub struct CreateLoggedModel {
    pub experiment_id: String,
    /// A random name if none.
    pub name: Option<String>,
    pub model_type: Option<String>,
    pub source_run_id: Option<String>,
    pub params: Vec<Param>,
    pub tags: Vec<Tag>,
}

/// Arguments of [`Tracking::search_logged_models`].
#[derive(Debug, Clone, Default)]
pub struct SearchLoggedModels {
    pub experiment_ids: Vec<String>,
    pub filter: String,
    /// (name, digest) pairs that narrow which metrics the filter looks at.
    pub datasets: Vec<(String, Option<String>)>,
    /// 50 if none.
    pub max_results: Option<i64>,
    /// (field, ascending, dataset name, dataset digest).
    pub order_by: Vec<(String, bool, Option<String>, Option<String>)>,
    pub page_token: Option<String>,
}

/// Arguments of [`Tracking::create_model_version`].
#[derive(Debug, Clone, Default)]
pub struct CreateModelVersion {
    pub name: String,
    /// `models:/m-…`, `runs:/…`, or an artifact URI of the run or model.
    pub source: String,
    pub run_id: Option<String>,
    pub model_id: Option<String>,
    pub run_link: Option<String>,
    pub description: Option<String>,
    pub tags: Vec<Tag>,
}

/// Arguments of [`Tracking::search_registered_models`].
#[derive(Debug, Clone, Default)]
pub struct SearchRegisteredModels {
    pub filter: String,
    /// 100 if none, at most 1,000.
    pub max_results: Option<i64>,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// Arguments of [`Tracking::search_model_versions`].
#[derive(Debug, Clone, Default)]
pub struct SearchModelVersions {
    pub filter: String,
    /// At most 200,000, which is also the default.
    pub max_results: Option<i64>,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// Experiments, runs, logged models, the registry and their artifacts.
///
/// Methods, limits, defaults and errors are those of MLflow 3.17's REST API; see
/// `docs/mlflow-compatibility.md`. What a method acknowledged is durable.
#[async_trait]
pub trait Tracking: Artifacts {
    /// Whether writes would be kept, as far as is known without asking anybody: what a server says of
    /// its health. This default is that they would.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    // Experiments
    async fn create_experiment(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String>;
    async fn get_experiment(&self, experiment_id: &str) -> Result<Experiment>;
    async fn get_experiment_by_name(&self, name: &str) -> Result<Experiment>;
    async fn search_experiments(&self, search: SearchExperiments) -> Result<Page<Experiment>>;
    async fn rename_experiment(&self, experiment_id: &str, new_name: &str) -> Result<()>;
    async fn delete_experiment(&self, experiment_id: &str) -> Result<()>;
    async fn restore_experiment(&self, experiment_id: &str) -> Result<()>;
    async fn set_experiment_tag(&self, experiment_id: &str, tag: Tag) -> Result<()>;
    async fn delete_experiment_tag(&self, experiment_id: &str, key: &str) -> Result<()>;
    async fn search_datasets(&self, experiment_ids: &[String]) -> Result<Vec<DatasetSummary>>;

    // Runs
    async fn create_run(&self, run: CreateRun) -> Result<Run>;
    async fn get_run(&self, run_id: &str) -> Result<Run>;
    async fn update_run(&self, update: UpdateRun) -> Result<RunInfo>;
    async fn delete_run(&self, run_id: &str) -> Result<()>;
    async fn restore_run(&self, run_id: &str) -> Result<()>;
    async fn search_runs(&self, search: SearchRuns) -> Result<Page<Run>>;
    /// Number of the runs that a search would find, whatever its page. This default pages through
    /// all of them.
    async fn count_runs(&self, search: SearchRuns) -> Result<i64> {
        let mut count = 0;
        let mut page_token = None;
        loop {
            let page = SearchRuns { max_results: Some(50_000), page_token, ..search.clone() };
            let found = self.search_runs(page).await?;
            count += i64::try_from(found.items.len()).unwrap_or(i64::MAX);
            page_token = found.next_page_token;
            if page_token.is_none() {
                return Ok(count);
            }
        }
    }
    async fn log_metric(&self, run_id: &str, metric: Metric) -> Result<()>;
    async fn log_param(&self, run_id: &str, param: Param) -> Result<()>;
    async fn set_tag(&self, run_id: &str, tag: Tag) -> Result<()>;
    async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()>;
    async fn log_batch(&self, run_id: &str, batch: LogBatch) -> Result<()>;
    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> Result<()>;
    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()>;
    /// Ordered by timestamp, step, value. An unknown run or key has no history.
    async fn get_metric_history(
        &self,
        run_id: &str,
        key: &str,
        page: MetricHistoryPage,
    ) -> Result<Page<Metric>>;

    // Logged models
    async fn create_logged_model(&self, model: CreateLoggedModel) -> Result<LoggedModel>;
    async fn get_logged_model(&self, model_id: &str) -> Result<LoggedModel>;
    /// The same for a model that may have been deleted, where deleted ones can still be seen.
    async fn get_logged_model_or_deleted(&self, model_id: &str) -> Result<LoggedModel> {
        self.get_logged_model(model_id).await
    }
    async fn finalize_logged_model(
        &self,
        model_id: &str,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel>;
    async fn delete_logged_model(&self, model_id: &str) -> Result<()>;
    async fn set_logged_model_tags(&self, model_id: &str, tags: Vec<Tag>) -> Result<()>;
    async fn delete_logged_model_tag(&self, model_id: &str, key: &str) -> Result<()>;
    async fn log_logged_model_params(&self, model_id: &str, params: Vec<Param>) -> Result<()>;
    async fn search_logged_models(&self, search: SearchLoggedModels) -> Result<Page<LoggedModel>>;

    // Registry
    async fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel>;
    async fn get_registered_model(&self, name: &str) -> Result<RegisteredModel>;
    async fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<RegisteredModel>;
    async fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<RegisteredModel>;
    async fn delete_registered_model(&self, name: &str) -> Result<()>;
    async fn search_registered_models(
        &self,
        search: SearchRegisteredModels,
    ) -> Result<Page<RegisteredModel>>;
    async fn set_registered_model_tag(&self, name: &str, tag: Tag) -> Result<()>;
    async fn delete_registered_model_tag(&self, name: &str, key: &str) -> Result<()>;
    async fn set_registered_model_alias(
        &self,
        name: &str,
        alias: &str,
        version: &str,
    ) -> Result<()>;
    async fn delete_registered_model_alias(&self, name: &str, alias: &str) -> Result<()>;
    async fn get_model_version_by_alias(&self, name: &str, alias: &str) -> Result<ModelVersion>;
    /// Highest version of each of `stages` (all stages if empty).
    async fn get_latest_versions(&self, name: &str, stages: &[String])
    -> Result<Vec<ModelVersion>>;
    async fn create_model_version(&self, version: CreateModelVersion) -> Result<ModelVersion>;
    async fn get_model_version(&self, name: &str, version: &str) -> Result<ModelVersion>;
    async fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Result<ModelVersion>;
    async fn transition_model_version_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive_existing_versions: bool,
    ) -> Result<ModelVersion>;
    async fn delete_model_version(&self, name: &str, version: &str) -> Result<()>;
    async fn search_model_versions(
        &self,
        search: SearchModelVersions,
    ) -> Result<Page<ModelVersion>>;
    async fn set_model_version_tag(&self, name: &str, version: &str, tag: Tag) -> Result<()>;
    async fn delete_model_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()>;
    /// Artifact URI of the version's model folder.
    async fn get_model_version_download_uri(&self, name: &str, version: &str) -> Result<String>;
}
