//! `trainyard run --watch`: looks for drift at its times and trains anew when there is some, as long as
//! that is not too often. What it did last is kept in the project, so a restart forgets nothing.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use trainyard_base::file::{self, Access};
use trainyard_drift::DatasetVerdict;
use trainyard_mlflow::Tracking;

use crate::agreement::follow_for;
use crate::cron::Cron;
use crate::event::Watcher;
use crate::monitor::MonitorJob;
use crate::notify::{Happened, notify};
use crate::run::{RunOptions, run};
use crate::watch_config::Watch;
use crate::{DriftSummary, Error, Project, Result, Summary};

/// Time between two looks when the project does not say.
const EVERY: Duration = Duration::from_hours(1);

/// Trainings that are remembered: more than can be in a day.
const TRAININGS_MAX: usize = 1000;

/// What one look led to.
#[derive(Debug)]
pub enum Turn {
    /// Too little was predicted to say anything.
    TooFew { rows: usize, wanted: usize },
    /// No drift, perhaps a warning: also where too few values came to judge any column.
    Steady(DriftSummary),
    /// Nobody can tell whether there is drift: columns are gone, empty or unreadable. Nothing is trained
    /// on such data.
    Broken(DriftSummary),
    /// Drift, but it is not time to train; why.
    Held { drift: DriftSummary, reason: String },
    /// Drift, and a training that went through the gate and serves.
    Retrained { drift: DriftSummary, summary: Box<Summary> },
    /// Drift, and a training that did not get through.
    Refused { drift: DriftSummary, error: Error },
    /// The look itself failed; there will be another.
    Failed(Error),
}

/// Looks for drift at the project's times, until the future is dropped. `told` hears of every look.
///
/// # Errors
///
/// Only when the times themselves cannot be had: a look that fails is told and followed by the next.
pub async fn watch(
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    watcher: Watcher<'_>,
    told: &(dyn Fn(&Turn) + Send + Sync),
) -> Result<()> {
    let times = Times::of(&project.config.watch)?;
    loop {
        let now = Utc::now();
        let next = times.after(now).ok_or_else(|| Error::Missing {
            what: "watch.cron has no next time".to_owned(),
            hint: "change `cron` under [watch]".to_owned(),
        })?;
        let pause = (next - now).to_std().unwrap_or_default();
        follow_for(project, tracking, &options.program, watcher, pause).await;
        let turn = turn(project, tracking, options, watcher).await.unwrap_or_else(Turn::Failed);
        told(&turn);
    }
}

/// When to look.
enum Times {
    Every(TimeDelta),
    Cron(Cron),
}

impl Times {
    fn of(config: &Watch) -> Result<Self> {
        let wrong = |reason: String| Error::Missing {
            what: format!("[watch]: {reason}"),
            hint: "cron's words are minute, hour, day, month, weekday".to_owned(),
        };
        if let Some(cron) = &config.cron {
            return Ok(Self::Cron(cron.parse().map_err(wrong)?));
        }
        let every = TimeDelta::from_std(config.every.unwrap_or(EVERY));
        Ok(Self::Every(every.map_err(|error| wrong(error.to_string()))?))
    }

    fn after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(every) => now.checked_add_signed(*every),
            Self::Cron(cron) => cron.after(now),
        }
    }
}

/// One look and what follows from it.
async fn turn(
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    watcher: Watcher<'_>,
) -> Result<Turn> {
    let config = &project.config.watch;
    let mut memory = Memory::read(project)?;
    let since = memory.trainings_ms.last().copied().and_then(DateTime::from_timestamp_millis);
    let job = MonitorJob::of_project(project, tracking);
    let monitored = match job.compare(since, &|_, _| {}).await {
        Ok(monitored) => monitored,
        Err(Error::NothingPredicted { .. }) => {
            return Ok(Turn::TooFew { rows: 0, wanted: config.min_requests });
        }
        Err(error) => return Err(error),
    };
    let rows = usize::try_from(monitored.drift.current_rows).unwrap_or(usize::MAX);
    if rows < config.min_requests {
        return Ok(Turn::TooFew { rows, wanted: config.min_requests });
    }
    let drift = job.report(&monitored).await?;
    if !drift.is_alarming() {
        return Ok(Turn::Steady(drift));
    }
    notify(project, &[Happened::Drift(drift.clone())]).await;
    if drift.verdict == DatasetVerdict::Broken {
        return Ok(Turn::Broken(drift));
    }
    let now = Utc::now();
    if let Some(reason) = memory.held(config, now) {
        return Ok(Turn::Held { drift, reason });
    }
    // Remembered before it begins: a training that kills this program must not begin again at once.
    memory.trainings_ms.push(now.timestamp_millis());
    memory.write(project)?;
    let mut options = options.clone();
    options.tags = tags(&drift, monitored.version.as_deref().unwrap_or_default());
    match run(project, tracking, options, watcher).await {
        Ok(summary) => Ok(Turn::Retrained { drift, summary: Box::new(summary) }),
        Err(error) => Ok(Turn::Refused { drift, error }),
    }
}

