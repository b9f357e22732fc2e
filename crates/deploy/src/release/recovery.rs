//! What an interrupted deployment left: the gateway says which instance serves, all others go.

use std::time::Duration;

use super::event::ReleaseEvent;
use crate::deployment::Deployment;
use crate::error::Result;
use crate::gateway::control::GatewayStatus;
use crate::runtime::{Instance, InstanceStatus};

/// How long a leftover may take for its requests, and to end, where its release does not say.
const USUAL: Duration = Duration::from_secs(10);

/// Ends every instance but the one that serves. Returns that one, if its process runs.
pub(super) async fn recover(
    deployment: &Deployment<'_>,
    status: &GatewayStatus,
) -> Result<Option<Instance>> {
    let Deployment { runtimes, folder, control, .. } = deployment;
    let current = status.route.current.as_ref().map(|target| &target.id);
    for id in runtimes.list(&folder.root).await? {
        if Some(&id) == current {
            continue;
        }
        let spec = folder.read_spec(&id)?;
        let limits = spec.map(|spec| (spec.drain_limit, spec.stop_grace));
        let (drain, grace) = limits.unwrap_or((USUAL, USUAL));
        control.retire(&id, drain).await?;
        runtimes.remove(&folder.root, &id, grace).await?;
        deployment.step(ReleaseEvent::Recovered { id })?;
    }
    let Some(id) = current else { return Ok(None) };
    let Some(instance) = folder.read_instance(id)? else { return Ok(None) };
    match runtimes.status(&instance).await? {
        InstanceStatus::Running => {
            // The release that brought it up may have died before it said so.
            runtimes.keep(&instance).await?;
            Ok(Some(instance))
        }
        InstanceStatus::Ended(_) => Ok(None),
    }
}
