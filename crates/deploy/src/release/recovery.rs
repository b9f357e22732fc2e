//! What an interrupted deployment left: the gateway says which instance serves, all others go.

use std::time::Duration;

use super::event::ReleaseEvent;
use super::review::Review;
use super::settle::settle_pending;
use crate::clock::now_ms;
use crate::deployment::{Deployment, Progress};
use crate::error::{Error, Result};
use crate::gateway::control::Control;
use crate::replica_id::release_of;
use crate::runtime::{Replicas, Runtimes};
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::history::{HistoryEntry, Outcome};
use crate::state::lock;

/// How long a leftover may take for its requests, and to end, where its release does not say.
const USUAL: Duration = Duration::from_secs(10);

/// Brings a release that was broken off to an end, if there is one and nobody is at it; whether there was.
/// What it left running is removed.
pub async fn settle(
    service: &Service,
    review: &dyn Review,
    progress: Progress<'_>,
) -> Result<bool> {
    let folder = match Folder::open(service) {
        Ok(folder) => folder,
        Err(Error::NotDeployed { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    if folder.read_pending()?.is_none() || lock::holder(&folder.lock()).is_some() {
        return Ok(false);
    }
    let deployment = Deployment::begin(service, folder, "settle", progress).await?;
    if deployment.control.status().await?.is_none() {
        return Ok(false);
    }
    settle_pending(&deployment, review).await?;
    recover(&deployment).await?;
    Ok(true)
}

/// Ends what deployers that died left running beside what serves, if nobody changes the service now; whether there was
/// something. What is between its switch and its end is [`settle`]'s.
pub async fn tidy(service: &Service, progress: Progress<'_>) -> Result<bool> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(false),
        folder => folder?,
    };
    let root = folder.root.clone();
    let Some(status) = Control::new(folder.gateway_socket()).status().await? else {
        return Ok(false);
    };
    let Some(current) = status.route.current.map(|target| target.id) else { return Ok(false) };
    let running = Runtimes::default().list(&root).await?;
    let is_left = |id: &String| release_of(id) != current;
    if folder.read_pending()?.is_some() || !running.iter().any(is_left) {
        return Ok(false);
    }
    let mut hasty = service.clone();
    hasty.lock_wait = Duration::ZERO;
    let deployment = match Deployment::begin(&hasty, folder, "tidy", progress).await {
        // What was seen is part of what somebody does.
        Err(Error::Locked { .. }) => return Ok(false),
        deployment => deployment?,
    };
    if deployment.folder.read_pending()?.is_some() || deployment.control.status().await?.is_none() {
        return Ok(false);
    }
    recover(&deployment).await?;
    Ok(true)
}

/// Ends every instance but those of the release that serves. Returns that one, if one of its instances runs.
pub(super) async fn recover(deployment: &Deployment<'_>) -> Result<Option<Replicas>> {
    let Deployment { runtimes, folder, control, .. } = deployment;
    let status = control.status().await?;
    let current = status.and_then(|status| status.route.current).map(|target| target.id);
    for id in runtimes.list(&folder.root).await? {
        let release = release_of(&id);
        if Some(release) == current.as_deref() {
            continue;
        }
        let spec = folder.read_spec(&id)?;
        let limits = spec.map(|spec| (spec.drain_limit, spec.stop_grace));
        let (drain, grace) = limits.unwrap_or((USUAL, USUAL));
        control.retire(release, drain).await?;
        runtimes.remove(&folder.root, &id, grace).await?;
        deployment.step(ReleaseEvent::Recovered { id })?;
    }
    note_interrupted(folder, current.as_deref())?;
    let Some(id) = current else { return Ok(None) };
    let Some(replicas) = Replicas::of(folder.read_replicas(&id)?) else { return Ok(None) };
    // The release that brought it up may have died before it said so.
    let runs = runtimes.keep_running(&replicas).await?;
    Ok(runs.then_some(replicas))
}

/// Writes down that releases ended whose deployers did not live to do it. They were killed before the switch: what
/// is between the switch and its end was settled before this, or is pending.
fn note_interrupted(folder: &Folder, current: Option<&str>) -> Result<()> {
    let pending = folder.read_pending()?.map(|pending| pending.green);
    for id in folder.unended()? {
        if Some(id.as_str()) == current || Some(&id) == pending.as_ref() {
            continue;
        }
        let Some(spec) = folder.read_spec(&id)? else { continue };
        folder.write_history(&HistoryEntry {
            id,
            at_ms: now_ms(),
            took_ms: 0,
            outcome: Outcome::Interrupted,
            from: current.map(str::to_owned),
            verdicts: Vec::new(),
            cause: spec.cause,
            label: spec.label,
        })?;
    }
    Ok(())
}
