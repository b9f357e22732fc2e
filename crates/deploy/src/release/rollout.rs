//! A release: bring the new instance up beside the old one, let health decide, move the traffic, and
//! stop the old one last.
//!
//! Each step is in the journal before the next begins, and none leaves a state that the next release
//! cannot go on from: where traffic goes is what the gateway says (and has on disk); every other
//! instance is a leftover and is removed; what is between its switch and its end is settled first.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::try_join_all;
use serde::Serialize;
use tokio::time::Instant;

use super::bake::watch_green;
use super::canary::canary;
use super::candidate::Candidacy;
use super::cause::Kind;
use super::event::ReleaseEvent;
use super::recovery::recover;
use super::review::{GoneBack, Refusal, Review, Sides};
use super::settle::{settle_pending, side, taken_back};
use super::shadow::shadow;
use super::spec::ReleaseSpec;
use super::verify::wait_healthy;
use crate::clock::now_ms;
use crate::deployment::{Deployment, Progress};
use crate::error::{Error, Result};
use crate::gateway::TargetSpec;
use crate::gateway::control::Switch;
use crate::replica_id::{release_of, replica_ids};
use crate::runtime::{InstanceSpec, Replicas};
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::history::{HistoryEntry, Outcome};
use crate::state::pending::Pending;

/// A release that took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Where clients find the service.
    pub url: String,
    /// The instance that serves now, or the first of them.
    pub instance: String,
    /// Where that instance answers itself.
    pub address: SocketAddr,
    /// The instance that served before.
    pub switched_from: Option<String>,
    /// What serves now.
    pub label: BTreeMap<String, String>,
    /// Time from the lock to the end.
    pub took: Duration,
}

/// Releases a workload under a service.
///
/// On failure before the switch the old instance goes on serving and the new one is removed; on failure
/// after it traffic goes back to the old one, and the review hears of that. Dropping the future (or killing
/// the program) at any point is safe: the next release tidies up.
pub async fn release(
    service: &Service,
    spec: &ReleaseSpec,
    review: &dyn Review,
    progress: Progress<'_>,
) -> Result<Released> {
    let folder = Folder::create(service)?;
    let deployment = Deployment::begin(service, folder, "release", progress).await?;
    run(deployment, spec, review).await
}

/// A release under a lock that is held.
pub(crate) async fn run(
    mut deployment: Deployment<'_>,
    spec: &ReleaseSpec,
    review: &dyn Review,
) -> Result<Released> {
    let start = Instant::now();
    spec.check()?;
    let is_rollback = spec.cause.kind == Kind::Rollback;
    let gateway = deployment.ensure_gateway(is_rollback).await?;
    match settle_pending(&deployment, review).await {
        // Users come first: what cannot be made known now is by the next change.
        Err(error) if is_rollback => tracing::warn!(%error, "an earlier release is not settled"),
        settled => settled?,
    }
    let blue = recover(&deployment).await?;
    let id = deployment.folder.new_instance(spec)?;
    deployment.release.clone_from(&id);
    let mut rollout = Rollout {
        deployment: &deployment,
        spec,
        review,
        id: &id,
        blue: blue.as_ref(),
        since_ms: now_ms(),
        verdicts: Vec::new(),
    };
    let outcome = rollout.run().await;
    let took = start.elapsed();
    match outcome {
        Ok((green, is_known)) => {
            rollout.finish(took, Outcome::Released)?;
            if is_known {
                deployment.folder.clear_pending()?;
            }
            deployment.step(ReleaseEvent::Finished)?;
            Ok(Released {
                url: gateway.url(),
                address: green.first().address,
                switched_from: blue.map(|blue| blue.id().to_owned()),
                instance: id,
                label: spec.label.clone(),
                took,
            })
        }
        Err(error) => {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            // What went wrong is the message; what cannot be tidied up now is by the next release.
            let ended = taken_back(&deployment, review, &first).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "that traffic went back from {id} is not made known yet");
                None
            });
            if let Err(error) = rollout.discard().await {
                tracing::warn!(%error, "{id} may be left");
            }
            if blue.is_none()
                && let Err(error) = deployment.runtimes.clean(&deployment.folder.root).await
            {
                tracing::warn!(%error, "a network may be left");
            }
            let ended = ended.filter(|ended| matches!(ended, Outcome::RolledBack(_)));
            if let Err(error) = rollout.finish(took, ended.unwrap_or(Outcome::Failed(first))) {
                tracing::warn!(%error, "the history lacks {id}");
            }
            Err(error)
        }
    }
}

