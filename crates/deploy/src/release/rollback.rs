//! A rollback: what served before serves again, as it served then.
//!
//! While the instance before is still warm, the gateway goes back to it at once, without waiting for whoever
//! holds the lock: a deployer that bakes sees that and ends by itself. Else what served before is released
//! again from what was kept of it: runtime, image, limits, flags.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::cause::{Cause, Kind};
use super::event::ReleaseEvent;
use super::recovery::recover;
use super::review::Review;
use super::rollout::{self, Released};
use super::settle::settle_pending;
use super::spec::ReleaseSpec;
use crate::clock::now_ms;
use crate::deployment::{Deployment, Progress};
use crate::error::{Error, Result};
use crate::gateway::control::{Control, GoBack};
use crate::gateway::{RouteState, TargetSpec};
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::history::{HistoryEntry, Outcome};
use crate::state::served_before::served_before;

/// What a deployer whose release was taken back may need beside draining and stopping its instance.
const DEPLOYER_ENDS: Duration = Duration::from_secs(10);

/// What is to serve again.
pub struct Rollback<'a> {
    /// What its label must have (`version` is `12`); whatever served before if nothing is named.
    pub to: BTreeMap<String, String>,
    /// Who wants it, and why.
    pub cause: Cause,
    /// Changes what was kept of the earlier release where it must be of today: passwords, say.
    pub amend: &'a (dyn Fn(&mut ReleaseSpec) + Sync),
}

impl std::fmt::Debug for Rollback<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Rollback");
        shown.field("to", &self.to).field("cause", &self.cause).finish_non_exhaustive()
    }
}

impl Rollback<'_> {
    fn wants(&self, label: &BTreeMap<String, String>) -> bool {
        self.to.iter().all(|(key, value)| label.get(key) == Some(value))
    }

    /// Whether what serves now is what was wanted instead of `before`.
    fn is_met(&self, now: &BTreeMap<String, String>, before: &BTreeMap<String, String>) -> bool {
        if self.to.is_empty() { now != before } else { self.wants(now) }
    }

    fn cause(&self) -> Cause {
        Cause { kind: Kind::Rollback, ..self.cause.clone() }
    }

    /// In one line, for whoever is in the way.
    fn sentence(&self) -> String {
        let Cause { actor, reason, .. } = &self.cause;
        let by = if actor.is_empty() { String::new() } else { format!(" by {actor}") };
        let why = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("rolled back{by}{why}")
    }
}

/// Brings back what served before: the newest release of another label that was never taken back itself, or
/// the newest that was named.
///
/// # Errors
///
/// [`Error::NoPrevious`] and [`Error::NotServed`] where there is no such release or nothing was kept of it;
/// beside them what a release may end with.
pub async fn rollback(
    service: &Service,
    order: &Rollback<'_>,
    review: &dyn Review,
    progress: Progress<'_>,
) -> Result<Released> {
    let start = Instant::now();
    let folder = Folder::open(service)?;
    let mut patient = service.clone();
    let ended = end_bake(&folder, order).await?;
    if let Some(ended) = &ended {
        patient.lock_wait = patient.lock_wait.max(ended.limit);
    }
    let deployment = Deployment::begin(&patient, folder, "rollback", progress).await?;
    let route = route(&deployment.control).await?;
    let current = label_at(&deployment.folder, &route)?;
    if let (Some(ended), Some(current), Some(went_back)) = (ended, &current, &route.went_back)
        && went_back.from == ended.id
        && order.is_met(current, &ended.label)
        && let Some(released) = gone_back(&deployment, order, review, start).await?
    {
        return Ok(released);
    }
    let mut spec = served(&deployment, order, current.as_ref())?;
    (order.amend)(&mut spec);
    spec.cause = order.cause();
    // It was tried when it came; now it is wanted soon.
    spec.shadow = Duration::ZERO;
    spec.canary.clear();
    rollout::run(deployment, &spec, review).await
}

/// What was released as that which a rollback to nothing in particular would bring back now; none where there is nothing.
///
/// # Errors
///
/// Files of the service that cannot be read.
pub async fn returns_to(service: &Service) -> Result<Option<BTreeMap<String, String>>> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(None),
        folder => folder?,
    };
    let route = route(&Control::new(folder.gateway_socket())).await?;
    if let Some((green, blue)) = tried(&folder, &route)? {
        // Where nothing served before, nothing is left without it.
        return blue
            .filter(|blue| *blue != green)
            .map_or(Ok(None), |blue| label_of(&folder, &blue));
    }
    let current = label_at(&folder, &route)?;
    let id = served_before(&folder.read_history()?, current.as_ref(), None, &is_kept(&folder));
    id.map_or(Ok(None), |id| label_of(&folder, &id))
}

