//! The train step: a run, a logged model, a registered version; or none of them, where there is nothing new to
//! learn from.

use std::time::Duration;

use serde::Serialize;
use trainyard_data::Table;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{KeyValue, ModelVersion, Tag};
use trainyard_train::{CommandRun, DataSource, OnProgress, Outcome, Progress};

use crate::alias::production;
use crate::attempt::Attempt;
use crate::event::{Event, Step, Watcher};
use crate::feedback::Provenance;
use crate::fingerprint::Fingerprint;
use crate::gate::{Metrics, check_metrics};
use crate::states::State;
use crate::training_part::TrainingPart;
use crate::{Error, Project, Result};

/// What a training needs beside the project.
#[derive(Debug, Clone, Default)]
pub struct TrainOptions {
    /// Where a training program of the project's own reaches the tracking server.
    pub tracking_url: Option<String>,
    /// Trains only where data or settings are not those of the last training.
    pub only_if_new: bool,
    /// The run of the look at production data that it follows from.
    pub look: Option<String>,
}

/// What training made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trained {
    pub run_id: String,
    pub experiment: String,
    pub name: String,
    pub version: String,
    /// Whether it was trained now. There was nothing new to learn from where it was not, and this is the
    /// version that was trained on the same.
    pub is_new: bool,
    /// `models:/m-…`
    pub model_uri: String,
    pub metrics: Metrics,
    #[serde(skip)]
    pub took: Duration,
}

/// Trains as the project says and registers a version.
pub async fn train(
    project: &Project,
    tracking: &Tracking,
    options: &TrainOptions,
    watcher: Watcher<'_>,
) -> Result<Trained> {
    // Its future is large, and lies on the heap so that its callers stay small.
    let fitting = Box::pin(fit_and_register(project, tracking, options, watcher));
    let done = |trained: &Trained| {
        let Trained { name, version, is_new, metrics, .. } = trained;
        let headline = headline(metrics);
        if *is_new {
            format!("version {version} of {name}{headline}")
        } else {
            format!("nothing new to learn from; version {version} of {name} stays{headline}")
        }
    };
    let (trained, took) = Step::Train.watched(watcher, fitting, done).await?;
    Ok(Trained { took, ..trained })
}

/// The metric people look at first.
fn headline(metrics: &Metrics) -> String {
    ["accuracy", "r2", "rmse"]
        .iter()
        .find_map(|name| metrics.get(*name).map(|value| format!(", {name} {value:.4}")))
        .unwrap_or_default()
}

/// What is trained on.
struct Learned {
    /// None where a training program of the project's own reads its data by itself.
    table: Option<Table>,
    feedback: Option<Provenance>,
    fingerprint: Fingerprint,
}

impl Learned {
    async fn read(project: &Project) -> Result<Self> {
        let train = &project.config.train;
        let read = match (&train.command, &train.data) {
            (None, _) => Some(project.labelled_training_data().await?),
            (Some(_), None) => None,
            (Some(_), Some(_)) if project.config.has_training_data() => {
                Some(project.labelled_training_data().await?)
            }
            // What the program reads need be no table.
            (Some(_), Some(_)) => project.labelled_training_data().await.ok(),
        };
        let (table, feedback) = read.unzip();
        let digest = table.as_ref().and_then(|table: &Table| table.source.digest());
        let fingerprint = Fingerprint::of(project, digest)?;
        Ok(Self { table, feedback: feedback.flatten(), fingerprint })
    }

    /// The table, if rows are held out of it: a program may name data without saying what of it is predicted.
    fn held_out_of(&self, project: &Project) -> Option<&Table> {
        self.table.as_ref().filter(|_| project.config.has_training_data())
    }

    /// Tags that say what a version was made of.
    fn provenance(&self, project: &Project) -> Vec<Tag> {
        let commit = trainyard_train::git_commit(&project.folder)
            .map(|commit| KeyValue::new("trainyard.git_commit", commit));
        self.fingerprint.tags().into_iter().chain(commit).chain(self.of_feedback()).collect()
    }

    fn of_feedback(&self) -> Vec<Tag> {
        self.feedback.as_ref().map(Provenance::tags).unwrap_or_default()
    }
}

