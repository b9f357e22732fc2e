//! A release that was broken off between its switch and its end is brought to one of its two ends.
//!
//! Forward where green is all there is, where it was made known already that green is the one, and where green
//! is what a rollback brought back. Else back to blue: it proved itself, and green did not have the time to.
//! Either way the review hears of it, so that what it made known (an alias) and the traffic agree again.

use super::cause::Kind;
use super::event::ReleaseEvent;
use super::review::{GoneBack, Refusal, Review, Side, Sides};
use super::spec::ReleaseSpec;
use crate::clock::now_ms;
use crate::deployment::Deployment;
use crate::error::{Error, Result};
use crate::gateway::control::GoBack;
use crate::gateway::{RouteState, TargetSpec};
use crate::runtime::Replicas;
use crate::state::history::{HistoryEntry, Outcome};
use crate::state::pending::Pending;

/// What is said of a release whose deployer did not live to see its end.
const BROKEN_OFF: &str = "its release was broken off";

/// Brings a release that was broken off to an end, if there is one. The lock is held and the gateway runs.
pub(super) async fn settle_pending(deployment: &Deployment<'_>, review: &dyn Review) -> Result<()> {
    let folder = &deployment.folder;
    let Some(mut pending) = folder.read_pending()? else { return Ok(()) };
    let Some((sides, spec)) = sides(deployment, &pending)? else {
        // Its folder is gone, and with it all that could be said.
        return folder.clear_pending();
    };
    let is_rollback = spec.cause.kind == Kind::Rollback;
    if !pending.committed && !is_rollback && is_warm(&route(deployment).await?, &pending) {
        let why = GoneBack { reason: BROKEN_OFF.to_owned(), is_verdict: false };
        pending.gone_back = Some(why.clone());
        folder.write_pending(&pending)?;
        let go_back = GoBack { from: pending.green.clone(), reason: why.reason };
        deployment.control.go_back(&go_back).await?;
    }
    let outcome = if serves(deployment, &pending.green).await? {
        if !pending.committed {
            let known = review.before_blue_stops(&sides).await;
            known.map_err(|refusal| refused(&pending, refusal))?;
        }
        Outcome::Released
    } else {
        take_back(deployment, review, &sides, &pending, BROKEN_OFF).await?
    };
    let is_forward = outcome == Outcome::Released;
    let is_told = |entry: &HistoryEntry| {
        entry.id == pending.green && (!is_forward || entry.outcome == Outcome::Released)
    };
    if !folder.read_history()?.iter().any(is_told) {
        let at_ms = now_ms();
        folder.write_history(&HistoryEntry {
            id: pending.green.clone(),
            at_ms,
            took_ms: at_ms.saturating_sub(pending.since_ms),
            outcome,
            from: pending.blue.clone(),
            verdicts: pending.verdicts.clone(),
            cause: spec.cause,
            label: spec.label,
        })?;
    }
    folder.clear_pending()?;
    deployment.step(ReleaseEvent::Settled { id: pending.green, is_forward })
}

/// Tells the review that traffic is not at green any more, if that is so; how the release ended, then.
/// `failure` is what ended it where nobody sent traffic back.
pub(super) async fn taken_back(
    deployment: &Deployment<'_>,
    review: &dyn Review,
    failure: &str,
) -> Result<Option<Outcome>> {
    let Some(pending) = deployment.folder.read_pending()? else { return Ok(None) };
    if serves(deployment, &pending.green).await? {
        return Ok(None);
    }
    let Some((sides, _spec)) = sides(deployment, &pending)? else { return Ok(None) };
    let outcome = take_back(deployment, review, &sides, &pending, failure).await?;
    deployment.folder.clear_pending()?;
    Ok(Some(outcome))
}

async fn take_back(
    deployment: &Deployment<'_>,
    review: &dyn Review,
    sides: &Sides,
    pending: &Pending,
    failure: &str,
) -> Result<Outcome> {
    let seen = route(deployment).await?.went_back.filter(|seen| seen.from == pending.green);
    let why = match (&pending.gone_back, seen) {
        (Some(why), _) => why.clone(),
        (None, Some(seen)) => GoneBack { reason: seen.reason, is_verdict: true },
        (None, None) => GoneBack { reason: failure.to_owned(), is_verdict: false },
    };
    let told = review.after_going_back(sides, &why).await;
    told.map_err(|refusal| refused(pending, refusal))?;
    let GoneBack { reason, is_verdict } = why;
    Ok(if is_verdict { Outcome::RolledBack(reason) } else { Outcome::Failed(reason) })
}

/// What a review needs to know of a release.
pub(super) fn side(replicas: &Replicas, spec: &ReleaseSpec) -> Side {
    let address = replicas.first().address;
    Side { id: replicas.id().to_owned(), address, label: spec.label.clone() }
}

/// Both instances of a release, and how green was to be run. None where green's folder is gone.
fn sides(deployment: &Deployment<'_>, pending: &Pending) -> Result<Option<(Sides, ReleaseSpec)>> {
    let folder = &deployment.folder;
    let read = |id: &str| -> Result<Option<(Replicas, ReleaseSpec)>> {
        Ok(Replicas::of(folder.read_replicas(id)?).zip(folder.read_spec(id)?))
    };
    let blue = match &pending.blue {
        Some(blue) => read(blue)?.map(|(blue, spec)| side(&blue, &spec)),
        None => None,
    };
    let green = read(&pending.green)?;
    Ok(green.map(|(green, spec)| {
        let green = side(&green, &spec);
        (Sides { blue, green, cause: spec.cause.clone() }, spec)
    }))
}

async fn route(deployment: &Deployment<'_>) -> Result<RouteState> {
    Ok(deployment.control.status().await?.map(|status| status.route).unwrap_or_default())
}

/// Whether green has the traffic and blue could have it back.
fn is_warm(route: &RouteState, pending: &Pending) -> bool {
    let id = |target: &Option<TargetSpec>| target.as_ref().map(|target| target.id.clone());
    id(&route.current).as_ref() == Some(&pending.green)
        && pending.blue.is_some()
        && id(&route.standby) == pending.blue
}

/// Whether requests go to a release, and one of its instances runs.
async fn serves(deployment: &Deployment<'_>, id: &str) -> Result<bool> {
    let current = route(deployment).await?.current;
    if current.is_none_or(|current| current.id != id) {
        return Ok(false);
    }
    let replicas = Replicas::of(deployment.folder.read_replicas(id)?);
    let Some(replicas) = replicas else { return Ok(false) };
    deployment.runtimes.any_runs(&replicas).await
}

fn refused(pending: &Pending, refusal: Refusal) -> Error {
    Error::Refused { green: pending.green.clone(), refusal, serving: None }
}
