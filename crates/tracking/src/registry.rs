//! The registry in a database of its own (`--registry-store-uri`): runs and logged models are asked
//! of one store, registered models and their versions of the other.

use std::sync::Arc;

use async_trait::async_trait;
use trainyard_mlflow::artifacts::{ArtifactFile, Artifacts, ByteRange, ByteStream, DirectFile};
use trainyard_mlflow::entities::{
    DatasetInput, DatasetSummary, Experiment, FileInfo, LoggedModel, LoggedModelStatus, Metric,
    ModelInput, ModelOutput, ModelVersion, Param, RegisteredModel, Run, RunInfo, Tag,
};
use trainyard_mlflow::{
    CreateLoggedModel, CreateModelVersion, CreateRun, LogBatch, MetricHistoryPage, Page, Result,
    SearchExperiments, SearchLoggedModels, SearchModelVersions, SearchRegisteredModels, SearchRuns,
    Tracking, UpdateRun,
};

use crate::store::SqlStore;

/// Two stores as one.
#[derive(Debug)]
pub(crate) struct WithRegistry {
    tracking: SqlStore,
    registry: SqlStore,
}

impl WithRegistry {
    /// Experiments, runs, logged models and artifacts of `tracking`, the registry of `registry`.
    pub(crate) fn new(tracking: SqlStore, registry: SqlStore) -> Self {
        Self { tracking, registry }
    }

    /// The same databases with other artifacts.
    pub(crate) fn with_artifacts(&self, artifacts: &Arc<dyn Artifacts>) -> Self {
        Self {
            tracking: self.tracking.with_artifacts(Arc::clone(artifacts)),
            registry: self.registry.with_artifacts(Arc::clone(artifacts)),
        }
    }

    /// What a new version takes over from the logged model it is made of, which the registry's
    /// database does not have: its run, and where its files are.
    async fn resolved(
        &self,
        mut version: CreateModelVersion,
    ) -> Result<(CreateModelVersion, Option<String>)> {
        let path = version.source.strip_prefix("models:/").unwrap_or_default();
        let source_id = (!path.is_empty() && !path.contains(['/', '@'])).then(|| path.to_owned());
        let mut location = None;
        if let Some(model_id) = &source_id {
            let model = self.tracking.get_logged_model(model_id).await?;
            version.run_id =
                version.run_id.filter(|id| !id.is_empty()).or(model.info.source_run_id);
            location = Some(model.info.artifact_uri);
        }
        if let Some(model_id) = version.model_id.take().filter(|id| !id.is_empty())
            && version.run_id.is_none()
        {
            version.run_id = self.tracking.get_logged_model(&model_id).await?.info.source_run_id;
        }
        Ok((version, location))
    }
}

#[async_trait]
impl Tracking for WithRegistry {
    async fn health(&self) -> Result<()> {
        self.tracking.health().await?;
        self.registry.health().await
    }

    // Experiments

