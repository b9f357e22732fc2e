//! A release: bring the new instance up beside the old one, let health decide, move the traffic, and
//! stop the old one last.
//!
//! Each step is in the journal before the next begins, and none leaves a state that the next release
//! cannot go on from: where traffic goes is what the gateway says (and has on disk); every other
//! instance is a leftover and is removed.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use serde::Serialize;

use crate::bake::watch_green;
use crate::control::Switch;
use crate::deployment::{Deployment, Progress, target};
use crate::error::{Error, Result};
use crate::event::{Outcome, ReleaseEvent};
use crate::layout::Layout;
use crate::runtime::{Instance, InstanceSpec, Runtime, Runtimes};
use crate::spec::{ReleaseSpec, Service};
use crate::verify::wait_healthy;

/// A release that took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Where clients find the service.
    pub url: String,
    /// The instance that serves now.
    pub instance: String,
    /// Where that instance answers itself.
    pub address: SocketAddr,
    /// The instance that served before.
    pub switched_from: Option<String>,
    /// Time from the lock to the end.
    pub took: Duration,
}

/// Releases a program under a service: as a process of this machine, or as a container where the release
/// names an image.
///
/// On failure before the switch the old instance goes on serving and the new one is removed; on failure
/// after it the gateway goes back to the old one. Dropping the future (or killing the program) at any
/// point is safe: the next release tidies up.
pub async fn release(
    service: &Service,
    spec: &ReleaseSpec,
    progress: Progress<'_>,
) -> Result<Released> {
    release_on(&Runtimes::default(), service, spec, progress).await
}

/// [`release`] on a given runtime.
pub async fn release_on(
    runtime: &dyn Runtime,
    service: &Service,
    spec: &ReleaseSpec,
    progress: Progress<'_>,
) -> Result<Released> {
    let layout = Layout::create(service)?;
    let deployment = Deployment::begin(service, layout, runtime, "release", progress).await?;
    run(deployment, spec).await
}

/// A release under a lock that is held.
pub(crate) async fn run(mut deployment: Deployment<'_>, spec: &ReleaseSpec) -> Result<Released> {
    let start = Instant::now();
    let gateway = deployment.ensure_gateway().await?;
    let blue = deployment.recover(&gateway).await?;
    let id = deployment.new_instance(spec)?;
    deployment.release.clone_from(&id);
    let outcome = bring_up(&deployment, spec, &id, blue.as_ref()).await;
    let took = start.elapsed();
    let from = blue.as_ref().map(|blue| blue.id.as_str());
    match outcome {
        Ok(green) => {
            deployment.finish(&id, from, spec, took, Outcome::Released)?;
            deployment.step(ReleaseEvent::Finished)?;
            Ok(Released {
                url: url(gateway.listen),
                instance: id,
                address: green.address,
                switched_from: from.map(str::to_owned),
                took,
            })
        }
        Err(error) => {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            // What went wrong is the message; what cannot be tidied up now is by the next release.
            if let Err(error) = discard(&deployment, spec, &id).await {
                tracing::warn!(%error, "{id} may be left");
            }
            if blue.is_none()
                && let Err(error) = deployment.runtime.clean(&deployment.layout.root).await
            {
                tracing::warn!(%error, "a network may be left");
            }
            if let Err(error) = deployment.finish(&id, from, spec, took, Outcome::Failed(first)) {
                tracing::warn!(%error, "the history lacks {id}");
            }
            Err(error)
        }
    }
}

/// Removes the instance of a release that failed, unless requests go to it.
async fn discard(deployment: &Deployment<'_>, spec: &ReleaseSpec, id: &str) -> Result<()> {
    let status = deployment.control.status().await?;
    let mut serving =
        status.iter().flat_map(|status| [&status.route.current, &status.route.standby]);
    if serving.any(|target| target.as_ref().is_some_and(|target| target.id == id)) {
        return Ok(());
    }
    let root = &deployment.layout.root;
    let is_there = deployment.runtime.list(root).await?.iter().any(|found| found == id);
    deployment.runtime.remove(root, id, spec.stop_grace).await?;
    if is_there { deployment.step(ReleaseEvent::Stopped { id: id.to_owned() }) } else { Ok(()) }
}

/// Where clients on this machine find a listening address.
pub(crate) fn url(listen: SocketAddr) -> String {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

/// All steps from the start of green to the end of blue.
async fn bring_up(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    id: &str,
    blue: Option<&Instance>,
) -> Result<Instance> {
    if let Some(what) = deployment.runtime.prepare(spec).await? {
        deployment.step(ReleaseEvent::Prepared { what })?;
    }
    deployment.step(ReleaseEvent::Starting { id: id.to_owned() })?;
    let start = Instant::now();
    let instance_spec = InstanceSpec {
        id: id.to_owned(),
        service_root: deployment.layout.root.clone(),
        release: spec.clone(),
    };
    let green = deployment.runtime.start(&instance_spec).await?;
    deployment.write_instance(&green)?;
    deployment.step(ReleaseEvent::Started { id: id.to_owned(), address: green.address })?;
    if let Err(mut unhealthy) = wait_healthy(deployment, spec, &green, start).await? {
        unhealthy.serving = blue.map(|blue| blue.id.clone());
        return Err(Error::Unhealthy(unhealthy));
    }
    let blue_spec = match blue {
        Some(blue) => deployment.read_spec(&blue.id)?,
        None => None,
    };
    let standby = blue.map(|blue| target(blue, blue_spec.as_ref().unwrap_or(spec)));
    let bake_limits = standby.is_some().then_some(spec.bake_limits);
    let current = target(&green, spec);
    deployment.control.switch(&Switch { current, standby, bake_limits }).await?;
    let from = blue.map(|blue| blue.id.clone());
    deployment.step(ReleaseEvent::Switched { from, to: id.to_owned() })?;
    if let Some(blue) = blue {
        watch_green(deployment, spec, &green, blue).await?;
        let left = deployment.retire(&blue.id, spec.drain_limit).await?;
        deployment.step(ReleaseEvent::Drained { id: blue.id.clone(), left })?;
        let grace = blue_spec.map_or(spec.stop_grace, |spec| spec.stop_grace);
        deployment.runtime.stop(blue, grace).await?;
        // Children that outlived their parent bear the same label.
        deployment.runtime.remove(&deployment.layout.root, &blue.id, grace).await?;
        deployment.step(ReleaseEvent::Stopped { id: blue.id.clone() })?;
    }
    deployment.runtime.keep(&green).await?;
    Ok(green)
}
