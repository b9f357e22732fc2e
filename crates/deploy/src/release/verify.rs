//! Whether a new instance is good: its runtime's own health check, a direct probe and a real prediction,
//! all of them as often in a row as the release wants, within its deadline.

use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::Instant;

use super::event::ReleaseEvent;
use super::spec::ReleaseSpec;
use crate::deployment::Deployment;
use crate::error::{Error, Result, Unhealthy};
use crate::instance_token::InstanceToken;
use crate::probe::{self, Answer, Probe};
use crate::runtime::{HealthVerdict, Instance, InstanceStatus, Replicas};

/// Time between two rounds of checks.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// An answer to a probe takes no longer than this.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A prediction that fails is asked again a few times: the first may meet a cold cache.
const PREDICTION_TRIES: u32 = 3;

/// What one round of checks found.
enum Round {
    /// All is well.
    Good,
    /// Not yet; what was asked last and what came back.
    NotYet(Seen),
    /// It will not get better.
    Hopeless(Seen),
}

/// A question and its answer.
pub(super) struct Seen {
    question: String,
    answer: String,
}

impl Seen {
    pub(super) fn new(question: impl Into<String>, answer: impl Into<String>) -> Self {
        Self { question: question.into(), answer: answer.into() }
    }
}

/// Checks all instances until each had enough successes in a row, or until the deadline. `serving` goes on
/// serving if green is no good.
pub(crate) async fn wait_healthy(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Replicas,
    start: Instant,
    serving: Option<&Replicas>,
) -> Result<()> {
    let serving = serving.map(Replicas::id);
    let waits = green.all().map(|green| wait_for_one(deployment, spec, green, start, serving));
    try_join_all(waits).await?;
    deployment.step(ReleaseEvent::Healthy { after: start.elapsed() })?;
    if spec.prediction.is_some() {
        deployment.step(ReleaseEvent::Predicted)?;
    }
    Ok(())
}

async fn wait_for_one(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Instance,
    start: Instant,
    serving: Option<&str>,
) -> Result<()> {
    let token = spec.token();
    let mut checks = Checks { deployment, spec, green, token, told: None, predictions_failed: 0 };
    let mut successes = 0;
    loop {
        let left = spec.deadline.saturating_sub(start.elapsed());
        let seen = match checks.round(left).await? {
            Round::Good => {
                successes += 1;
                if successes >= spec.successes_in_row.max(1) {
                    return Ok(());
                }
                tokio::time::sleep(PROBE_INTERVAL.min(left)).await;
                continue;
            }
            Round::NotYet(seen) if !left.is_zero() => {
                successes = 0;
                checks.tell(&seen);
                tokio::time::sleep(PROBE_INTERVAL.min(left)).await;
                continue;
            }
            Round::NotYet(seen) | Round::Hopeless(seen) => seen,
        };
        let mut unhealthy = explain(deployment, spec, green, start, successes, seen).await;
        unhealthy.serving = serving.map(str::to_owned);
        return Err(Error::Unhealthy(Box::new(unhealthy)));
    }
}

struct Checks<'a> {
    deployment: &'a Deployment<'a>,
    spec: &'a ReleaseSpec,
    green: &'a Instance,
    token: Option<InstanceToken>,
    /// The answer that was told last.
    told: Option<String>,
    predictions_failed: u32,
}

impl Checks<'_> {
    async fn round(&mut self, left: Duration) -> Result<Round> {
        let limit = PROBE_TIMEOUT.min(left.max(PROBE_INTERVAL));
        let health = Probe::get(&self.spec.health_path);
        match self.deployment.runtimes.status(self.green).await? {
            InstanceStatus::Running => {}
            InstanceStatus::Awaited(why) => {
                return Ok(Round::NotYet(self.seen(&health, format!("none: {why}"))));
            }
            InstanceStatus::Ended(_) => {
                let answer = self.told.clone().unwrap_or_else(|| "none".to_owned());
                return Ok(Round::Hopeless(self.seen(&health, answer)));
            }
        }
        let (address, token) = (self.green.address, self.token.as_ref());
        let answer = probe::ask(address, &health, token, limit).await;
        let own = self.deployment.runtimes.health(self.green).await?;
        let verdict = own.as_ref().map(|own| own.verdict);
        if verdict == Some(HealthVerdict::Unhealthy) {
            let answer = format!("{answer}; the container's own health check says unhealthy");
            return Ok(Round::Hopeless(self.seen(&health, answer)));
        }
        if answer.is_final() {
            return Ok(Round::Hopeless(self.seen(&health, answer.to_string())));
        }
        if !answer.satisfies(&health) {
            return Ok(Round::NotYet(self.seen(&health, answer.to_string())));
        }
        if verdict == Some(HealthVerdict::Starting) {
            let answer = format!("{answer}; the container's own health check has not passed yet");
            return Ok(Round::NotYet(self.seen(&health, answer)));
        }
        self.tell(&self.seen(&health, answer.to_string()));
        let Some(prediction) = &self.spec.prediction else { return Ok(Round::Good) };
        let left = left.max(PROBE_INTERVAL);
        let answer = probe::ask(address, prediction, self.token.as_ref(), left).await;
        if answer.satisfies(prediction) {
            self.predictions_failed = 0;
            return Ok(Round::Good);
        }
        self.predictions_failed += 1;
        let seen = self.seen(prediction, unexpected(&answer, prediction));
        if self.predictions_failed < PREDICTION_TRIES {
            return Ok(Round::NotYet(seen));
        }
        Ok(Round::Hopeless(seen))
    }

    fn seen(&self, probe: &Probe, answer: String) -> Seen {
        Seen::new(format!("{} http://{}{}", probe.method, self.green.address, probe.path), answer)
    }

    /// Tells an answer unless it is the one before.
    fn tell(&mut self, seen: &Seen) {
        if self.told.as_ref() != Some(&seen.answer) {
            self.deployment.tell(ReleaseEvent::Probed { answer: seen.answer.clone() });
            self.told = Some(seen.answer.clone());
        }
    }
}

/// An answer with what was wanted instead.
fn unexpected(answer: &Answer, prediction: &Probe) -> String {
    if prediction.expect.is_empty() {
        return answer.to_string();
    }
    format!("{answer} (expected 2xx with {:?})", prediction.expect)
}

/// Everything that is known about an instance that failed.
pub(super) async fn explain(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Instance,
    start: Instant,
    successes: u32,
    seen: Seen,
) -> Unhealthy {
    // Asked now, whatever ended the checks: an instance that ends between two questions looks sick, or
    // does not answer, before it looks ended.
    let exit = match deployment.runtimes.status(green).await {
        Ok(InstanceStatus::Ended(how)) => Some(how),
        Ok(InstanceStatus::Running | InstanceStatus::Awaited(_)) | Err(_) => None,
    };
    // These only add to the message: one that cannot be had must not hide it.
    let health_log = match deployment.runtimes.health(green).await {
        Ok(health) => health.map(|health| health.log).unwrap_or_default(),
        Err(error) => vec![error.to_string()],
    };
    let events = deployment.runtimes.events(green).await;
    Unhealthy {
        instance: green.id.clone(),
        probe: seen.question,
        answer: seen.answer,
        successes: (successes, spec.successes_in_row),
        waited: start.elapsed(),
        exit,
        health_log,
        events: events.unwrap_or_else(|error| vec![error.to_string()]),
        log: deployment.log_lines(green).await,
        log_path: green.log_path.clone(),
        serving: None,
    }
}
