//! The end of an instance: no request goes to it any more, those it has finish, and it is stopped.

use std::time::Duration;

use super::event::ReleaseEvent;
use crate::deployment::Deployment;
use crate::error::Result;
use crate::runtime::Instance;

/// Drains an instance within a limit and stops it within another.
pub(super) async fn retire(
    deployment: &Deployment<'_>,
    instance: &Instance,
    drain_limit: Duration,
    stop_grace: Duration,
) -> Result<()> {
    let id = &instance.id;
    let left = deployment.control.retire(id, drain_limit).await?;
    deployment.step(ReleaseEvent::Drained { id: id.clone(), left })?;
    deployment.runtimes.stop(instance, stop_grace).await?;
    // Children that outlived their parent bear the same label.
    deployment.runtimes.remove(&deployment.folder.root, id, stop_grace).await?;
    deployment.step(ReleaseEvent::Stopped { id: id.clone() })
}
