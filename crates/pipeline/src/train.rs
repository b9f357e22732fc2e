//! The train step: a run, a logged model, a registered version.

use std::time::Duration;

use serde::Serialize;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::KeyValue;
use trainyard_train::{CommandRun, DataSource, Progress};

use crate::event::{Event, Step, Watcher};
use crate::gate::{Metrics, check_metrics};
use crate::training_part::TrainingPart;
use crate::{Error, Project, Result};

/// What training made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trained {
    pub run_id: String,
    pub experiment: String,
    pub name: String,
    pub version: String,
    /// `models:/m-…`
    pub model_uri: String,
    pub metrics: Metrics,
    #[serde(skip)]
    pub took: Duration,
}

/// Trains as the project says and registers a version. `tracking_url` is where a training program
/// of the project's own reaches the tracking server.
pub async fn train(
    project: &Project,
    tracking: &Tracking,
    tracking_url: Option<&str>,
    watcher: Watcher<'_>,
) -> Result<Trained> {
    // Its future is large, and lies on the heap so that its callers stay small.
    let fitting = Box::pin(fit_and_register(project, tracking, tracking_url, watcher));
    let done = |trained: &Trained| {
        format!("version {} of {}{}", trained.version, trained.name, headline(&trained.metrics))
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

async fn fit_and_register(
    project: &Project,
    tracking: &Tracking,
    tracking_url: Option<&str>,
    watcher: Watcher<'_>,
) -> Result<Trained> {
    let progress = |news| tell(news, watcher);
    let config = project.train_config();
    let table = if project.config.has_training_data() {
        let table = project.training_data()?;
        check_metrics(project, &table)?;
        Some(table)
    } else {
        None
    };
    let digest = table.as_ref().and_then(|table| table.source.digest());
    let outcome = if let Some(command) = &project.config.train.command {
        let part = table.map(|table| TrainingPart::write(project, &table)).transpose()?;
        let url = tracking_url.unwrap_or(&project.tracking_uri);
        let mut run = CommandRun {
            command: command.clone(),
            folder: project.folder.clone(),
            tracking_uri: url.to_owned(),
            experiment: config.experiment.clone(),
            registered_model_name: Some(project.config.model.name.clone()),
            ..CommandRun::default()
        };
        if let Some(part) = &part {
            run.variables.clone_from(&part.variables);
            run.tags.clone_from(&part.tags);
            run.inputs.clone_from(&part.inputs);
        }
        trainyard_train::run_command(tracking, &run, &progress).await?
    } else {
        // A built-in algorithm has its data: the configuration says so.
        let table = table.map_or_else(|| project.training_data(), Ok)?;
        let source = DataSource::new(&table.source.name);
        trainyard_train::train(tracking, &config, &table.batch, &source, &progress).await?
    };
    let version = outcome.registered.ok_or_else(|| Error::Missing {
        what: format!("run {} made no version of {}", outcome.run_id, project.config.model.name),
        hint: "log the model with registered_model_name, or check [model] name".to_owned(),
    })?;
    for tag in provenance(project, digest) {
        tracking.model_versions.set_tag(version.id(), tag).await?;
    }
    Ok(Trained {
        run_id: outcome.run_id,
        experiment: config.experiment,
        name: version.name,
        version: version.version,
        model_uri: outcome.model_uri,
        metrics: outcome.metrics,
        took: Duration::ZERO,
    })
}

/// Tags that say what a version was made of.
fn provenance(project: &Project, data_digest: Option<String>) -> Vec<KeyValue> {
    let digest = data_digest.map(|digest| KeyValue::new("trainyard.data_digest", digest));
    let commit = trainyard_train::git_commit(&project.folder)
        .map(|commit| KeyValue::new("trainyard.git_commit", commit));
    digest.into_iter().chain(commit).collect()
}

/// Training's news as the pipeline's.
fn tell(news: Progress, watcher: Watcher<'_>) {
    let progress = |message: String, share| Event::Progress { step: Step::Train, message, share };
    watcher(match news {
        Progress::Step(message) => progress(message, None),
        Progress::Fraction { done, total } => {
            progress("fitting".to_owned(), Some(done as f64 / total.max(1) as f64))
        }
        Progress::Output { line, .. } => Event::Output { line },
        Progress::Warning(line) => Event::Output { line: format!("warning: {line}") },
    });
}
