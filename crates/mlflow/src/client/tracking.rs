//! [`Tracking`] on the REST API: each method is one request of its resource's file.

use async_trait::async_trait;

use super::{RestClient, experiments, logged_models, registry, runs};
use crate::entities::{
    DatasetInput, DatasetSummary, Experiment, LoggedModel, LoggedModelStatus, Metric, ModelInput,
    ModelOutput, ModelVersion, Param, RegisteredModel, Run, RunInfo, Tag,
};
use crate::{
    CreateLoggedModel, CreateModelVersion, CreateRun, LogBatch, MetricHistoryPage, Page, Result,
    SearchExperiments, SearchLoggedModels, SearchModelVersions, SearchRegisteredModels, SearchRuns,
    Tracking, UpdateRun,
};

#[async_trait]
impl Tracking for RestClient {
    async fn create_experiment(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String> {
        experiments::create(&self.http, name, artifact_location, tags).await
    }

    async fn get_experiment(&self, experiment_id: &str) -> Result<Experiment> {
        experiments::get(&self.http, experiment_id).await
    }

    async fn get_experiment_by_name(&self, name: &str) -> Result<Experiment> {
        experiments::get_by_name(&self.http, name).await
    }

    async fn search_experiments(&self, search: SearchExperiments) -> Result<Page<Experiment>> {
        experiments::search(&self.http, search).await
    }

    async fn rename_experiment(&self, experiment_id: &str, new_name: &str) -> Result<()> {
        experiments::rename(&self.http, experiment_id, new_name).await
    }

    async fn delete_experiment(&self, experiment_id: &str) -> Result<()> {
        experiments::delete(&self.http, experiment_id).await
    }

    async fn restore_experiment(&self, experiment_id: &str) -> Result<()> {
        experiments::restore(&self.http, experiment_id).await
    }

    async fn set_experiment_tag(&self, experiment_id: &str, tag: Tag) -> Result<()> {
        experiments::set_tag(&self.http, experiment_id, &tag).await
    }

    async fn delete_experiment_tag(&self, experiment_id: &str, key: &str) -> Result<()> {
        experiments::delete_tag(&self.http, experiment_id, key).await
    }

    async fn search_datasets(&self, experiment_ids: &[String]) -> Result<Vec<DatasetSummary>> {
        experiments::search_datasets(&self.http, experiment_ids).await
    }

    async fn create_run(&self, run: CreateRun) -> Result<Run> {
        runs::create(&self.http, run).await
    }

    async fn get_run(&self, run_id: &str) -> Result<Run> {
        runs::get(&self.http, run_id).await
    }

    async fn update_run(&self, update: UpdateRun) -> Result<RunInfo> {
        runs::update(&self.http, update).await
    }

    async fn delete_run(&self, run_id: &str) -> Result<()> {
        runs::delete(&self.http, run_id).await
    }

    async fn restore_run(&self, run_id: &str) -> Result<()> {
        runs::restore(&self.http, run_id).await
    }

    async fn search_runs(&self, search: SearchRuns) -> Result<Page<Run>> {
        runs::search(&self.http, search).await
    }

    async fn log_metric(&self, run_id: &str, metric: Metric) -> Result<()> {
        runs::log_metric(&self.http, run_id, metric).await
    }

    async fn log_param(&self, run_id: &str, param: Param) -> Result<()> {
        runs::log_param(&self.http, run_id, param).await
    }

    async fn set_tag(&self, run_id: &str, tag: Tag) -> Result<()> {
        runs::set_tag(&self.http, run_id, tag).await
    }

    async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()> {
        runs::delete_tag(&self.http, run_id, key).await
    }

    async fn log_batch(&self, run_id: &str, batch: LogBatch) -> Result<()> {
        runs::log_batch(&self.http, run_id, batch).await
    }

    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> Result<()> {
        runs::log_inputs(&self.http, run_id, datasets, models).await
    }

    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()> {
        runs::log_outputs(&self.http, run_id, models).await
    }

    async fn get_metric_history(
        &self,
        run_id: &str,
        key: &str,
        page: MetricHistoryPage,
    ) -> Result<Page<Metric>> {
        runs::metric_history(&self.http, run_id, key, page).await
    }

    async fn create_logged_model(&self, model: CreateLoggedModel) -> Result<LoggedModel> {
        logged_models::create(&self.http, model).await
    }

    async fn get_logged_model(&self, model_id: &str) -> Result<LoggedModel> {
        logged_models::get(&self.http, model_id).await
    }

    async fn finalize_logged_model(
        &self,
        model_id: &str,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel> {
        logged_models::finalize(&self.http, model_id, status).await
    }

    async fn delete_logged_model(&self, model_id: &str) -> Result<()> {
        logged_models::delete(&self.http, model_id).await
    }

    async fn set_logged_model_tags(&self, model_id: &str, tags: Vec<Tag>) -> Result<()> {
        logged_models::set_tags(&self.http, model_id, tags).await
    }

    async fn delete_logged_model_tag(&self, model_id: &str, key: &str) -> Result<()> {
        logged_models::delete_tag(&self.http, model_id, key).await
    }

    async fn log_logged_model_params(&self, model_id: &str, params: Vec<Param>) -> Result<()> {
        logged_models::log_params(&self.http, model_id, params).await
    }

    async fn search_logged_models(&self, search: SearchLoggedModels) -> Result<Page<LoggedModel>> {
        logged_models::search(&self.http, search).await
    }

    async fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        registry::create_model(&self.http, name, tags, description).await
    }

    async fn get_registered_model(&self, name: &str) -> Result<RegisteredModel> {
        registry::get_model(&self.http, name).await
    }

    async fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<RegisteredModel> {
        registry::rename_model(&self.http, name, new_name).await
    }

    async fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        registry::update_model(&self.http, name, description).await
    }