/// The version that a training would only make again, if there is one: that of the last training, or the one in
/// production where that was taken back.
pub(crate) async fn nothing_new(
    project: &Project,
    tracking: &Tracking,
) -> Result<Option<ModelVersion>> {
    let learned = match Learned::read(project).await {
        Ok(learned) => learned,
        // Data that cannot be read here may be where it is trained.
        Err(Error::Data(_) | Error::Io { .. } | Error::Remote { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    last_version(project, tracking, &learned.fingerprint).await
}

async fn last_version(
    project: &Project,
    tracking: &Tracking,
    fingerprint: &Fingerprint,
) -> Result<Option<ModelVersion>> {
    let name = &project.config.model.name;
    let Some(last) = fingerprint.last_trained_on_it(tracking, name).await? else {
        return Ok(None);
    };
    let was_rolled_back = State::of(&last) == Some(State::RolledBack);
    let stays = if was_rolled_back { production(tracking, name).await? } else { None };
    Ok(Some(stays.unwrap_or(last)))
}

async fn fit_and_register(
    project: &Project,
    tracking: &Tracking,
    options: &TrainOptions,
    watcher: Watcher<'_>,
) -> Result<Trained> {
    let learned = Learned::read(project).await?;
    let attempt = match &options.look {
        Some(run_id) => Some(Attempt::resume(tracking, run_id).await?),
        None => None,
    };
    if options.only_if_new
        && let Some(version) = last_version(project, tracking, &learned.fingerprint).await?
    {
        if let Some(attempt) = &attempt {
            attempt.trained(tracking, &version.version).await?;
        }
        return trained_before(project, tracking, version).await;
    }
    if let Some(table) = learned.held_out_of(project) {
        check_metrics(project, table)?;
    }
    let mut tags = learned.of_feedback();
    tags.extend(attempt.iter().flat_map(Attempt::tags_of_run));
    let progress = |news| tell(news, watcher);
    let outcome = fit(project, tracking, options, &learned, tags, &progress).await?;
    let version = outcome.registered.ok_or_else(|| Error::Missing {
        what: format!("run {} made no version of {}", outcome.run_id, project.config.model.name),
        hint: "log the model with registered_model_name, or check [model] name".to_owned(),
    })?;
    let triggered = attempt.as_ref().map(|_| Attempt::tag_of_version());
    for tag in learned.provenance(project).into_iter().chain(triggered) {
        tracking.model_versions.set_tag(version.id(), tag).await?;
    }
    if let Some(attempt) = &attempt {
        attempt.trained(tracking, &version.version).await?;
    }
    Ok(Trained {
        run_id: outcome.run_id,
        experiment: project.config.experiment(),
        name: version.name,
        version: version.version,
        is_new: true,
        model_uri: outcome.model_uri,
        metrics: outcome.metrics,
        took: Duration::ZERO,
    })
}

/// Runs the project's program, or fits its algorithm.
async fn fit(
    project: &Project,
    tracking: &Tracking,
    options: &TrainOptions,
    learned: &Learned,
    tags: Vec<Tag>,
    progress: OnProgress<'_>,
) -> Result<Outcome> {
    let mut config = project.train_config();
    if let Some(command) = &project.config.train.command {
        let mut run = CommandRun {
            command: command.clone(),
            folder: project.folder.clone(),
            tracking_uri: options
                .tracking_url
                .clone()
                .unwrap_or_else(|| project.tracking_uri.clone()),
            experiment: config.experiment,
            registered_model_name: Some(project.config.model.name.clone()),
            tags,
            ..CommandRun::default()
        };
        let table = learned.held_out_of(project);
        // The file goes away with the value, and the program reads it.
        let part = table.map(|table| TrainingPart::write(project, table)).transpose()?;
        if let Some(part) = &part {
            run.variables.clone_from(&part.variables);
            run.tags.extend(part.tags.iter().cloned());
            run.inputs.clone_from(&part.inputs);
        }
        return Ok(trainyard_train::run_command(tracking, &run, progress).await?);
    }
    let table = learned.table.as_ref().ok_or(trainyard_train::Error::EmptyTable)?;
    let source = DataSource::new(&table.source.name);
    config.tags.extend(tags.into_iter().map(|tag| (tag.key, tag.value)));
    Ok(trainyard_train::train(tracking, &config, &table.batch, &source, progress).await?)
}

/// A version that was trained earlier, as if it had been trained now.
async fn trained_before(
    project: &Project,
    tracking: &Tracking,
    version: ModelVersion,
) -> Result<Trained> {
    let run_id = version.run_id.clone().unwrap_or_default();
    let metrics = if run_id.is_empty() {
        Metrics::new()
    } else {
        let metrics = tracking.runs.get(&run_id).await?.data.metrics;
        metrics.into_iter().map(|metric| (metric.key, metric.value)).collect()
    };
    let model_uri = match &version.model_id {
        Some(model_id) => format!("models:/{model_id}"),
        None => format!("models:/{}/{}", version.name, version.version),
    };
    Ok(Trained {
        run_id,
        experiment: project.config.experiment(),
        name: version.name,
        version: version.version,
        is_new: false,
        model_uri,
        metrics,
        took: Duration::ZERO,
    })
}

/// Training's news as the pipeline's.
fn tell(news: Progress, watcher: Watcher<'_>) {
    let progress = |message: String, share| Event::Progress { step: Step::Train, message, share };
    watcher(match news {
        Progress::Step(message) => progress(message, None),
        Progress::Fraction { done, total } => {
            progress("fitting".to_owned(), Some(done as f64 / total.max(1) as f64))
        }
        Progress::Output { line } => Event::Output { line },
        Progress::Warning(line) => Event::Output { line: format!("warning: {line}") },
    });
}
