//! What the pipeline has to say in a release: the alias `Production` moves as its last step, and back where
//! traffic goes back. The alias is what counts; tags and records of it are kept and told when they can be.
//!
//! The same methods bring a release to its end whose deployer was killed ([`trainyard_deploy::settle`]); what
//! they need to know is in the labels of the two instances.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::Utc;
use tokio::time::timeout;
use trainyard_base::{Advice, Advise as _};
use trainyard_deploy::{Cause, GoneBack, Kind, Refusal, Review, Sides};
use trainyard_mlflow::{Tracking, VersionId};

use crate::alias::{PRODUCTION, number};
use crate::behaviour::{self, Behaviour};
use crate::candidate::Candidate;
use crate::event::{Step, Watcher};
use crate::labels::version_of;
use crate::releases::{Entry, FAILED, RELEASED, Record, keep};
use crate::states::{State, Transition};
use crate::{Error, Project, Result, owner};

/// How long the registry may take to move an alias. Blue is warm meanwhile, and traffic goes back to it after.
const MOVE_LIMIT: Duration = Duration::from_secs(30);

/// The same once it has not answered in time: it is down, and whoever waits is to hear of it.
const SILENT_LIMIT: Duration = Duration::from_secs(3);

/// How long it is waited for without a word.
const QUIET_LIMIT: Duration = Duration::from_secs(3);

/// How long a note beside the alias may take.
const NOTE_LIMIT: Duration = Duration::from_secs(10);

/// The review of one release.
pub(crate) struct ReleaseReview<'a> {
    project: &'a Project,
    tracking: &'a Tracking,
    watcher: Watcher<'a>,
    /// The version that green serves; none where what served before serves again, or where an earlier release
    /// is brought to its end.
    candidate: Option<&'a Candidate>,
    /// When the release began, where that was just now.
    started: Option<Instant>,
    /// Whether it is written down how the release ended.
    is_recorded: AtomicBool,
    /// Whether the registry did not answer in time.
    is_silent: AtomicBool,
    /// How the answers of both versions compare, once that was looked at.
    behaviour: Mutex<Option<Behaviour>>,
}

impl<'a> ReleaseReview<'a> {
    /// The review of a release or rollback that begins now.
    pub(crate) fn new(
        project: &'a Project,
        tracking: &'a Tracking,
        watcher: Watcher<'a>,
        candidate: Option<&'a Candidate>,
    ) -> Self {
        let (is_recorded, is_silent) = (AtomicBool::new(false), AtomicBool::new(false));
        let started = Some(Instant::now());
        let behaviour = Mutex::new(None);
        Self { project, tracking, watcher, candidate, started, is_recorded, is_silent, behaviour }
    }

    /// The review of a release that somebody else began.
    pub(crate) fn of_the_past(
        project: &'a Project,
        tracking: &'a Tracking,
        watcher: Watcher<'a>,
    ) -> Self {
        Self { started: None, ..Self::new(project, tracking, watcher, None) }
    }

    /// Writes down how it ended, unless that was done on the way.
    pub(crate) async fn ended(
        &self,
        cause: &Cause,
        versions: (Option<&str>, &str),
        outcome: &str,
        verdict: &str,
    ) {
        if !self.is_recorded.load(Ordering::Relaxed) {
            let entry = self.record(cause, versions, outcome, verdict);
            self.keep(&[entry]).await;
        }
    }

    /// How the answers of both versions compare; none where nothing was compared.
    pub(crate) fn behaviour(&self) -> Option<Behaviour> {
        self.behaviour.lock().ok().and_then(|found| found.clone())
    }

    fn record(
        &self,
        cause: &Cause,
        (from, to): (Option<&str>, &str),
        outcome: &str,
        verdict: &str,
    ) -> Entry {
        self.is_recorded.store(true, Ordering::Relaxed);
        Entry::Release(Box::new(Record {
            model: self.project.config.model.name.clone(),
            from: from.map(str::to_owned),
            to: to.to_owned(),
            outcome: outcome.to_owned(),
            verdict: verdict.to_owned(),
            at_ms: Utc::now().timestamp_millis(),
            took_seconds: self.started.map(|started| started.elapsed().as_secs_f64()),
            cause: cause.clone(),
            behaviour: self.behaviour(),
        }))
    }

