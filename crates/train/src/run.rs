//! One training as one MLflow run: what MLflow's own client would log, in the same order.

use std::path::PathBuf;

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_mlflow::artifacts::{once, upload_tree};
use trainyard_mlflow::entities::{
    LifecycleStage, LoggedModel, LoggedModelStatus, Metric, ModelOutput, ModelVersion, Param, Run,
    RunStatus, Tag,
};
use trainyard_mlflow::{
    CreateLoggedModel, CreateModelVersion, CreateRun, ErrorCode, LogBatch, Tracking, UpdateRun,
};
use trainyard_signature::model::ModelFolder;

use crate::artifacts::{self, File};
use crate::config::{Task, TrainConfig};
use crate::dataset::{self, DataSource};
use crate::export::export;
use crate::held_out::positive;
use crate::holdout::Rule;
use crate::metrics::{Metrics, evaluate};
use crate::progress::{OnProgress, Progress, Reporter, on_thread};
use crate::split::{Split, split};
use crate::{Error, Result, folder, git, judge, model, proof};

/// Name of the logged model: what `mlflow.<flavor>.log_model` calls it by default.
const MODEL_NAME: &str = "model";
/// Params of one call; MLflow's own limit.
const PARAMS_MAX: usize = 100;

/// What a training made.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The run.
    pub run_id: String,
    /// Its name.
    pub run_name: String,
    /// Its experiment.
    pub experiment_id: String,
    /// Root of its artifacts.
    pub artifact_uri: String,
    /// The logged model; none if a program registered a version without one.
    pub model_id: Option<String>,
    /// `models:/m-…`, or what the registered version was made of.
    pub model_uri: String,
    /// Metrics of the holdout, or whatever a program logged.
    pub metrics: Metrics,
    /// The version that was registered, if one was asked for or made.
    pub registered: Option<ModelVersion>,
    /// SHA-256 of the training rows; none for a program of the user's.
    pub train_digest: Option<String>,
    /// SHA-256 of the holdout; none for a program of the user's.
    pub holdout_digest: Option<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Trains a model on a table and logs everything to a new run.
///
/// What is wrong with the table or the settings is found before anything is logged. If the training
/// fails later, the run is marked failed and no version is registered.
pub async fn train(
    tracking: &Tracking,
    config: &TrainConfig,
    table: &RecordBatch,
    source: &DataSource,
    progress: OnProgress<'_>,
) -> Result<Outcome> {
    progress(Progress::Step(format!("splitting {} rows", table.num_rows())));
    let plan = {
        let (config, table) = (config.clone(), table.clone());
        on_thread(progress, move |_| Plan::new(&config, &table)).await?
    };
    for warning in &plan.warnings {
        progress(Progress::Warning(warning.clone()));
    }
    let context = Context::new(source);
    let run = start_run(tracking, config, &plan.split.rule, &context).await?;
    let run_id = run.info.run_id.clone();
    match train_in_run(tracking, config, source, progress, plan, run, &context).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            end_failed_run(tracking, &run_id, &error).await;
            Err(error)
        }
    }
}

/// What is known before anything is logged.
pub(crate) struct Plan {
    pub(crate) split: Split,
    train_digest: String,
    holdout_digest: String,
    warnings: Vec<String>,
}

impl Plan {
    pub(crate) fn new(config: &TrainConfig, table: &RecordBatch) -> Result<Self> {
        let split = split(table, config)?;
        positive(config, &split.classes())?;
        crate::features::refuse_stray_texts(table, &split.features(), config)?;
        // The encoder finds text among numbers, too many categories and the like: before a run is
        // made of it.
        crate::Encoder::fit(&split.train, &split.features(), config)?.0.encode(&split.train)?;
        let mut warnings = Vec::new();
        if split.without_target > 0 {
            warnings.push(format!(
                "{} rows without a value of {:?} were left out",
                split.without_target, config.target
            ));
        }
        if split.incomplete > 0 {
            warnings.push(format!("{} rows with missing values were left out", split.incomplete));
        }
        if split.in_holdout_file > 0 {
            let rows = split.in_holdout_file;
            warnings.push(format!("{rows} rows that are in the holdout's file too were left out"));
        }
        Ok(Self {
            train_digest: dataset::digest(&split.train)?,
            holdout_digest: dataset::digest(&split.holdout)?,
            split,
            warnings,
        })
    }
}