    async fn delete_registered_model(&self, name: &str) -> Result<()> {
        registry::delete_model(&self.http, name).await
    }

    async fn search_registered_models(
        &self,
        search: SearchRegisteredModels,
    ) -> Result<Page<RegisteredModel>> {
        registry::search_models(&self.http, search).await
    }

    async fn set_registered_model_tag(&self, name: &str, tag: Tag) -> Result<()> {
        registry::set_model_tag(&self.http, name, &tag).await
    }

    async fn delete_registered_model_tag(&self, name: &str, key: &str) -> Result<()> {
        registry::delete_model_tag(&self.http, name, key).await
    }

    async fn set_registered_model_alias(
        &self,
        name: &str,
        alias: &str,
        version: &str,
    ) -> Result<()> {
        registry::set_alias(&self.http, name, alias, version).await
    }

    async fn delete_registered_model_alias(&self, name: &str, alias: &str) -> Result<()> {
        registry::delete_alias(&self.http, name, alias).await
    }

    async fn get_model_version_by_alias(&self, name: &str, alias: &str) -> Result<ModelVersion> {
        registry::get_version_by_alias(&self.http, name, alias).await
    }

    async fn get_latest_versions(
        &self,
        name: &str,
        stages: &[String],
    ) -> Result<Vec<ModelVersion>> {
        registry::latest_versions(&self.http, name, stages).await
    }

    async fn create_model_version(&self, version: CreateModelVersion) -> Result<ModelVersion> {
        registry::create_version(&self.http, version).await
    }

    async fn get_model_version(&self, name: &str, version: &str) -> Result<ModelVersion> {
        registry::get_version(&self.http, name, version).await
    }

    async fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Result<ModelVersion> {
        registry::update_version(&self.http, name, version, description).await
    }

    async fn transition_model_version_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive_existing_versions: bool,
    ) -> Result<ModelVersion> {
        registry::transition_stage(&self.http, name, version, stage, archive_existing_versions)
            .await
    }

    async fn delete_model_version(&self, name: &str, version: &str) -> Result<()> {
        registry::delete_version(&self.http, name, version).await
    }

    async fn search_model_versions(
        &self,
        search: SearchModelVersions,
    ) -> Result<Page<ModelVersion>> {
        registry::search_versions(&self.http, search).await
    }

    async fn set_model_version_tag(&self, name: &str, version: &str, tag: Tag) -> Result<()> {
        registry::set_version_tag(&self.http, name, version, &tag).await
    }

    async fn delete_model_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()> {
        registry::delete_version_tag(&self.http, name, version, key).await
    }

    async fn get_model_version_download_uri(&self, name: &str, version: &str) -> Result<String> {
        registry::download_uri(&self.http, name, version).await
    }
}
