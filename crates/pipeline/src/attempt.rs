//! What followed from a look at production data, written on the look itself: the monitoring run in the tracking
//! store. So quota, cool-down and back-off outlive restarts, machines and runners, and other tools can read them.
//!
//! The tag `trainyard.retraining` of the run is `started` before a training begins, then `trained`, with the
//! version, or `failed`, with the reason. What a training cost is read off the versions it made.

use chrono::{DateTime, Utc};
use trainyard_mlflow::entities::{KeyValue, LifecycleStage, ModelVersion, Run};
use trainyard_mlflow::{SearchRuns, Tracking};

use crate::pace::History;
use crate::registry::{is_settled, versions};
use crate::{Project, Result};

/// Tags of a look.
const STATE_TAG: &str = "trainyard.retraining";
const REASON_TAG: &str = "trainyard.retraining.reason";
const VERSION_TAG: &str = "trainyard.retraining.version";

/// Tags of what was trained because of a look: of the training run, the first of its version as well.
const TRIGGER_TAG: &str = "trainyard.trigger";
const TRIGGER_REASON_TAG: &str = "trainyard.trigger.reason";
const TRIGGER_RUN_TAG: &str = "trainyard.trigger.run_id";

/// Looks that are read back, the newest; more than there can be trainings in a day, at one in two minutes.
const LOOKS_MAX: i64 = 1000;

/// Longest reason in a tag; MLflow takes 8,000 bytes.
const REASON_CHARACTERS_MAX: usize = 1000;

/// A look that a training follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The monitoring run.
    run_id: String,
    reason: String,
}

impl Attempt {
    /// Writes down that a training begins, before it does: one that kills this program must not begin again at
    /// once. None if another look, on another machine, was first.
    pub(crate) async fn begin(
        project: &Project,
        tracking: &Tracking,
        run_id: &str,
        reason: &str,
    ) -> Result<Option<Self>> {
        let reason: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
        let attempt = Self { run_id: run_id.to_owned(), reason };
        attempt.write(tracking, REASON_TAG, &attempt.reason).await?;
        attempt.write(tracking, STATE_TAG, "started").await?;
        // Whoever wrote at the same time sees this one, and both agree on which is first.
        let looks = looks(project, tracking).await?;
        let open = || looks.iter().filter(|look| look.is("started") && is_recent(project, look));
        let mine = open().find(|look| look.run_id == run_id).map(Look::rank);
        if open().any(|look| Some(look.rank()) < mine) {
            attempt.write(tracking, STATE_TAG, "withdrawn").await?;
            return Ok(None);
        }
        Ok(Some(attempt))
    }

    /// The look of this run id, which another process began.
    pub(crate) async fn resume(tracking: &Tracking, run_id: &str) -> Result<Self> {
        let run = tracking.runs.get(run_id).await?;
        let reason = KeyValue::find(&run.data.tags, REASON_TAG).unwrap_or_default().to_owned();
        Ok(Self { run_id: run_id.to_owned(), reason })
    }

    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Tags of the training run: why it was started.
    pub(crate) fn tags_of_run(&self) -> [KeyValue; 3] {
        [
            KeyValue::new(TRIGGER_TAG, "drift"),
            KeyValue::new(TRIGGER_REASON_TAG, &self.reason),
            KeyValue::new(TRIGGER_RUN_TAG, &self.run_id),
        ]
    }

    /// Tag of the version: by it the trainings of a day are counted.
    pub(crate) fn tag_of_version() -> KeyValue {
        KeyValue::new(TRIGGER_TAG, "drift")
    }

    /// A version came of it.
    pub(crate) async fn trained(&self, tracking: &Tracking, version: &str) -> Result<()> {
        self.write(tracking, VERSION_TAG, version).await?;
        self.write(tracking, STATE_TAG, "trained").await
    }

    /// Whether a version came of it of which it is settled what becomes of it.
    pub(crate) async fn is_settled(&self, project: &Project, tracking: &Tracking) -> Result<bool> {
        let run = tracking.runs.get(&self.run_id).await?;
        let Some(version) = KeyValue::find(&run.data.tags, VERSION_TAG) else { return Ok(false) };
        let versions = versions(tracking, &project.config.model.name).await?;
        Ok(versions.iter().find(|one| one.version == version).is_some_and(is_settled))
    }