    fn transition(&self, cause: &Cause, version: &str, state: State, what: String) -> Entry {
        let name = &self.project.config.model.name;
        Entry::State(Transition::now(name, version, state, cause, what))
    }

    /// Points `Production` at a version, wherever it pointed before.
    async fn move_alias(&self, version: &str) -> Result<(), Refusal> {
        let id = VersionId { name: &self.project.config.model.name, version };
        let moving = self.tracking.registered_models.set_alias(id, PRODUCTION);
        self.in_time(async { moving.await.map_err(Error::from) }).await
    }

    /// Writes down whose `Production` is now. The alias has moved, which is what counts.
    async fn take_production(&self) {
        let taking = owner::take(self.project, self.tracking);
        match timeout(NOTE_LIMIT, taking).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(place))) => {
                let text = format!("{PRODUCTION} was that of the deployment of {place}");
                Step::Deploy.tell(self.watcher, text);
            }
            Ok(Err(error)) => {
                tracing::warn!(error = error.message(), "whose Production is is not written down");
            }
            Err(_late) => tracing::warn!("whose Production is is not written down in time"),
        }
    }

    async fn production(&self) -> Result<Option<String>, Refusal> {
        let name = &self.project.config.model.name;
        self.in_time(number(self.tracking, name, PRODUCTION)).await
    }

    /// How long the registry is waited for now.
    fn patience(&self) -> Duration {
        if self.is_silent.load(Ordering::Relaxed) { SILENT_LIMIT } else { MOVE_LIMIT }
    }

    /// What the registry says within the limit. That it is waited for is told.
    async fn in_time<T>(&self, asking: impl Future<Output = Result<T>>) -> Result<T, Refusal> {
        let limit = self.patience();
        let mut asking = pin!(asking);
        let mut answered = timeout(QUIET_LIMIT, asking.as_mut()).await;
        if answered.is_err() && limit > QUIET_LIMIT {
            let seconds = limit.as_secs();
            let text =
                format!("the registry does not answer; it is waited for, {seconds} s at most");
            Step::Deploy.tell(self.watcher, text);
            answered = timeout(limit.saturating_sub(QUIET_LIMIT), asking).await;
        }
        match answered {
            Ok(answered) => answered.map_err(|error| Refusal::Failure {
                reason: error.message(),
                advice: error.advice(),
            }),
            Err(_elapsed) => {
                self.is_silent.store(true, Ordering::Relaxed);
                let advice = "see whether the tracking server is up, then deploy again";
                Err(Refusal::Failure {
                    reason: format!("the registry does not answer within {} s", limit.as_secs()),
                    advice: Advice::environment(advice),
                })
            }
        }
    }

    /// Keeps entries, and tells the store what it can be told now.
    async fn keep(&self, entries: &[Entry]) {
        keep(self.project, self.tracking, entries, self.patience()).await;
    }
}

/// What becomes of the version that served before. To go back to an older one is a verdict on it; to go on to a
/// newer one is none, whatever it is called.
fn left(kind: Kind, blue: &str, green: &str) -> (State, String) {
    let number = |version: &str| version.parse::<u64>().ok();
    let is_older = match (number(green), number(blue)) {
        (Some(green), Some(blue)) => green < blue,
        _ => true,
    };
    match kind {
        Kind::Rollback if is_older => (State::RolledBack, format!("back to version {green}")),
        _ => (State::Replaced, format!("version {green} replaced it")),
    }
}

/// The versions of blue and green; the first is none where nothing served before.
fn versions(sides: &Sides) -> (Option<&str>, &str) {
    let blue = sides.blue.as_ref().and_then(|blue| version_of(&blue.label));
    (blue, version_of(&sides.green.label).unwrap_or_default())
}

