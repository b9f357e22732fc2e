//! The end of a service.

use std::time::Duration;

use futures::future::try_join_all;

use crate::deployment::{Deployment, Progress};
use crate::error::{Error, Result};
use crate::release::ReleaseEvent;
use crate::service::Service;
use crate::state::folder::Folder;

/// How long requests may take to finish.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// How long an instance may take to end where its release does not say.
const USUAL_GRACE: Duration = Duration::from_secs(10);

/// Stops the gateway when its requests have finished, then all instances. Doing it twice is fine.
pub async fn stop(service: &Service, progress: Progress<'_>) -> Result<()> {
    let folder = Folder::open(service)?;
    let deployment = Deployment::begin(service, folder, "stop", progress).await?;
    deployment.stop_gateway(DRAIN_LIMIT).await?;
    let Deployment { runtimes, folder, .. } = &deployment;
    let ids = runtimes.list(&folder.root).await?;
    try_join_all(ids.into_iter().map(|id| end(&deployment, id))).await?;
    runtimes.clean(&folder.root).await?;
    // The next gateway must not look for instances that were stopped on purpose, nor stay closed.
    for state in [folder.gateway_state(), folder.gateway_mode()] {
        match std::fs::remove_file(&state) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io("cannot remove", &state, source)),
        }
    }
    deployment.step(ReleaseEvent::Finished)
}

async fn end(deployment: &Deployment<'_>, id: String) -> Result<()> {
    let Deployment { runtimes, folder, .. } = deployment;
    let grace = folder.read_spec(&id)?.map_or(USUAL_GRACE, |spec| spec.stop_grace);
    runtimes.remove(&folder.root, &id, grace).await?;
    deployment.step(ReleaseEvent::Stopped { id })
}