/// Who runs this, from where.
pub(crate) struct Context {
    user: String,
    commit: Option<String>,
}

impl Context {
    fn new(source: &DataSource) -> Self {
        Self::of_folders(source.folder())
    }

    /// Of a folder, else of the working folder.
    pub(crate) fn of_folders(folder: Option<PathBuf>) -> Self {
        let user = ["USER", "LOGNAME", "USERNAME"]
            .into_iter()
            .find_map(|variable| std::env::var(variable).ok().filter(|user| !user.is_empty()));
        let folders = folder.into_iter().chain(std::env::current_dir().ok());
        Self {
            user: user.unwrap_or_else(|| "unknown".to_owned()),
            commit: folders.into_iter().find_map(|folder| git::commit(&folder)),
        }
    }

    pub(crate) fn tags(&self, source_name: &str, source_type: &str) -> Vec<Tag> {
        let mut tags = vec![
            Tag::new("mlflow.user", &self.user),
            Tag::new("mlflow.source.name", source_name),
            Tag::new("mlflow.source.type", source_type),
        ];
        tags.extend(self.commit.iter().map(|commit| Tag::new("mlflow.source.git.commit", commit)));
        tags
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}

async fn start_run(
    tracking: &Tracking,
    config: &TrainConfig,
    rule: &Rule,
    context: &Context,
) -> Result<Run> {
    let experiment_id = experiment(tracking, &config.experiment).await?;
    let mut tags = context.tags("trainyard train", "LOCAL");
    tags.push(Tag::new(Rule::TAG, rule.to_tag()));
    tags.extend(config.run_name.iter().map(|name| Tag::new("mlflow.runName", name)));
    tags.extend(config.tags.iter().map(|(key, value)| Tag::new(key, value)));
    let run = CreateRun {
        experiment_id,
        user_id: context.user.clone(),
        run_name: config.run_name.clone(),
        start_time: now(),
        tags,
    };
    Ok(tracking.runs.create(run).await?)
}

/// Id of the experiment of this name, which is created if there is none.
pub async fn experiment(tracking: &Tracking, name: &str) -> Result<String> {
    let existing = match tracking.experiments.get_by_name(name).await {
        Err(error) if error.is_not_found() => {
            match tracking.experiments.create(name, None, &[]).await {
                Ok(id) => return Ok(id),
                // Another training was faster.
                Err(error) if error.code() == ErrorCode::ResourceAlreadyExists => {
                    tracking.experiments.get_by_name(name).await?
                }
                Err(error) => return Err(error.into()),
            }
        }
        other => other?,
    };
    if existing.lifecycle_stage == LifecycleStage::Deleted {
        return Err(Error::DeletedExperiment { name: name.to_owned(), id: existing.experiment_id });
    }
    Ok(existing.experiment_id)
}

async fn train_in_run(
    tracking: &Tracking,
    config: &TrainConfig,
    source: &DataSource,
    progress: OnProgress<'_>,
    plan: Plan,
    run: Run,
    context: &Context,
) -> Result<Outcome> {
    let run_id = run.info.run_id.clone();
    let Plan { split, train_digest, holdout_digest, mut warnings } = plan;
    let params = params(config, &split)?;
    for chunk in params.chunks(PARAMS_MAX) {
        let batch = LogBatch { params: chunk.to_vec(), ..LogBatch::default() };
        tracking.runs.log_batch(&run_id, batch).await?;
    }
    let holdout_name = format!("{}_holdout", source.name);
    let inputs = vec![
        dataset::input(source, &source.name, &split.train, &train_digest, "training")?,
        dataset::input(source, &holdout_name, &split.holdout, &holdout_digest, "eval")?,
    ];
    tracking.runs.log_inputs(&run_id, inputs, Vec::new()).await?;

    let trained = {
        let config = config.clone();
        on_thread(progress, move |reporter| fit_and_judge(&split, &config, reporter)).await?
    };
    for warning in &trained.warnings {
        progress(Progress::Warning(warning.clone()));
    }
    warnings.extend(trained.warnings);

    progress(Progress::Step("logging the model".to_owned()));
    let create = CreateLoggedModel {
        experiment_id: run.info.experiment_id.clone(),
        name: Some(MODEL_NAME.to_owned()),
        model_type: None,
        source_run_id: Some(run_id.clone()),
        params,
        tags: context.tags("trainyard train", "LOCAL"),
    };
    let logged = tracking.logged_models.create(create).await?;
    let model_id = logged.info.model_id.clone();
    let holdout = (holdout_name, dataset::short(&holdout_digest));
    let stored = store_model(tracking, &run, &logged, trained.folder, &trained.metrics, holdout);
    let checksums = match stored.await {
        Ok(checksums) => checksums,
        Err(error) => {
            let failed = LoggedModelStatus::UploadFailed;
            if let Err(second) = tracking.logged_models.finalize(&model_id, failed).await {
                tracing::warn!(model_id, error = %second, "cannot mark the model as failed");
            }
            return Err(error);
        }
    };
    for (name, content) in trained.files {
        tracking.artifacts.upload(&run.info.artifact_uri, &name, once(content)).await?;
    }
    let model_uri = format!("models:/{model_id}");
    let registered = match &config.registered_model_name {
        None => None,
        Some(name) => {
            progress(Progress::Step(format!("registering {name}")));
            let tags = vec![Tag::new(proof::CHECKSUMS_TAG, checksums)];
            let version = CreateModelVersion {
                name: name.clone(),
                source: model_uri.clone(),
                run_id: Some(run_id.clone()),
                model_id: Some(model_id.clone()),
                tags,
                ..CreateModelVersion::default()
            };
            Some(register(tracking, version).await?)
        }
    };
    end_run(tracking, &run_id, RunStatus::Finished).await?;
    Ok(Outcome {
        run_id,
        run_name: run.info.run_name,
        experiment_id: run.info.experiment_id,
        artifact_uri: run.info.artifact_uri,
        model_id: Some(model_id),
        model_uri,
        metrics: trained.metrics,
        registered,
        train_digest: Some(train_digest),
        holdout_digest: Some(holdout_digest),
        warnings,
    })
}

/// Settings and hyper-parameters, defaults included, as params.
fn params(config: &TrainConfig, split: &Split) -> Result<Vec<Param>> {
    let classification = split.task == Task::Classification;
    let python = |flag: bool| if flag { "True" } else { "False" };
    let missing = serde_json::to_value(config.missing).unwrap_or_default();
    let mut params = vec![
        Param::new("algorithm", config.algorithm.name()),
        Param::new("task", if classification { "classification" } else { "regression" }),
        Param::new("target", &config.target),
        Param::new("n_features", split.features().len().to_string()),
        Param::new("train_rows", split.train.num_rows().to_string()),
        Param::new("holdout_rows", split.holdout.num_rows().to_string()),
        Param::new("holdout", split.rule.to_string()),
        Param::new("test_size", format!("{:?}", config.test_size)),
        Param::new("random_state", config.seed.to_string()),
        Param::new("stratify", python(classification && config.is_stratified())),
        Param::new("missing", missing.as_str().unwrap_or_default()),
    ];
    let described = config.estimator()?.describe(classification);
    params.extend(described.into_iter().map(|(name, value)| Param::new(name, value)));
    Ok(params)
}

/// What comes out of the working thread.
struct Trained {
    folder: ModelFolder,
    metrics: Metrics,
    files: Vec<File>,
    warnings: Vec<String>,
}

/// Fits, exports, and judges the exported model: the metrics are those of what will be served.
fn fit_and_judge(split: &Split, config: &TrainConfig, reporter: &Reporter) -> Result<Trained> {
    reporter.tell(Progress::Step(format!("fitting {}", config.algorithm)));
    let tick = |done, total| {
        reporter.tell(Progress::Fraction { done, total });
        reporter.go_on()
    };
    let fitted = model::fit(split, config, &tick)?;
    if !reporter.go_on() {
        return Err(Error::Cancelled);
    }
    reporter.tell(Progress::Step("judging the exported model".to_owned()));
    let export = export(&fitted)?;
    let (mut folder, example) = folder::folder(&fitted, &export, split)?;
    let place = tempfile::tempdir().map_err(|error| Error::io(&std::env::temp_dir(), error))?;
    folder.write(place.path())?;
    let loaded = trainyard_models::load(place.path())?;
    let answer = proof::answer(&loaded, &example)?;
    folder.files.push((proof::ANSWER_FILE.to_owned(), answer.into()));
    let classes = split.classes();
    let on_holdout = judge::predict(&loaded, &split.holdout, &classes)?;
    judge::compare(split.task, &fitted.predict(&split.holdout)?, &on_holdout)?;
    let truth = split.holdout.columns().last().ok_or(Error::EmptyTable)?;
    let positive = positive(config, &classes)?;
    let metrics = evaluate(split.task, truth, &on_holdout, positive.as_deref())?;
    let mut files = artifacts::evaluation(&fitted, &split.holdout, &on_holdout)?;
    files.extend(artifacts::contributions(&loaded, &split.holdout)?);
    let on_train = judge::predict(&loaded, &split.train, &classes)?;
    files.extend(artifacts::reference(&split.train, &on_train)?);
    Ok(Trained { folder, metrics, files, warnings: fitted.warnings })
}

/// Links the model to the run, logs its metrics, uploads its files and declares it ready. Answers the
/// digest of the list of its digests.
async fn store_model(
    tracking: &Tracking,
    run: &Run,
    logged: &LoggedModel,
    mut folder: ModelFolder,
    metrics: &Metrics,
    (dataset_name, dataset_digest): (String, String),
) -> Result<String> {
    let (run_id, model_id) = (&run.info.run_id, &logged.info.model_id);
    let output = ModelOutput { model_id: model_id.clone(), step: 0 };
    tracking.runs.log_outputs(run_id, vec![output]).await?;
    let timestamp = now();
    let metrics = metrics
        .iter()
        .map(|(name, value)| Metric {
            model_id: Some(model_id.clone()),
            dataset_name: Some(dataset_name.clone()),
            dataset_digest: Some(dataset_digest.clone()),
            ..Metric::new(name, *value, timestamp, 0)
        })
        .collect();
    tracking.runs.log_batch(run_id, LogBatch { metrics, ..LogBatch::default() }).await?;

    folder.run_id = Some(run_id.clone());
    folder.model_id = Some(model_id.clone());
    folder.artifact_path = Some(logged.info.artifact_uri.clone());
    let write = move || {
        let place = tempfile::tempdir().map_err(|error| Error::io(&std::env::temp_dir(), error))?;
        folder.write(place.path())?;
        let checksums = proof::write_checksums(place.path())?;
        Ok::<_, Error>((place, checksums))
    };
    let (place, checksums) = tokio::task::spawn_blocking(write)
        .await
        .map_err(|error| Error::Internal(error.to_string()))??;
    upload_tree(&*tracking.artifacts, place.path(), &logged.info.artifact_uri, "").await?;
    tracking.logged_models.finalize(model_id, LoggedModelStatus::Ready).await?;
    Ok(checksums)
}

/// Makes a version of a registered model, which is created if there is none, and notes it on the
/// logged model, as MLflow's client does.
pub(crate) async fn register(
    tracking: &Tracking,
    version: CreateModelVersion,
) -> Result<ModelVersion> {
    match tracking.registered_models.create(&version.name, &[], None).await {
        Err(error) if error.code() != ErrorCode::ResourceAlreadyExists => return Err(error.into()),
        _ => {}
    }
    let model_id = version.model_id.clone();
    let version = tracking.model_versions.create(version).await?;
    if let Some(model_id) = model_id {
        let versions = json!([{ "name": version.name, "version": version.version }]).to_string();
        let tag = Tag::new("mlflow.modelVersions", versions);
        tracking.logged_models.set_tags(&model_id, vec![tag]).await?;
    }
    Ok(version)
}

pub(crate) async fn end_run(tracking: &Tracking, run_id: &str, status: RunStatus) -> Result<()> {
    let update = UpdateRun {
        run_id: run_id.to_owned(),
        status: Some(status),
        end_time: Some(now()),
        run_name: None,
    };
    tracking.runs.update(update).await?;
    Ok(())
}

/// Marks a run as failed (or killed, if it was cancelled). The training's own error is the one that
/// is reported, so a second one is only noted.
pub(crate) async fn end_failed_run(tracking: &Tracking, run_id: &str, error: &Error) {
    let status =
        if matches!(error, Error::Cancelled) { RunStatus::Killed } else { RunStatus::Failed };
    if let Err(second) = end_run(tracking, run_id, status).await {
        tracing::warn!(run_id, error = %second, "cannot mark the run as failed");
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
