//! What happened to versions, kept where it outlives this host: tags of the version, and a run in the
//! experiment `/<model>_releases` for each release and rollback.
//!
//! Nobody's release waits for it, and nothing of it is lost: entries are files first (`releases/` in the state
//! folder), and a file goes when the tracking store has what it says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use trainyard_base::file::{self, Access};
use trainyard_base::words;
use trainyard_deploy::{Cause, Kind};
use trainyard_mlflow::artifacts;
use trainyard_mlflow::entities::{KeyValue, Metric, RunStatus};
use trainyard_mlflow::secrets::hide;
use trainyard_mlflow::{CreateRun, LogBatch, Tracking, UpdateRun, VersionId};

use crate::behaviour::Behaviour;
use crate::states::Transition;
use crate::{Error, Project, Result};

/// How long a store may take for all that there is to tell it: a release does not wait longer.
const DELIVERY_LIMIT: Duration = Duration::from_secs(30);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A version has another state.
    State(Transition),
    /// A release or rollback ended.
    Release(Box<Record>),
}

/// How a release or rollback ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) model: String,
    /// Version that served before.
    pub(crate) from: Option<String>,
    /// Version that was to serve.
    pub(crate) to: String,
    /// `released`, `rolled_back` or `failed`.
    pub(crate) outcome: String,
    /// What was found, in words.
    pub(crate) verdict: String,
    /// When it ended, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) took_seconds: Option<f64>,
    pub(crate) cause: Cause,
    /// How the answers of both versions compared.
    #[serde(default)]
    pub(crate) behaviour: Option<Behaviour>,
}

/// The experiment of a model's releases.
pub(crate) fn experiment(model: &str) -> String {
    words::releases_experiment(model)
}

/// Keeps entries in order, and tells the store what it takes within the limit.
pub(crate) async fn keep(
    project: &Project,
    tracking: &Tracking,
    entries: &[Entry],
    limit: Duration,
) {
    let folder = folder(project);
    for (number, entry) in entries.iter().enumerate() {
        if let Err(error) = write(&folder, number, entry) {
            // Not even the disk takes it: the store may.
            tracing::warn!(%error, "a record of a release cannot be kept here");
            if let Err(error) = tell(tracking, entry).await {
                let error = hide(&error.to_string()).into_owned();
                tracing::error!(error, ?entry, "a record of a release is lost");
            }
        }
    }
    deliver_within(project, tracking, limit).await;
}

/// Tells the store what was kept, oldest first. What it does not take now stays for the next time.
pub(crate) async fn deliver(project: &Project, tracking: &Tracking) {
    deliver_within(project, tracking, DELIVERY_LIMIT).await;
}

async fn deliver_within(project: &Project, tracking: &Tracking, limit: Duration) {
    let folder = folder(project);
    let waiting = match waiting(&folder) {
        Ok(waiting) if waiting.is_empty() => return,
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::warn!(%error, "{} cannot be read", folder.display());
            return;
        }
    };
    // One at a time; whoever is at it does this one's as well.
    let Ok(lock) = std::fs::File::create(folder.join("lock")) else { return };
    if lock.try_lock().is_err() {
        return;
    }
    let telling = tokio::time::timeout(limit, tell_all(tracking, &waiting)).await;
    let error = match telling {
        Ok(Ok(())) => return,
        Ok(Err(error)) => hide(&error.to_string()).into_owned(),
        Err(_elapsed) => format!("no answer within {} s", limit.as_secs()),
    };
    tracing::warn!(error, "records of releases are told to the tracking store later");
}

async fn tell_all(tracking: &Tracking, waiting: &[PathBuf]) -> Result<()> {
    for path in waiting {
        let entry = std::fs::read(path).map_err(|source| Error::io(path, source))?;
        match serde_json::from_slice::<Entry>(&entry) {
            Ok(entry) => match tell(tracking, &entry).await {
                Err(Error::Mlflow(error)) if error.is_not_found() => {
                    tracing::warn!(%error, ?entry, "a record is about what is gone");
                }
                told => told?,
            },
            Err(error) => tracing::warn!(%error, "{} is no record", path.display()),
        }
        std::fs::remove_file(path).map_err(|source| Error::io(path, source))?;
    }
    Ok(())
}

async fn tell(tracking: &Tracking, entry: &Entry) -> Result<()> {
    match entry {
        Entry::State(transition) => set_state(tracking, transition).await,
        Entry::Release(record) => log_run(tracking, record).await,
    }
}

/// Writes a state on its version.
pub(crate) async fn set_state(tracking: &Tracking, transition: &Transition) -> Result<()> {
    let id = VersionId { name: &transition.model, version: &transition.version };
    for tag in transition.tags() {
        tracking.model_versions.set_tag(id, tag).await?;
    }
    Ok(())
}

