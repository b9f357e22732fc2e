//! The time in which green is a candidate: the gateway gives it copies of requests or a share of them, and
//! judges it. What only the runtime knows is told to the gateway, which drops green; here it is watched for how
//! long that goes on.
//!
//! The gateway is told for how long. If the deployer dies, it sends everything to blue again by itself.

use std::time::Duration;

use tokio::time::Instant;

use super::bake::{most_telling, tell_end, tell_sickness};
use super::spec::ReleaseSpec;
use crate::clock::now_ms;
use crate::deployment::Deployment;
use crate::error::{Dropped, Error, Result, indent};
use crate::gateway::control::Try;
use crate::gateway::{ABANDONED, CandidateState, CopiesSeen, Gets, StepSeen, TargetSpec, WentBack};
use crate::runtime::Replicas;

/// How often the gateway is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// How often the runtime is asked how green is.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// How much longer than a step the gateway waits for the next: a deployer may be slow to come back.
const GRACE: Duration = Duration::from_secs(30);

/// A green that is not switched to yet, beside blue.
pub(super) struct Candidacy<'a> {
    pub(super) deployment: &'a Deployment<'a>,
    pub(super) spec: &'a ReleaseSpec,
    pub(super) green: &'a Replicas,
    pub(super) blue: &'a Replicas,
    /// Green, as the gateway knows it.
    pub(super) target: TargetSpec,
}

/// What was seen in one part of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) copies: CopiesSeen,
    pub(super) step: Option<StepSeen>,
}

impl Candidacy<'_> {
    /// Lets green get something for a time. `during` says what, for a message.
    pub(super) async fn pass(&self, during: &str, gets: Gets, time: Duration) -> Result<Seen> {
        let Self { deployment, green, blue, .. } = *self;
        let patience = u64::try_from((time + GRACE).as_millis()).unwrap_or(u64::MAX);
        let candidate = CandidateState {
            target: self.target.clone(),
            gets,
            limits: self.spec.bake_limits,
            until_ms: now_ms().saturating_add(patience),
            steps: Vec::new(),
        };
        let beside = blue.id().to_owned();
        deployment.control.try_candidate(&Try { beside, candidate }).await?;
        let start = Instant::now();
        let mut seen = Seen::default();
        let mut looked: Option<Instant> = None;
        loop {
            if let Some(status) = deployment.control.status().await? {
                let route = status.route;
                if let Some(went_back) = route.went_back.filter(|back| back.from == green.id()) {
                    return Err(self.dropped(during, went_back).await);
                }
                let Some(now) = route.candidate.filter(|now| now.target.id == green.id()) else {
                    return Err(Error::Control {
                        request: "trial of a candidate",
                        reason: format!("it tries {} no more", green.id()),
                    });
                };
                seen.step = now.steps.last().copied();
                seen.copies = status.copies.unwrap_or_default();
            }
            if looked.is_none_or(|looked| looked.elapsed() >= HEALTH_INTERVAL) {
                looked = Some(Instant::now());
                tell_sickness(deployment, green).await?;
            }
            if !tell_end(deployment, green).await? && start.elapsed() >= time {
                return Ok(seen);
            }
            tokio::time::sleep(WATCH_INTERVAL).await;
        }
    }

    /// The gateway gave green up.
    async fn dropped(&self, during: &str, went_back: WentBack) -> Error {
        let told = most_telling(self.deployment, self.green).await;
        Error::Dropped(Box::new(Dropped {
            green: self.green.id().to_owned(),
            blue: self.blue.id().to_owned(),
            reason: format!("{during}: {}", went_back.reason),
            is_verdict: went_back.reason != ABANDONED,
            log: indent(&self.deployment.log_lines(told).await),
            log_path: told.log_path.clone(),
        }))
    }
}