    /// Nothing came of it, or what came could not be released: the requests that the look saw are looked at
    /// again.
    pub(crate) async fn failed(&self, tracking: &Tracking, reason: &str) -> Result<()> {
        let reason: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
        self.write(tracking, REASON_TAG, &reason).await?;
        self.write(tracking, STATE_TAG, "failed").await
    }

    async fn write(&self, tracking: &Tracking, key: &str, value: &str) -> Result<()> {
        Ok(tracking.runs.set_tag(&self.run_id, KeyValue::new(key, value)).await?)
    }
}

/// A look as it is read back.
#[derive(Debug, Clone)]
struct Look {
    run_id: String,
    time: DateTime<Utc>,
    state: String,
    version: Option<String>,
}

impl Look {
    /// None where the run is none of this model's looks.
    fn of(run: &Run, model: &str) -> Option<Self> {
        let tag = |key: &str| KeyValue::find(&run.data.tags, key);
        if tag("trainyard.model") != Some(model) {
            return None;
        }
        Some(Self {
            run_id: run.info.run_id.clone(),
            time: DateTime::from_timestamp_millis(run.info.start_time?)?,
            state: tag(STATE_TAG)?.to_owned(),
            version: tag(VERSION_TAG).map(str::to_owned),
        })
    }

    fn is(&self, state: &str) -> bool {
        self.state == state
    }

    /// Of looks that begin a training at the same time the least goes on.
    fn rank(&self) -> (DateTime<Utc>, String) {
        (self.time, self.run_id.clone())
    }
}

/// Whether a training that began then may still run.
fn is_recent(project: &Project, look: &Look) -> bool {
    let age = (Utc::now() - look.time).to_std().unwrap_or_default();
    age < project.config.watch.cool_down
}

/// The newest looks that something followed from, newest first.
async fn looks(project: &Project, tracking: &Tracking) -> Result<Vec<Look>> {
    let name = project.config.monitoring_experiment();
    let experiment = match tracking.experiments.get_by_name(&name).await {
        Ok(experiment) if experiment.lifecycle_stage == LifecycleStage::Active => experiment,
        Ok(_deleted) => return Ok(Vec::new()),
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let search = SearchRuns {
        experiment_ids: vec![experiment.experiment_id],
        filter: format!("tags.`{STATE_TAG}` LIKE '%'"),
        max_results: Some(LOOKS_MAX),
        order_by: vec!["attributes.start_time DESC".to_owned()],
        ..SearchRuns::default()
    };
    let model = &project.config.model.name;
    let found = tracking.runs.search(search).await?.items;
    Ok(found.iter().filter_map(|run| Look::of(run, model)).collect())
}

/// What the tracking store knows of trainings so far.
pub(crate) async fn history(project: &Project, tracking: &Tracking) -> Result<History> {
    let looks = looks(project, tracking).await?;
    let versions = versions(tracking, &project.config.model.name).await?;
    let time = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap_or_default();
    let made = |version: &ModelVersion| time(version.creation_timestamp);
    let was_unasked =
        |version: &&ModelVersion| KeyValue::find(&version.tags, TRIGGER_TAG).is_some();
    let led_to_something = |look: &&Look| {
        let mut all = versions.iter();
        let version = all.find(|version| Some(&version.version) == look.version.as_ref());
        // One that was deleted will not be released any more.
        look.is("trained") && version.is_none_or(is_settled)
    };
    let unsuccessful = looks.iter().take_while(|look| !look.is("trained"));
    Ok(History {
        unasked: versions.iter().filter(was_unasked).map(made).collect(),
        last: versions.iter().map(made).max(),
        open: looks.iter().find(|look| look.is("started")).map(|look| look.time),
        failures: unsuccessful
            .filter(|look| look.is("failed") || (look.is("started") && !is_recent(project, look)))
            .map(|look| look.time)
            .collect(),
        judged_until: looks.iter().find(led_to_something).map(|look| look.time),
    })
}