async fn log_run(tracking: &Tracking, record: &Record) -> Result<()> {
    let cause = &record.cause;
    let ended = record.at_ms;
    let at = DateTime::from_timestamp_millis(ended).unwrap_or_default();
    let experiment_id = trainyard_train::experiment(tracking, &experiment(&record.model)).await?;
    let (what, verb) = match cause.kind {
        Kind::Release => ("release", "trainyard deploy"),
        Kind::Rollback => ("rollback", "trainyard deploy rollback"),
    };
    let took = record.took_seconds.unwrap_or_default();
    let run = tracking
        .runs
        .create(CreateRun {
            experiment_id,
            user_id: cause.actor.clone(),
            run_name: Some(format!("{what}-{}-{}", record.to, at.format("%Y%m%d-%H%M%S"))),
            start_time: ended.saturating_sub((took * 1000.0) as i64),
            tags: vec![
                KeyValue::new("mlflow.source.name", verb),
                KeyValue::new("mlflow.user", cause.actor.clone()),
                KeyValue::new(words::tags::OUTCOME, record.outcome.clone()),
                KeyValue::new(words::tags::VERDICT, record.verdict.clone()),
                KeyValue::new("trainyard.reason", cause.reason.clone().unwrap_or_default()),
            ],
        })
        .await?;
    let params = [
        ("model", record.model.as_str()),
        ("from", record.from.as_deref().unwrap_or("none")),
        ("to", &record.to),
        ("kind", what),
        ("actor", &cause.actor),
        ("tool", &cause.tool),
    ];
    let is_released = record.outcome == RELEASED;
    let mut metrics = vec![Metric::new("released", f64::from(u8::from(is_released)), ended, 0)];
    metrics.extend(record.took_seconds.map(|took| Metric::new("took_seconds", took, ended, 0)));
    if let Some(behaviour) = &record.behaviour {
        let numbers = behaviour.metrics().into_iter();
        metrics.extend(numbers.map(|(name, value)| Metric::new(name, value, ended, 0)));
        let report = serde_json::to_vec_pretty(behaviour).unwrap_or_default();
        let body = artifacts::once(report);
        tracking.artifacts.upload(&run.info.artifact_uri, "behaviour.json", body).await?;
    }
    let batch = LogBatch {
        params: params.map(|(key, value)| KeyValue::new(key, value)).to_vec(),
        metrics,
        tags: Vec::new(),
    };
    tracking.runs.log_batch(&run.info.run_id, batch).await?;
    let update = UpdateRun {
        run_id: run.info.run_id,
        status: Some(if is_released { RunStatus::Finished } else { RunStatus::Failed }),
        end_time: Some(ended),
        run_name: None,
    };
    tracking.runs.update(update).await?;
    Ok(())
}

/// The outcome of a release that took over, and of one that did not for reasons of its own.
pub(crate) const RELEASED: &str = "released";
pub(crate) const FAILED: &str = "failed";

fn folder(project: &Project) -> PathBuf {
    project.state_folder().join("releases")
}

/// Names sort as entries were made.
fn write(folder: &Path, number: usize, entry: &Entry) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let now = Utc::now().timestamp_micros();
    let path = folder.join(format!("{now:020}-{number:03}-{}.json", uuid::Uuid::new_v4().simple()));
    let failed = |source: std::io::Error| Error::io(&path, source);
    let bytes = serde_json::to_vec(entry).map_err(|error| failed(error.into()))?;
    file::replace(&path, &bytes, Access::Private).map_err(failed)
}

/// Files of entries that were not told yet, oldest first.
fn waiting(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let is_entry = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut waiting: Vec<PathBuf> = paths.into_iter().filter(is_entry).collect();
    waiting.sort_unstable();
    Ok(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::State;

    #[test]
    fn entries_are_kept_in_order_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |version: usize| {
            let version = version.to_string();
            let cause = Cause::default();
            Entry::State(Transition::now("m", &version, State::Released, &cause, "why"))
        };
        assert_eq!(waiting(&folder.path().join("none")).unwrap(), Vec::<PathBuf>::new());
        let entries: Vec<Entry> = (0..3).map(entry).collect();
        for (number, entry) in entries.iter().enumerate() {
            write(folder.path(), number, entry).unwrap();
        }
        let read = waiting(folder.path())
            .unwrap()
            .into_iter()
            .map(|path| serde_json::from_slice::<Entry>(&std::fs::read(path).unwrap()).unwrap());
        assert_eq!(read.collect::<Vec<_>>(), entries);
    }
}