    async fn create_experiment(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String> {
        self.tracking.create_experiment(name, artifact_location, tags).await
    }

    async fn get_experiment(&self, experiment_id: &str) -> Result<Experiment> {
        self.tracking.get_experiment(experiment_id).await
    }

    async fn get_experiment_by_name(&self, name: &str) -> Result<Experiment> {
        self.tracking.get_experiment_by_name(name).await
    }

    async fn search_experiments(&self, search: SearchExperiments) -> Result<Page<Experiment>> {
        self.tracking.search_experiments(search).await
    }

    async fn rename_experiment(&self, experiment_id: &str, new_name: &str) -> Result<()> {
        self.tracking.rename_experiment(experiment_id, new_name).await
    }

    async fn delete_experiment(&self, experiment_id: &str) -> Result<()> {
        self.tracking.delete_experiment(experiment_id).await
    }

    async fn restore_experiment(&self, experiment_id: &str) -> Result<()> {
        self.tracking.restore_experiment(experiment_id).await
    }

    async fn set_experiment_tag(&self, experiment_id: &str, tag: Tag) -> Result<()> {
        self.tracking.set_experiment_tag(experiment_id, tag).await
    }

    async fn delete_experiment_tag(&self, experiment_id: &str, key: &str) -> Result<()> {
        self.tracking.delete_experiment_tag(experiment_id, key).await
    }

    async fn search_datasets(&self, experiment_ids: &[String]) -> Result<Vec<DatasetSummary>> {
        self.tracking.search_datasets(experiment_ids).await
    }

    // Runs

    async fn create_run(&self, run: CreateRun) -> Result<Run> {
        self.tracking.create_run(run).await
    }

    async fn get_run(&self, run_id: &str) -> Result<Run> {
        self.tracking.get_run(run_id).await
    }

    async fn update_run(&self, update: UpdateRun) -> Result<RunInfo> {
        self.tracking.update_run(update).await
    }

    async fn delete_run(&self, run_id: &str) -> Result<()> {
        self.tracking.delete_run(run_id).await
    }

    async fn restore_run(&self, run_id: &str) -> Result<()> {
        self.tracking.restore_run(run_id).await
    }

    async fn search_runs(&self, search: SearchRuns) -> Result<Page<Run>> {
        self.tracking.search_runs(search).await
    }

    async fn count_runs(&self, search: SearchRuns) -> Result<i64> {
        self.tracking.count_runs(search).await
    }

    async fn log_metric(&self, run_id: &str, metric: Metric) -> Result<()> {
        self.tracking.log_metric(run_id, metric).await
    }

    async fn log_param(&self, run_id: &str, param: Param) -> Result<()> {
        self.tracking.log_param(run_id, param).await
    }

    async fn set_tag(&self, run_id: &str, tag: Tag) -> Result<()> {
        self.tracking.set_tag(run_id, tag).await
    }

    async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()> {
        self.tracking.delete_tag(run_id, key).await
    }

    async fn log_batch(&self, run_id: &str, batch: LogBatch) -> Result<()> {
        self.tracking.log_batch(run_id, batch).await
    }

    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> Result<()> {
        self.tracking.log_inputs(run_id, datasets, models).await
    }

    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()> {
        self.tracking.log_outputs(run_id, models).await
    }

    async fn get_metric_history(
        &self,
        run_id: &str,
        key: &str,
        page: MetricHistoryPage,
    ) -> Result<Page<Metric>> {
        self.tracking.get_metric_history(run_id, key, page).await
    }

    // Logged models

    async fn create_logged_model(&self, model: CreateLoggedModel) -> Result<LoggedModel> {
        self.tracking.create_logged_model(model).await
    }

    async fn get_logged_model(&self, model_id: &str) -> Result<LoggedModel> {
        self.tracking.get_logged_model(model_id).await
    }

    async fn get_logged_model_or_deleted(&self, model_id: &str) -> Result<LoggedModel> {
        self.tracking.get_logged_model_or_deleted(model_id).await
    }

    async fn finalize_logged_model(
        &self,
        model_id: &str,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel> {
        self.tracking.finalize_logged_model(model_id, status).await
    }

    async fn delete_logged_model(&self, model_id: &str) -> Result<()> {
        self.tracking.delete_logged_model(model_id).await
    }

    async fn set_logged_model_tags(&self, model_id: &str, tags: Vec<Tag>) -> Result<()> {
        self.tracking.set_logged_model_tags(model_id, tags).await
    }

    async fn delete_logged_model_tag(&self, model_id: &str, key: &str) -> Result<()> {
        self.tracking.delete_logged_model_tag(model_id, key).await
    }

    async fn log_logged_model_params(&self, model_id: &str, params: Vec<Param>) -> Result<()> {
        self.tracking.log_logged_model_params(model_id, params).await
    }

    async fn search_logged_models(&self, search: SearchLoggedModels) -> Result<Page<LoggedModel>> {
        self.tracking.search_logged_models(search).await
    }

    // Registry

    async fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        self.registry.create_registered_model(name, tags, description).await
    }

    async fn get_registered_model(&self, name: &str) -> Result<RegisteredModel> {
        self.registry.get_registered_model(name).await
    }

    async fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<RegisteredModel> {
        self.registry.rename_registered_model(name, new_name).await
    }

    async fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        self.registry.update_registered_model(name, description).await
    }