#[async_trait]
impl Review for ReleaseReview<'_> {
    async fn before_switch(&self, sides: &Sides) -> Result<Option<String>, Refusal> {
        let found = match (self.candidate, versions(sides)) {
            (Some(candidate), _) => {
                let blue = sides.blue.as_ref().map(|blue| blue.address);
                let green = sides.green.address;
                let comparing =
                    behaviour::compare(self.project, candidate, blue, green, self.watcher);
                comparing.await.map_err(|error| Refusal::failure(&error))?
            }
            // What served before was looked at when it came.
            (None, (Some(blue), green)) => {
                behaviour::going_back(self.project, self.tracking, blue, green, self.watcher).await
            }
            (None, (None, _)) => return Ok(None),
        };
        if let Ok(mut slot) = self.behaviour.lock() {
            *slot = Some(found.clone());
        }
        match found.refusal() {
            Some(reason) => Err(Refusal::Verdict {
                reason,
                hint: "the release's run in the tracking store has the report (behaviour.json); \
                       `max_changed` under [gate.behaviour] says how much may change"
                    .to_owned(),
            }),
            None => Ok(found.verdict()),
        }
    }

    async fn before_blue_stops(&self, sides: &Sides) -> Result<(), Refusal> {
        let (blue, green) = versions(sides);
        let named = self.production().await?;
        if let Some(named) = named.as_deref()
            && named != green
            && Some(named) != blue
        {
            let text = format!("{PRODUCTION} named version {named} meanwhile, which is not served");
            Step::Deploy.tell(self.watcher, text);
        }
        if named.as_deref() != Some(green) {
            self.move_alias(green).await?;
            self.take_production().await;
        }
        Step::Deploy.tell(self.watcher, format!("{PRODUCTION} is version {green}"));
        let cause = &sides.cause;
        let mut entries = Vec::new();
        if let Some(blue) = blue.filter(|blue| *blue != green) {
            let (state, what) = left(cause.kind, blue, green);
            entries.push(self.transition(cause, blue, state, what));
        }
        let what = "it passed all checks of the release".to_owned();
        entries.push(self.transition(cause, green, State::Released, what));
        entries.push(self.record(cause, (blue, green), RELEASED, "all checks passed"));
        self.keep(&entries).await;
        Ok(())
    }

    async fn after_going_back(&self, sides: &Sides, why: &GoneBack) -> Result<(), Refusal> {
        let (blue, green) = versions(sides);
        let GoneBack { reason, is_verdict } = why;
        // Why it was released is not why it was taken back.
        let taker = Cause { reason: None, ..sides.cause.clone() };
        let mut entries = Vec::new();
        if let Some(blue) = blue.filter(|blue| *blue != green) {
            let named = self.production().await?;
            let is_green = named.as_deref() == Some(green);
            // A move that was given up may still be on its way: what is set now comes after it.
            if is_green || named.as_deref() == Some(blue) {
                self.move_alias(blue).await?;
            }
            if is_green {
                Step::Deploy.tell(self.watcher, format!("{PRODUCTION} is version {blue} again"));
                let what = format!("version {green} was taken back: {reason}");
                entries.push(self.transition(&taker, blue, State::Released, what));
            }
            if *is_verdict {
                entries.push(self.transition(&taker, green, State::RolledBack, reason.clone()));
            }
        }
        let outcome = if *is_verdict { State::RolledBack.name() } else { FAILED };
        entries.push(self.record(&sides.cause, (blue, green), outcome, reason));
        self.keep(&entries).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_going_back_to_an_older_version_is_a_verdict() {
        let state = |kind, blue, green| left(kind, blue, green).0;
        assert_eq!(state(Kind::Rollback, "10", "9"), State::RolledBack);
        assert_eq!(state(Kind::Rollback, "9", "10"), State::Replaced);
        assert_eq!(state(Kind::Release, "10", "9"), State::Replaced);
    }
}
