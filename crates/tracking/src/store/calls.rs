//! The calls of [`Tracking`] and [`Artifacts`] on the store: what is asked goes to the database as
//! one read or one write, artifacts go to the artifact storage.

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

use super::database::Connection;
use super::logged_models::Deleted;
use super::permits::Reading;
use super::{
    SqlStore, experiments, inputs, logged_models, metrics, model_versions, reading,
    registered_models, runs, search_runs, searches, validate,
};

#[async_trait]
impl Tracking for SqlStore {
    async fn health(&self) -> Result<()> {
        self.condition()
    }

    async fn create_experiment(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String> {
        validate::experiment_name(name)?;
        let location = artifact_location.filter(|location| !location.is_empty());
        let location = location.map(absolute).transpose()?;
        tags.iter().try_for_each(validate::experiment_tag)?;
        let (name, tags) = (name.to_owned(), tags.to_vec());
        let root = self.artifact_root.clone();
        let write = move |connection: &mut dyn Connection| {
            experiments::create(connection, &name, location.as_deref(), &tags, &root)
        };
        Ok(self.database.write(write).await?)
    }

    async fn get_experiment(&self, experiment_id: &str) -> Result<Experiment> {
        let experiment_id = experiment_id.to_owned();
        let read =
            move |connection: &mut dyn Connection| experiments::get(connection, &experiment_id);
        Ok(self.database.read(read).await?)
    }

    async fn get_experiment_by_name(&self, name: &str) -> Result<Experiment> {
        let name = name.to_owned();
        let read =
            move |connection: &mut dyn Connection| experiments::get_by_name(connection, &name);
        Ok(self.database.read(read).await?)
    }

    async fn search_experiments(&self, search: SearchExperiments) -> Result<Page<Experiment>> {
        let reading = reading(&search.filter);
        let read =
            move |connection: &mut dyn Connection| searches::experiments(connection, &search);
        Ok(self.database.read_many(reading, read).await?)
    }

    async fn rename_experiment(&self, experiment_id: &str, new_name: &str) -> Result<()> {
        let experiment_id = experiment_id.to_owned();
        let new_name = new_name.to_owned();
        let write = move |connection: &mut dyn Connection| {
            experiments::rename(connection, &experiment_id, &new_name)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_experiment(&self, experiment_id: &str) -> Result<()> {
        let experiment_id = experiment_id.to_owned();
        let write =
            move |connection: &mut dyn Connection| experiments::delete(connection, &experiment_id);
        Ok(self.database.write(write).await?)
    }

    async fn restore_experiment(&self, experiment_id: &str) -> Result<()> {
        let experiment_id = experiment_id.to_owned();
        let write =
            move |connection: &mut dyn Connection| experiments::restore(connection, &experiment_id);
        Ok(self.database.write(write).await?)
    }

    async fn set_experiment_tag(&self, experiment_id: &str, tag: Tag) -> Result<()> {
        let experiment_id = experiment_id.to_owned();
        let write = move |connection: &mut dyn Connection| {
            experiments::set_tag(connection, &experiment_id, &tag)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_experiment_tag(&self, experiment_id: &str, key: &str) -> Result<()> {
        let experiment_id = experiment_id.to_owned();
        let key = key.to_owned();
        let write = move |connection: &mut dyn Connection| {
            experiments::delete_tag(connection, &experiment_id, &key)
        };
        Ok(self.database.write(write).await?)
    }

    async fn search_datasets(&self, experiment_ids: &[String]) -> Result<Vec<DatasetSummary>> {
        let experiment_ids = experiment_ids.to_vec();
        let read = move |connection: &mut dyn Connection| {
            inputs::search_datasets(connection, &experiment_ids)
        };
        Ok(self.database.read_many(Reading::Listing, read).await?)
    }

    async fn create_run(&self, run: CreateRun) -> Result<Run> {
        let write = move |connection: &mut dyn Connection| runs::create(connection, run.clone());
        Ok(self.database.write(write).await?)
    }

    async fn get_run(&self, run_id: &str) -> Result<Run> {
        let run_id = run_id.to_owned();
        let read = move |connection: &mut dyn Connection| runs::get(connection, &run_id);
        Ok(self.database.read(read).await?)
    }

    async fn update_run(&self, update: UpdateRun) -> Result<RunInfo> {
        let write = move |connection: &mut dyn Connection| runs::update(connection, &update);
        Ok(self.database.write(write).await?)
    }

    async fn delete_run(&self, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let write = move |connection: &mut dyn Connection| runs::delete(connection, &run_id);
        Ok(self.database.write(write).await?)
    }

    async fn restore_run(&self, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let write = move |connection: &mut dyn Connection| runs::restore(connection, &run_id);
        Ok(self.database.write(write).await?)
    }

    async fn search_runs(&self, search: SearchRuns) -> Result<Page<Run>> {
        let reading = reading(&search.filter);
        let read = move |connection: &mut dyn Connection| search_runs::search(connection, &search);
        Ok(self.database.read_many(reading, read).await?)
    }

    async fn log_metric(&self, run_id: &str, metric: Metric) -> Result<()> {
        let run_id = run_id.to_owned();
        let write =
            move |connection: &mut dyn Connection| metrics::log_one(connection, &run_id, &metric);
        Ok(self.database.write(write).await?)
    }

    async fn log_param(&self, run_id: &str, param: Param) -> Result<()> {
        let run_id = run_id.to_owned();
        let long_values = self.long_values;
        let write = move |connection: &mut dyn Connection| {
            runs::log_param(connection, &run_id, param.clone(), long_values)
        };
        Ok(self.database.write(write).await?)
    }

    async fn set_tag(&self, run_id: &str, tag: Tag) -> Result<()> {
        let run_id = run_id.to_owned();
        let long_values = self.long_values;
        let write = move |connection: &mut dyn Connection| {
            runs::set_tag(connection, &run_id, tag.clone(), long_values)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let key = key.to_owned();
        let write =
            move |connection: &mut dyn Connection| runs::delete_tag(connection, &run_id, &key);
        Ok(self.database.write(write).await?)
    }

    async fn log_batch(&self, run_id: &str, mut batch: LogBatch) -> Result<()> {
        // Checked here rather than on the one thread that writes.
        validate::run_id(run_id)?;
        validate::batch(&mut batch, self.long_values)?;
        let run_id = run_id.to_owned();
        let write =
            move |connection: &mut dyn Connection| runs::log_batch(connection, &run_id, &batch);
        Ok(self.database.write(write).await?)
    }

    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> Result<()> {
        let run_id = run_id.to_owned();
        let write = move |connection: &mut dyn Connection| {
            inputs::log(connection, &run_id, &datasets, &models)
        };
        Ok(self.database.write(write).await?)
    }

    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()> {
        let run_id = run_id.to_owned();
        let write = move |connection: &mut dyn Connection| {
            inputs::log_outputs(connection, &run_id, &models)
        };
        Ok(self.database.write(write).await?)
    }

    async fn get_metric_history(
        &self,
        run_id: &str,
        key: &str,
        page: MetricHistoryPage,
    ) -> Result<Page<Metric>> {
        let run_id = run_id.to_owned();
        let key = key.to_owned();
        let read = move |connection: &mut dyn Connection| {
            metrics::history(connection, &run_id, &key, &page)
        };
        Ok(self.database.read_many(Reading::Listing, read).await?)
    }

    async fn create_logged_model(&self, model: CreateLoggedModel) -> Result<LoggedModel> {
        let write =
            move |connection: &mut dyn Connection| logged_models::create(connection, &model);
        Ok(self.database.write(write).await?)
    }

    async fn get_logged_model(&self, model_id: &str) -> Result<LoggedModel> {
        let model_id = model_id.to_owned();
        let read = move |connection: &mut dyn Connection| {
            logged_models::get(connection, &model_id, Deleted::Hidden)
        };
        Ok(self.database.read(read).await?)
    }

    async fn count_runs(&self, search: SearchRuns) -> Result<i64> {
        Self::count_runs(self, search).await
    }

    async fn get_logged_model_or_deleted(&self, model_id: &str) -> Result<LoggedModel> {
        Self::get_logged_model_or_deleted(self, model_id).await
    }

    async fn finalize_logged_model(
        &self,
        model_id: &str,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel> {
        let model_id = model_id.to_owned();
        let write = move |connection: &mut dyn Connection| {
            logged_models::finalize(connection, &model_id, status)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_logged_model(&self, model_id: &str) -> Result<()> {
        let model_id = model_id.to_owned();
        let write =
            move |connection: &mut dyn Connection| logged_models::delete(connection, &model_id);
        Ok(self.database.write(write).await?)
    }

    async fn set_logged_model_tags(&self, model_id: &str, tags: Vec<Tag>) -> Result<()> {
        let model_id = model_id.to_owned();
        let write = move |connection: &mut dyn Connection| {
            logged_models::set_tags(connection, &model_id, &tags)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_logged_model_tag(&self, model_id: &str, key: &str) -> Result<()> {
        let model_id = model_id.to_owned();
        let key = key.to_owned();
        let write = move |connection: &mut dyn Connection| {
            logged_models::delete_tag(connection, &model_id, &key)
        };
        Ok(self.database.write(write).await?)
    }

    async fn log_logged_model_params(&self, model_id: &str, params: Vec<Param>) -> Result<()> {
        let model_id = model_id.to_owned();
        let write = move |connection: &mut dyn Connection| {
            logged_models::log_params(connection, &model_id, &params)
        };
        Ok(self.database.write(write).await?)
    }

    async fn search_logged_models(&self, search: SearchLoggedModels) -> Result<Page<LoggedModel>> {
        let reading = reading(&search.filter);
        let read =
            move |connection: &mut dyn Connection| searches::logged_models(connection, &search);
        Ok(self.database.read_many(reading, read).await?)
    }

    async fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        let name = name.to_owned();
        let tags = tags.to_vec();
        let description = description.map(str::to_owned);
        let write = move |connection: &mut dyn Connection| {
            registered_models::create(connection, &name, &tags, description.as_deref())
        };
        Ok(self.database.write(write).await?)
    }

    async fn get_registered_model(&self, name: &str) -> Result<RegisteredModel> {
        let name = name.to_owned();
        let read = move |connection: &mut dyn Connection| registered_models::get(connection, &name);
        Ok(self.database.read(read).await?)
    }

    async fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<RegisteredModel> {
        let name = name.to_owned();
        let new_name = new_name.to_owned();
        let write = move |connection: &mut dyn Connection| {
            registered_models::rename(connection, &name, &new_name)
        };
        Ok(self.database.write(write).await?)
    }

    async fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        let name = name.to_owned();
        let description = description.map(str::to_owned);
        let write = move |connection: &mut dyn Connection| {
            registered_models::update(connection, &name, description.as_deref())
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_registered_model(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let write =
            move |connection: &mut dyn Connection| registered_models::delete(connection, &name);
        Ok(self.database.write(write).await?)
    }

    async fn search_registered_models(
        &self,
        search: SearchRegisteredModels,
    ) -> Result<Page<RegisteredModel>> {
        let reading = reading(&search.filter);
        let read =
            move |connection: &mut dyn Connection| searches::registered_models(connection, &search);
        Ok(self.database.read_many(reading, read).await?)
    }

    async fn set_registered_model_tag(&self, name: &str, tag: Tag) -> Result<()> {
        let name = name.to_owned();
        let write = move |connection: &mut dyn Connection| {
            registered_models::set_tag(connection, &name, &tag)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_registered_model_tag(&self, name: &str, key: &str) -> Result<()> {
        let name = name.to_owned();
        let key = key.to_owned();
        let write = move |connection: &mut dyn Connection| {
            registered_models::delete_tag(connection, &name, &key)
        };
        Ok(self.database.write(write).await?)
    }

    async fn set_registered_model_alias(
        &self,
        name: &str,
        alias: &str,
        version: &str,
    ) -> Result<()> {
        let name = name.to_owned();
        let alias = alias.to_owned();
        let version = version.to_owned();
        let write = move |connection: &mut dyn Connection| {
            registered_models::set_alias(connection, &name, &alias, &version)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_registered_model_alias(&self, name: &str, alias: &str) -> Result<()> {
        let name = name.to_owned();
        let alias = alias.to_owned();
        let write = move |connection: &mut dyn Connection| {
            registered_models::delete_alias(connection, &name, &alias)
        };
        Ok(self.database.write(write).await?)
    }

    async fn get_model_version_by_alias(&self, name: &str, alias: &str) -> Result<ModelVersion> {
        let name = name.to_owned();
        let alias = alias.to_owned();
        let read = move |connection: &mut dyn Connection| {
            registered_models::get_by_alias(connection, &name, &alias)
        };
        Ok(self.database.read(read).await?)
    }

    async fn get_latest_versions(
        &self,
        name: &str,
        stages: &[String],
    ) -> Result<Vec<ModelVersion>> {
        let name = name.to_owned();
        let stages = stages.to_vec();
        let read = move |connection: &mut dyn Connection| {
            registered_models::get_latest_versions(connection, &name, &stages)
        };
        Ok(self.database.read(read).await?)
    }

    async fn create_model_version(&self, version: CreateModelVersion) -> Result<ModelVersion> {
        self.create_model_version_at(version, None).await
    }

    async fn get_model_version(&self, name: &str, version: &str) -> Result<ModelVersion> {
        let name = name.to_owned();
        let version = version.to_owned();
        let read =
            move |connection: &mut dyn Connection| model_versions::get(connection, &name, &version);
        Ok(self.database.read(read).await?)
    }

    async fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Result<ModelVersion> {
        let name = name.to_owned();
        let version = version.to_owned();
        let description = description.map(str::to_owned);
        let write = move |connection: &mut dyn Connection| {
            model_versions::update(connection, &name, &version, description.as_deref())
        };
        Ok(self.database.write(write).await?)
    }

    async fn transition_model_version_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive_existing_versions: bool,
    ) -> Result<ModelVersion> {
        let name = name.to_owned();
        let version = version.to_owned();
        let stage = stage.to_owned();
        let write = move |connection: &mut dyn Connection| {
            model_versions::transition(
                connection,
                &name,
                &version,
                &stage,
                archive_existing_versions,
            )
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_model_version(&self, name: &str, version: &str) -> Result<()> {
        let name = name.to_owned();
        let version = version.to_owned();
        let write = move |connection: &mut dyn Connection| {
            model_versions::delete(connection, &name, &version)
        };
        Ok(self.database.write(write).await?)
    }

    async fn search_model_versions(
        &self,
        search: SearchModelVersions,
    ) -> Result<Page<ModelVersion>> {
        let reading = reading(&search.filter);
        let read =
            move |connection: &mut dyn Connection| searches::model_versions(connection, &search);
        Ok(self.database.read_many(reading, read).await?)
    }

    async fn set_model_version_tag(&self, name: &str, version: &str, tag: Tag) -> Result<()> {
        let name = name.to_owned();
        let version = version.to_owned();
        let write = move |connection: &mut dyn Connection| {
            model_versions::set_tag(connection, &name, &version, &tag)
        };
        Ok(self.database.write(write).await?)
    }

    async fn delete_model_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()> {
        let name = name.to_owned();
        let version = version.to_owned();
        let key = key.to_owned();
        let write = move |connection: &mut dyn Connection| {
            model_versions::delete_tag(connection, &name, &version, &key)
        };
        Ok(self.database.write(write).await?)
    }

    async fn get_model_version_download_uri(&self, name: &str, version: &str) -> Result<String> {
        let name = name.to_owned();
        let version = version.to_owned();
        let read = move |connection: &mut dyn Connection| {
            model_versions::download_uri(connection, &name, &version)
        };
        Ok(self.database.read(read).await?)
    }
}

/// A local path of an experiment's files holds wherever the program runs next.
fn absolute(location: &str) -> crate::error::Result<String> {
    validate::artifact_location(location)?;
    if trainyard_mlflow::uri::scheme(location).is_some() {
        return Ok(location.to_owned());
    }
    let path = std::path::absolute(location)
        .map_err(|error| trainyard_mlflow::Error::io(location, error))?;
    Ok(path.display().to_string())
}

#[async_trait]
impl Artifacts for SqlStore {
    async fn list_artifacts(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>> {
        self.artifacts.list_artifacts(root_uri, path).await
    }

    async fn download_artifact(&self, root_uri: &str, path: &str) -> Result<ByteStream> {
        self.artifacts.download_artifact(root_uri, path).await
    }

    async fn open_artifact(
        &self,
        root_uri: &str,
        path: &str,
        range: Option<ByteRange>,
    ) -> Result<ArtifactFile> {
        self.artifacts.open_artifact(root_uri, path, range).await
    }

    async fn upload_artifact(&self, root_uri: &str, path: &str, body: ByteStream) -> Result<()> {
        self.artifacts.upload_artifact(root_uri, path, body).await
    }

    async fn delete_artifact(&self, root_uri: &str, path: &str) -> Result<()> {
        self.artifacts.delete_artifact(root_uri, path).await
    }

    async fn direct_file(&self, root_uri: &str, path: &str) -> Result<Option<Box<dyn DirectFile>>> {
        self.artifacts.direct_file(root_uri, path).await
    }
}