    async fn delete_registered_model(&self, name: &str) -> Result<()> {
        self.registry.delete_registered_model(name).await
    }

    async fn search_registered_models(
        &self,
        search: SearchRegisteredModels,
    ) -> Result<Page<RegisteredModel>> {
        self.registry.search_registered_models(search).await
    }

    async fn set_registered_model_tag(&self, name: &str, tag: Tag) -> Result<()> {
        self.registry.set_registered_model_tag(name, tag).await
    }

    async fn delete_registered_model_tag(&self, name: &str, key: &str) -> Result<()> {
        self.registry.delete_registered_model_tag(name, key).await
    }

    async fn set_registered_model_alias(
        &self,
        name: &str,
        alias: &str,
        version: &str,
    ) -> Result<()> {
        self.registry.set_registered_model_alias(name, alias, version).await
    }

    async fn delete_registered_model_alias(&self, name: &str, alias: &str) -> Result<()> {
        self.registry.delete_registered_model_alias(name, alias).await
    }

    async fn get_model_version_by_alias(&self, name: &str, alias: &str) -> Result<ModelVersion> {
        self.registry.get_model_version_by_alias(name, alias).await
    }

    async fn get_latest_versions(
        &self,
        name: &str,
        stages: &[String],
    ) -> Result<Vec<ModelVersion>> {
        self.registry.get_latest_versions(name, stages).await
    }

    async fn create_model_version(&self, version: CreateModelVersion) -> Result<ModelVersion> {
        let (version, location) = self.resolved(version).await?;
        self.registry.create_model_version_at(version, location).await
    }

    async fn get_model_version(&self, name: &str, version: &str) -> Result<ModelVersion> {
        self.registry.get_model_version(name, version).await
    }

    async fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Result<ModelVersion> {
        self.registry.update_model_version(name, version, description).await
    }

    async fn transition_model_version_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive_existing_versions: bool,
    ) -> Result<ModelVersion> {
        self.registry
            .transition_model_version_stage(name, version, stage, archive_existing_versions)
            .await
    }

    async fn delete_model_version(&self, name: &str, version: &str) -> Result<()> {
        self.registry.delete_model_version(name, version).await
    }

    async fn search_model_versions(
        &self,
        search: SearchModelVersions,
    ) -> Result<Page<ModelVersion>> {
        self.registry.search_model_versions(search).await
    }

    async fn set_model_version_tag(&self, name: &str, version: &str, tag: Tag) -> Result<()> {
        self.registry.set_model_version_tag(name, version, tag).await
    }

    async fn delete_model_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()> {
        self.registry.delete_model_version_tag(name, version, key).await
    }

    async fn get_model_version_download_uri(&self, name: &str, version: &str) -> Result<String> {
        self.registry.get_model_version_download_uri(name, version).await
    }
}

#[async_trait]
impl Artifacts for WithRegistry {
    async fn list_artifacts(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>> {
        self.tracking.list_artifacts(root_uri, path).await
    }

    async fn download_artifact(&self, root_uri: &str, path: &str) -> Result<ByteStream> {
        self.tracking.download_artifact(root_uri, path).await
    }

    async fn open_artifact(
        &self,
        root_uri: &str,
        path: &str,
        range: Option<ByteRange>,
    ) -> Result<ArtifactFile> {
        self.tracking.open_artifact(root_uri, path, range).await
    }

    async fn upload_artifact(&self, root_uri: &str, path: &str, body: ByteStream) -> Result<()> {
        self.tracking.upload_artifact(root_uri, path, body).await
    }

    async fn delete_artifact(&self, root_uri: &str, path: &str) -> Result<()> {
        self.tracking.delete_artifact(root_uri, path).await
    }

    async fn direct_file(&self, root_uri: &str, path: &str) -> Result<Option<Box<dyn DirectFile>>> {
        self.tracking.direct_file(root_uri, path).await
    }
}
