//! The time after the switch: blue is kept warm while it finishes its requests and green proves itself.
//!
//! The gateway judges green by what clients get and by its health; what only the runtime knows (a
//! container's own health check) is watched here and told to the gateway. Either way it is the gateway
//! that goes back, so it happens once.

use std::time::Duration;

use tokio::time::Instant;

use super::event::ReleaseEvent;
use super::spec::ReleaseSpec;
use super::verify::{Seen, explain};
use crate::deployment::Deployment;
use crate::error::{Error, Result, indent};
use crate::gateway::WentBack;
use crate::gateway::control::GoBack;
use crate::runtime::{HealthVerdict, Instance, InstanceStatus};

/// How often the gateway is looked at after the switch.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// How often the runtime's own health check is looked at.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// How long the gateway may take to notice that an instance died (its health checks need less).
const NOTICE_LIMIT: Duration = Duration::from_secs(5);

/// Keeps blue warm while it finishes its requests and green proves itself.
pub(crate) async fn watch_green(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Instance,
    blue: &Instance,
) -> Result<()> {
    let start = Instant::now();
    let mut told = None;
    let mut ended_since = None;
    let mut looked: Option<Instant> = None;
    loop {
        let status = deployment.control.status().await?;
        if let Some(went_back) = status.as_ref().and_then(|status| status.route.went_back.as_ref())
            && went_back.from == green.id
        {
            return Err(back_to_blue(deployment, spec, green, blue, went_back).await?);
        }
        let in_flight = status.as_ref().map_or(0, |status| status.standby_in_flight);
        if in_flight > 0 && told != Some(in_flight) {
            deployment.tell(ReleaseEvent::Draining { id: blue.id.clone(), in_flight });
            told = Some(in_flight);
        }
        if looked.is_none_or(|looked| looked.elapsed() >= HEALTH_INTERVAL) {
            looked = Some(Instant::now());
            tell_sickness(deployment, green).await?;
        }
        // A dead green is the gateway's to go back from; blue must not be stopped before it has.
        let ended = match deployment.runtimes.status(green).await? {
            InstanceStatus::Running => None,
            InstanceStatus::Ended(how) => Some(how),
        };
        if let Some(how) = &ended {
            let reason = format!("it ended ({how})");
            deployment.control.go_back(&GoBack { from: green.id.clone(), reason }).await?;
        }
        if ended.is_none() {
            ended_since = None;
            let drained = in_flight == 0 || start.elapsed() >= spec.drain_limit;
            if drained && start.elapsed() >= spec.bake {
                return Ok(());
            }
        } else if ended_since.get_or_insert_with(Instant::now).elapsed() > NOTICE_LIMIT {
            let seen = Seen::new("after the switch", "neither instance answers");
            let unhealthy = explain(deployment, spec, green, start, 0, seen).await;
            return Err(Error::Unhealthy(Box::new(unhealthy)));
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// Tells the gateway when the runtime's own health check turned bad.
pub(super) async fn tell_sickness(deployment: &Deployment<'_>, green: &Instance) -> Result<()> {
    let Some(health) = deployment.runtimes.health(green).await? else { return Ok(()) };
    if health.verdict != HealthVerdict::Unhealthy {
        return Ok(());
    }
    let last = health.log.last().cloned().unwrap_or_default();
    let reason = format!("the container's own health check says unhealthy: {last}");
    deployment.control.go_back(&GoBack { from: green.id.clone(), reason }).await
}

/// The gateway went back: green is removed, blue stays.
pub(super) async fn back_to_blue(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Instance,
    blue: &Instance,
    went_back: &WentBack,
) -> Result<Error> {
    deployment.step(ReleaseEvent::WentBack {
        from: green.id.clone(),
        to: blue.id.clone(),
        reason: went_back.reason.clone(),
    })?;
    let log = indent(&deployment.log_lines(green).await);
    deployment.retire(green, spec.drain_limit, spec.stop_grace).await?;
    Ok(Error::WentBack {
        green: green.id.clone(),
        blue: blue.id.clone(),
        reason: went_back.reason.clone(),
        log: log.into(),
        log_path: green.log_path.clone(),
    })
}
