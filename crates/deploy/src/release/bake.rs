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
use crate::runtime::{HealthVerdict, Instance, Replicas};

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
    green: &Replicas,
    blue: &Replicas,
) -> Result<()> {
    let start = Instant::now();
    let mut told = None;
    let mut ended_since = None;
    let mut looked: Option<Instant> = None;
    loop {
        let status = deployment.control.status().await?;
        if let Some(went_back) = status.as_ref().and_then(|status| status.route.went_back.as_ref())
            && went_back.from == green.id()
        {
            return Err(back_to_blue(deployment, spec, green, blue, went_back).await?);
        }
        let in_flight = status.as_ref().map_or(0, |status| status.standby_in_flight);
        if in_flight > 0 && told != Some(in_flight) {
            deployment.tell(ReleaseEvent::Draining { id: blue.id().to_owned(), in_flight });
            told = Some(in_flight);
        }
        if looked.is_none_or(|looked| looked.elapsed() >= HEALTH_INTERVAL) {
            looked = Some(Instant::now());
            tell_sickness(deployment, green).await?;
        }
        // A dead green is the gateway's to go back from; blue must not be stopped before it has.
        let ended = tell_end(deployment, green).await?;
        if !ended {
            ended_since = None;
            let drained = in_flight == 0 || start.elapsed() >= spec.drain_limit;
            if drained && start.elapsed() >= spec.bake {
                return Ok(());
            }
        } else if ended_since.get_or_insert_with(Instant::now).elapsed() > NOTICE_LIMIT {
            let seen = Seen::new("after the switch", "neither instance answers");
            let unhealthy = explain(deployment, spec, green.first(), start, 0, seen).await;
            return Err(Error::Unhealthy(Box::new(unhealthy)));
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// Tells the gateway when an instance of green has ended; whether one has. The gateway serves on with the others,
/// but a version that dies while it is judged is not one to go on with.
pub(super) async fn tell_end(deployment: &Deployment<'_>, green: &Replicas) -> Result<bool> {
    let Some((instance, how)) = deployment.runtimes.ended(green).await? else { return Ok(false) };
    let who = if green.further().is_empty() { "it" } else { instance.id.as_str() };
    let reason = format!("{who} ended ({how})");
    deployment.control.go_back(&GoBack { from: green.id().to_owned(), reason }).await?;
    Ok(true)
}

/// Tells the gateway when the runtime's own health check of an instance turned bad.
pub(super) async fn tell_sickness(deployment: &Deployment<'_>, green: &Replicas) -> Result<()> {
    for instance in green.all() {
        let health = deployment.runtimes.health(instance).await?;
        let Some(health) = health.filter(|health| health.verdict == HealthVerdict::Unhealthy)
        else {
            continue;
        };
        let last = health.log.last().cloned().unwrap_or_default();
        let reason = format!("the container's own health check says unhealthy: {last}");
        return deployment.control.go_back(&GoBack { from: green.id().to_owned(), reason }).await;
    }
    Ok(())
}

/// The gateway went back: green is removed, blue stays.
pub(super) async fn back_to_blue(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Replicas,
    blue: &Replicas,
    went_back: &WentBack,
) -> Result<Error> {
    deployment.step(ReleaseEvent::WentBack {
        from: green.id().to_owned(),
        to: blue.id().to_owned(),
        reason: went_back.reason.clone(),
    })?;
    let told = most_telling(deployment, green).await;
    let log = indent(&deployment.log_lines(told).await);
    deployment.retire(green, spec.drain_limit, spec.stop_grace).await?;
    Ok(Error::WentBack {
        green: green.id().to_owned(),
        blue: blue.id().to_owned(),
        reason: went_back.reason.clone(),
        log: log.into(),
        log_path: told.log_path.clone(),
    })
}

/// The instance whose log is shown: one that has ended, or the first.
pub(super) async fn most_telling<'a>(
    deployment: &Deployment<'_>,
    green: &'a Replicas,
) -> &'a Instance {
    // The message is about something else; what cannot be asked must not hide it.
    let ended = deployment.runtimes.ended(green).await.ok().flatten();
    ended.map_or(green.first(), |(instance, _how)| instance)
}
