//! One look at production data, and a training if it is time for one: what `run --watch` does again and again,
//! and `trainyard retrain` once, for a timer or a workflow at night. The rules are the same.

use chrono::{DateTime, TimeDelta, Utc};
use trainyard_drift::DatasetVerdict;
use trainyard_mlflow::Tracking;
use trainyard_report::drift as report;

use crate::attempt::{Attempt, history};
use crate::event::Watcher;
use crate::monitor::MonitorJob;
use crate::notify::{Happened, notify};
use crate::pace::History;
use crate::registry::is_settled;
use crate::retraining_lock::RetrainingLock;
use crate::run::{RunOptions, run};
use crate::train::nothing_new;
use crate::troubles::Troubles;
use crate::{DriftSummary, Error, Project, Result, Summary};

/// How far a look goes back where `[monitor] since` does not say: old requests must not hide what changed.
const WINDOW: TimeDelta = TimeDelta::days(7);

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
    /// Drift, but data and settings are those of this version, which was trained last.
    NothingNew { drift: DriftSummary, version: String },
    /// Drift, but it is not time to train; why.
    Held { drift: DriftSummary, reason: String },
    /// Drift, and it is time to train: the run of the look, which waits for what becomes of it.
    Due { drift: DriftSummary, look: String },
    /// Drift, and a version that went through the gate and serves.
    Retrained { drift: DriftSummary, summary: Box<Summary> },
    /// Drift, and a retraining that did not get to its end.
    Refused { drift: DriftSummary, error: Error },
    /// The look itself failed; there will be another.
    Failed(Error),
}

impl Turn {
    /// What it led to, in a word for programs.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::TooFew { .. } => "too_few",
            Self::Steady(_) => "steady",
            Self::Broken(_) => "broken",
            Self::NothingNew { .. } => "nothing_new",
            Self::Held { .. } => "held",
            Self::Due { .. } => "due",
            Self::Retrained { .. } => "retrained",
            Self::Refused { .. } => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// What was found, where something was compared.
    pub fn drift(&self) -> Option<&DriftSummary> {
        match self {
            Self::Steady(drift)
            | Self::Broken(drift)
            | Self::NothingNew { drift, .. }
            | Self::Held { drift, .. }
            | Self::Due { drift, .. }
            | Self::Retrained { drift, .. }
            | Self::Refused { drift, .. } => Some(drift),
            Self::TooFew { .. } | Self::Failed(_) => None,
        }
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        let found = self.drift().map(DriftSummary::sentence).unwrap_or_default();
        match self {
            Self::TooFew { rows, wanted } => {
                format!("{rows} requests so far, {wanted} are needed to look for drift")
            }
            Self::Steady(_) => found,
            Self::Broken(_) => format!("{found}; not trained: nobody can tell what changed"),
            Self::NothingNew { version, .. } => {
                format!("{found}; not trained: nothing new to learn from since version {version}")
            }
            Self::Held { reason, .. } => format!("{found}; not trained: {reason}"),
            Self::Due { .. } => format!("{found}; it is time to train"),
            Self::Retrained { summary, .. } => {
                format!("{found}; version {} serves now", summary.model.version)
            }
            Self::Refused { error, .. } => {
                format!("{found}; the retraining stopped: {}", error.message())
            }
            Self::Failed(error) => format!("could not look for drift: {}", error.message()),
        }
    }
}

/// A look, and what was found as Markdown.
#[derive(Debug)]
pub struct Looked {
    pub turn: Turn,
    /// None where nothing was compared.
    pub report: Option<String>,
    /// Held until what follows has been done.
    lock: Option<RetrainingLock>,
}

impl From<Turn> for Looked {
    fn from(turn: Turn) -> Self {
        Self { turn, report: None, lock: None }
    }
}

/// Looks once, and trains, gates and releases if it is time to.
///
/// # Errors
///
/// If the look failed. What failed after it is a turn of its own.
pub async fn retrain(
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    watcher: Watcher<'_>,
) -> Result<Looked> {
    turn(project, tracking, options, watcher, &mut Troubles::default()).await
}

/// Looks once, and only says whether it is time to train: [`Turn::Due`] is written down, so that nobody else
/// trains at the same time, and whoever does ([`crate::TrainOptions::look`]) completes it.
///
/// # Errors
///
/// If the look failed.
pub async fn look(project: &Project, tracking: &Tracking) -> Result<Looked> {
    let mut troubles = Troubles::default();
    troubles.look_for_outage(project).await;
    let looked = Box::pin(look_for_drift(project, tracking, false)).await;
    troubles.looked(project, looked.as_ref().err()).await;
    looked
}

/// [`retrain`] that tells of troubles only if they are new.
pub(crate) async fn turn(
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    watcher: Watcher<'_>,
    troubles: &mut Troubles,
) -> Result<Looked> {
    troubles.look_for_outage(project).await;
    let looked = Box::pin(look_for_drift(project, tracking, true)).await;
    troubles.looked(project, looked.as_ref().err()).await;
    let Looked { turn, report, lock } = looked?;
    let (drift, run_id) = match turn {
        Turn::Due { drift, look } => (drift, look),
        turn => return Ok(Looked { turn, report, lock: None }),
    };
    let options = RunOptions { only_if_new: true, look: Some(run_id.clone()), ..options.clone() };
    let turn = match Box::pin(run(project, tracking, options, watcher)).await {
        Ok(summary) => Turn::Retrained { drift, summary: Box::new(summary) },
        Err(error) => {
            look_failed(project, tracking, &run_id, &error).await;
            Turn::Refused { drift, error }
        }
    };
    drop(lock);
    Ok(Looked { turn, report, lock: None })
}