/// Why a training run was started, on the run itself.
fn tags(drift: &DriftSummary, version: &str) -> Vec<(String, String)> {
    let mut tags = vec![
        ("trainyard.trigger".to_owned(), "drift".to_owned()),
        (
            "trainyard.trigger.reason".to_owned(),
            format!(
                "{} of {} columns drifted in {} requests to version {version}",
                drift.drifted_columns, drift.columns, drift.rows
            ),
        ),
    ];
    if let Some(run) = &drift.run_id {
        tags.push(("trainyard.trigger.run_id".to_owned(), run.clone()));
    }
    tags
}

/// What is remembered from one look to the next (`.trainyard/watch.json`).
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Memory {
    /// When trainings began, in milliseconds since 1970, oldest first.
    trainings_ms: Vec<i64>,
}

impl Memory {
    fn path(project: &Project) -> PathBuf {
        project.state_folder().join("watch.json")
    }

    fn read(project: &Project) -> Result<Self> {
        let path = Self::path(project);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::io(&path, std::io::Error::other(error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io(&path, error)),
        }
    }

    /// Durable: what is forgotten is trained once more.
    fn write(&mut self, project: &Project) -> Result<()> {
        let old = self.trainings_ms.len().saturating_sub(TRAININGS_MAX);
        self.trainings_ms.drain(..old);
        let path = Self::path(project);
        let failed = |source| Error::io(&path, source);
        let bytes = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        std::fs::create_dir_all(project.state_folder()).map_err(failed)?;
        file::replace(&path, &bytes, Access::Usual).map_err(failed)
    }

    /// Why no training may begin now.
    fn held(&self, config: &Watch, now: DateTime<Utc>) -> Option<String> {
        let since = |time: &i64| {
            Duration::from_millis(u64::try_from(now.timestamp_millis() - *time).unwrap_or(0))
        };
        if let Some(ago) = self.trainings_ms.last().map(since).filter(|ago| *ago < config.cool_down)
        {
            let left = config.cool_down.saturating_sub(ago).as_secs();
            return Some(format!(
                "the last training was {} s ago, cool-down ends in {left} s",
                ago.as_secs()
            ));
        }
        let day = Duration::from_hours(24);
        let today = self.trainings_ms.iter().filter(|time| since(time) < day).count();
        (today >= config.max_per_day as usize)
            .then(|| format!("{today} trainings in 24 hours, {} are allowed", config.max_per_day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trainings_are_not_too_often() {
        let config =
            Watch { cool_down: Duration::from_hours(1), max_per_day: 2, ..Watch::default() };
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let held = |trainings: &[i64]| {
            let ago = |minutes: &i64| (now - TimeDelta::minutes(*minutes)).timestamp_millis();
            Memory { trainings_ms: trainings.iter().map(ago).collect() }.held(&config, now)
        };
        assert_eq!(held(&[]), None);
        assert_eq!(held(&[61]), None);
        let text = held(&[20]).unwrap();
        assert_eq!(text, "the last training was 1200 s ago, cool-down ends in 2400 s");
        assert_eq!(held(&[600, 90]).unwrap(), "2 trainings in 24 hours, 2 are allowed");
        assert_eq!(held(&[2000, 90]), None);
    }

    #[test]
    fn an_hour_is_usual() {
        let times = Times::of(&Watch::default()).unwrap();
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(times.after(now), Some(now + TimeDelta::hours(1)));
    }
}