/// What is to be released again.
fn served(
    deployment: &Deployment<'_>,
    order: &Rollback<'_>,
    current: Option<&BTreeMap<String, String>>,
) -> Result<ReleaseSpec> {
    let folder = &deployment.folder;
    let service = || deployment.service.name.clone();
    let none = || match order.to.values().next() {
        Some(version) => Error::NotServed { service: service(), version: version.clone() },
        None => Error::NoPrevious { service: service() },
    };
    let history = folder.read_history()?;
    let is_kept = is_kept(folder);
    let wants = |label: &BTreeMap<String, String>| order.wants(label);
    let id = if order.to.is_empty() {
        served_before(&history, current, None, &is_kept)
    } else {
        served_before(&history, current, Some(&wants), &is_kept)
    };
    let id = id.ok_or_else(none)?;
    folder.read_spec(&id)?.ok_or_else(none)
}

/// A release that this rollback ended.
struct Ended {
    /// Its new instance.
    id: String,
    /// What was released as it.
    label: BTreeMap<String, String>,
    /// How long whoever releases it may need to see that, and to end.
    limit: Duration,
}

/// Sends all traffic back to where it was before a release that goes on, unless that is what an earlier rollback
/// leaves.
async fn end_bake(folder: &Folder, order: &Rollback<'_>) -> Result<Option<Ended>> {
    let control = Control::new(folder.gateway_socket());
    let route = route(&control).await?;
    let Some((green, _blue)) = tried(folder, &route)? else { return Ok(None) };
    let Some(spec) = folder.read_spec(&green)? else { return Ok(None) };
    let go_back = GoBack { from: green.clone(), reason: order.sentence() };
    control.go_back(&go_back).await?;
    let limit = spec.drain_limit + spec.stop_grace + DEPLOYER_ENDS;
    Ok(Some(Ended { id: green, label: spec.label, limit }))
}

/// The release that goes on and can be ended, and the one before it, unless the former is what a rollback brought back: a
/// candidate that some users get already, or what all of them get while blue is warm.
fn tried(folder: &Folder, route: &RouteState) -> Result<Option<(String, Option<String>)>> {
    let id = |target: &Option<TargetSpec>| target.as_ref().map(|target| target.id.clone());
    let (green, blue) = match (&route.candidate, &route.current, &route.standby) {
        (Some(candidate), ..) => (candidate.target.id.clone(), id(&route.current)),
        (None, Some(current), Some(_warm)) => (current.id.clone(), id(&route.standby)),
        _ => return Ok(None),
    };
    let spec = folder.read_spec(&green)?;
    let is_release = spec.is_some_and(|spec| spec.cause.kind != Kind::Rollback);
    Ok(is_release.then_some((green, blue)))
}

/// Whether what is needed to release something again is there.
fn is_kept(folder: &Folder) -> impl Fn(&str) -> bool {
    |id| folder.read_spec(id).is_ok_and(|spec| spec.is_some())
}

/// Writes down that traffic is back where it was; none if what serves there has ended meanwhile.
async fn gone_back(
    deployment: &Deployment<'_>,
    order: &Rollback<'_>,
    review: &dyn Review,
    start: Instant,
) -> Result<Option<Released>> {
    let folder = &deployment.folder;
    // Where the deployer that baked lives, it has done this.
    if let Err(error) = settle_pending(deployment, review).await {
        // Users come first: what is not made known now is by the next change.
        tracing::warn!(%error, "that traffic went back is not made known yet");
    }
    let from = route(&deployment.control).await?.went_back.map(|went_back| went_back.from);
    let Some(replicas) = recover(deployment).await? else { return Ok(None) };
    let Some(status) = deployment.control.status().await? else { return Ok(None) };
    let id = replicas.id().to_owned();
    let label = folder.read_spec(&id)?.map(|spec| spec.label).unwrap_or_default();
    let took = start.elapsed();
    folder.write_history(&HistoryEntry {
        id: id.clone(),
        at_ms: now_ms(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        outcome: Outcome::Released,
        from: from.clone(),
        verdicts: Vec::new(),
        cause: order.cause(),
        label: label.clone(),
    })?;
    deployment.step(ReleaseEvent::Finished)?;
    Ok(Some(Released {
        url: status.url(),
        address: replicas.first().address,
        switched_from: from,
        instance: id,
        label,
        took,
    }))
}

async fn route(control: &Control) -> Result<RouteState> {
    Ok(control.status().await?.map(|status| status.route).unwrap_or_default())
}

/// What was released as the instance that requests go to.
fn label_at(folder: &Folder, route: &RouteState) -> Result<Option<BTreeMap<String, String>>> {
    route.current.as_ref().map_or(Ok(None), |current| label_of(folder, &current.id))
}

fn label_of(folder: &Folder, id: &str) -> Result<Option<BTreeMap<String, String>>> {
    Ok(folder.read_spec(id)?.map(|spec| spec.label))
}