/// Writes down that nothing came of a look, unless something did (the gate refused what was trained; it serves,
/// and a step behind that failed): the requests that it saw are looked at again.
pub async fn look_failed(project: &Project, tracking: &Tracking, look: &str, error: &Error) {
    let written = async {
        let attempt = Attempt::resume(tracking, look).await?;
        if attempt.is_settled(project, tracking).await? {
            return Ok(());
        }
        attempt.failed(tracking, &error.message()).await
    };
    if let Err(error) = written.await {
        // It stays as one that began, which is waited for as long as a cool-down.
        tracing::error!(%error, look, "it cannot be written down that a training failed");
    }
}

/// Compares, and decides. With `releases`, a version that was trained on the same and is not released yet is a
/// reason to go on.
async fn look_for_drift(project: &Project, tracking: &Tracking, releases: bool) -> Result<Looked> {
    let wanted = project.config.watch.min_requests;
    let past = history(project, tracking).await?;
    let job = MonitorJob::of_project(project, tracking);
    let monitored = match job.compare(window(project, &past, Utc::now()), &|_, _| {}).await {
        Ok(monitored) => monitored,
        Err(
            Error::NothingPredicted { .. } | Error::Data(trainyard_data::Error::NoRowsKept { .. }),
        ) => return Ok(Turn::TooFew { rows: 0, wanted }.into()),
        Err(error) => return Err(error),
    };
    let rows = usize::try_from(monitored.drift.current_rows).unwrap_or(usize::MAX);
    if rows < wanted {
        return Ok(Turn::TooFew { rows, wanted }.into());
    }
    let drift = job.report(&monitored).await?;
    let report = Some(report::markdown(&monitored.drift, &monitored.meta));
    if !drift.is_alarming() {
        return Ok(Looked { turn: Turn::Steady(drift), report, lock: None });
    }
    notify(project, &[Happened::Drift(drift.clone())]).await;
    if drift.verdict == DatasetVerdict::Broken {
        return Ok(Looked { turn: Turn::Broken(drift), report, lock: None });
    }
    let Some(lock) = RetrainingLock::take(project)? else {
        let reason = "another process of this machine trains".to_owned();
        return Ok(Looked { turn: Turn::Held { drift, reason }, report, lock: None });
    };
    let version = monitored.version.unwrap_or_default();
    let turn = decide(project, tracking, drift, &version, releases).await?;
    Ok(Looked { turn, report, lock: Some(lock) })
}

/// From when on requests count: those of the window, and none that led to something already.
fn window(project: &Project, past: &History, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let usual = project.config.monitor.since.is_none().then(|| now - WINDOW);
    past.judged_until.max(usual)
}

/// Whether drift leads to a training. Nobody else of this machine decides meanwhile.
async fn decide(
    project: &Project,
    tracking: &Tracking,
    drift: DriftSummary,
    version: &str,
    releases: bool,
) -> Result<Turn> {
    let past = history(project, tracking).await?;
    let config = &project.config.watch;
    if let Some(reason) = past.waits(config, Utc::now()) {
        return Ok(Turn::Held { drift, reason });
    }
    match nothing_new(project, tracking).await? {
        // What is left to do of it is no training.
        Some(last) if releases && !is_settled(&last) => {}
        Some(last) => return Ok(Turn::NothingNew { drift, version: last.version }),
        None => {
            if let Some(reason) = past.is_spent(config, Utc::now()) {
                return Ok(Turn::Held { drift, reason });
            }
        }
    }
    let reason = format!(
        "{} of {} columns drifted in {} requests to version {version}",
        drift.drifted_columns, drift.columns, drift.rows
    );
    let look = drift.run_id.clone().unwrap_or_default();
    Ok(match Attempt::begin(project, tracking, &look, &reason).await? {
        Some(attempt) => Turn::Due { drift, look: attempt.run_id().to_owned() },
        None => Turn::Held { drift, reason: "another machine began to train".to_owned() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn a_look_goes_back_a_week_unless_the_project_says_otherwise() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let text = "[model]\nname = \"M\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        let since = |more: &str, judged: Option<i64>| {
            let project = Project {
                folder: "/p".into(),
                config: Config::parse(&format!("{text}{more}")).unwrap(),
                tracking_uri: String::new(),
            };
            let judged_until = judged.map(|days| now - TimeDelta::days(days));
            window(&project, &History { judged_until, ..History::default() }, now)
                .map(|time| (now - time).num_days())
        };
        assert_eq!(since("", None), Some(7));
        assert_eq!(since("", Some(2)), Some(2));
        assert_eq!(since("", Some(9)), Some(7));
        let own = "[monitor]\nsince = \"30d\"\n";
        assert_eq!(since(own, None), None, "the settings say it");
        assert_eq!(since(own, Some(9)), Some(9));
    }
}