/// A release on its way: the new instance (green) is to replace the one that serves (blue).
pub(super) struct Rollout<'a> {
    pub(super) deployment: &'a Deployment<'a>,
    pub(super) spec: &'a ReleaseSpec,
    pub(super) review: &'a dyn Review,
    /// Of green.
    pub(super) id: &'a str,
    pub(super) blue: Option<&'a Replicas>,
    /// When it began, in milliseconds since 1970.
    since_ms: u64,
    /// What was found of green, for the history.
    verdicts: Vec<String>,
}

impl Rollout<'_> {
    /// All steps from the start of green to the end of blue; green, and whether it was made known.
    async fn run(&mut self) -> Result<(Replicas, bool)> {
        let Self { deployment, spec, review, blue, .. } = *self;
        if let Some(what) = deployment.runtimes.prepare(spec).await? {
            deployment.step(ReleaseEvent::Prepared { what })?;
        }
        deployment.step(ReleaseEvent::Starting { id: self.id.to_owned() })?;
        let start = Instant::now();
        let green = self.start().await?;
        wait_healthy(deployment, spec, &green, start, blue).await?;
        let blue_spec = match blue {
            Some(blue) => deployment.folder.read_spec(blue.id())?,
            None => None,
        };
        let blue_spec = blue_spec.as_ref().unwrap_or(spec);
        let sides = Sides {
            blue: blue.map(|blue| side(blue, blue_spec)),
            green: side(&green, spec),
            cause: spec.cause.clone(),
        };
        let found = review.before_switch(&sides).await;
        let found = found.map_err(|refusal| self.refused(refusal))?;
        self.verdicts.extend(found.clone());
        deployment.step(ReleaseEvent::Reviewed { found })?;
        if let Some(blue) = blue {
            let target = target(&green, spec);
            let candidacy = Candidacy { deployment, spec, green: &green, blue, target };
            let trying = async {
                shadow(&candidacy).await?;
                canary(&candidacy).await
            };
            if let Err(error) = trying.await {
                self.found_bad(&sides, &error).await;
                return Err(error);
            }
        }
        // Written before: whatever happens from here on, the next change knows what is to be settled.
        let mut pending = self.pending();
        deployment.folder.write_pending(&pending)?;
        self.switch(&green, blue_spec).await?;
        if let Some(blue) = blue {
            watch_green(deployment, spec, &green, blue).await?;
        }
        self.commit(&mut pending, &green, &sides).await?;
        if let Some(blue) = blue {
            self.let_go(&green, blue, blue_spec).await?;
        }
        deployment.runtimes.keep_running(&green).await?;
        Ok((green, pending.committed))
    }

    /// Tells the review that green was given up before all users had it: as much a verdict as that of the bake.
    async fn found_bad(&self, sides: &Sides, error: &Error) {
        let Error::Dropped(dropped) = error else { return };
        if !dropped.is_verdict {
            return;
        }
        let why = GoneBack { reason: dropped.reason.clone(), is_verdict: true };
        if let Err(refusal) = self.review.after_going_back(sides, &why).await {
            // What went wrong is the message.
            tracing::warn!(%refusal, "that {} was found bad is not made known", self.id);
        }
    }

    fn pending(&self) -> Pending {
        Pending {
            green: self.id.to_owned(),
            blue: self.blue.map(|blue| blue.id().to_owned()),
            since_ms: self.since_ms,
            verdicts: self.verdicts.clone(),
            committed: false,
            gone_back: None,
        }
    }

    pub(super) fn refused(&self, refusal: Refusal) -> Error {
        let serving = self.blue.map(|blue| blue.id().to_owned());
        Error::Refused { green: self.id.to_owned(), refusal, serving }
    }

    /// Starts all instances, without waiting for any of them. Each is written down before the next one.
    async fn start(&self) -> Result<Replicas> {
        let deployment = self.deployment;
        let service_root = &deployment.folder.root;
        let mut all = Vec::new();
        for id in replica_ids(self.id, self.spec.replicas) {
            let instance = InstanceSpec { id: &id, service_root, release: self.spec };
            let started = deployment.runtimes.start(&instance).await?;
            deployment.folder.write_instance(&started)?;
            deployment.step(ReleaseEvent::Started { id, address: started.address })?;
            all.push(started);
        }
        Replicas::of(all).ok_or(Error::Replicas { wanted: self.spec.replicas })
    }

    /// Sends requests to green; blue stays warm.
    async fn switch(&self, green: &Replicas, blue_spec: &ReleaseSpec) -> Result<()> {
        let switch = Switch {
            current: target(green, self.spec),
            standby: self.blue.map(|blue| target(blue, blue_spec)),
            bake_limits: self.blue.map(|_| self.spec.bake_limits),
        };
        self.deployment.control.switch(&switch).await?;
        let from = self.blue.map(|blue| blue.id().to_owned());
        self.deployment.step(ReleaseEvent::Switched { from, to: self.id.to_owned() })
    }

    /// Removes green after a failure, unless requests go to it.
    async fn discard(&self) -> Result<()> {
        let Deployment { control, runtimes, folder, .. } = self.deployment;
        let status = control.status().await?;
        let mut serving =
            status.iter().flat_map(|status| [&status.route.current, &status.route.standby]);
        if serving.any(|target| target.as_ref().is_some_and(|target| target.id == self.id)) {
            return Ok(());
        }
        if status.is_some() {
            // Users of a canary may wait for it still.
            control.retire(self.id, self.spec.drain_limit).await?;
        }
        let all = runtimes.list(&folder.root).await?;
        let is_there = all.iter().any(|found| release_of(found) == self.id);
        let grace = self.spec.stop_grace;
        let ids: Vec<String> = replica_ids(self.id, self.spec.replicas).collect();
        try_join_all(ids.iter().map(|id| runtimes.remove(&folder.root, id, grace))).await?;
        let stopped = ReleaseEvent::Stopped { id: self.id.to_owned() };
        if is_there { self.deployment.step(stopped) } else { Ok(()) }
    }

    /// Writes how the release ended, and removes the folders of instances long gone.
    fn finish(&self, took: Duration, outcome: Outcome) -> Result<()> {
        let from = self.blue.map(Replicas::id);
        let folder = &self.deployment.folder;
        folder.write_history(&HistoryEntry {
            id: self.id.to_owned(),
            at_ms: now_ms(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            outcome,
            from: from.map(str::to_owned),
            verdicts: self.verdicts.clone(),
            cause: self.spec.cause.clone(),
            label: self.spec.label.clone(),
        })?;
        folder.forget_old_instances(from)
    }
}

/// What the gateway needs to know of a release.
pub(super) fn target(replicas: &Replicas, spec: &ReleaseSpec) -> TargetSpec {
    TargetSpec {
        id: replicas.id().to_owned(),
        address: replicas.first().address,
        replicas: replicas.further().iter().map(|instance| instance.address).collect(),
        health_path: spec.health_path.clone(),
        copy_id: spec.copy_id(),
        token: spec.token(),
    }
}
