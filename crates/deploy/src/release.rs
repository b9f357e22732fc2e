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

use crate::control::Switch;
use crate::deployment::{Deployment, Progress, target};
use crate::error::{Error, Result, Unhealthy, indent};
use crate::event::{Outcome, ReleaseEvent};
use crate::gateway::WentBack;
use crate::layout::Layout;
use crate::probe::{self, Answer};
use crate::runtime::process::ProcessRuntime;
use crate::runtime::{Instance, InstanceSpec, InstanceStatus, Runtime};
use crate::spec::{Probe, ReleaseSpec, Service};

/// Time between two health probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// An answer to a probe takes no longer than this.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A prediction that fails is asked again a few times: the first may meet a cold cache.
const PREDICTION_TRIES: u32 = 3;

/// How often the gateway is looked at after the switch.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// How long the gateway may take to notice that an instance died (its health checks need less).
const NOTICE_LIMIT: Duration = Duration::from_secs(5);

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

/// Releases a program under a service, as processes of this machine.
///
/// On failure before the switch the old instance goes on serving and the new one is removed; on failure
/// after it the gateway goes back to the old one. Dropping the future (or killing the program) at any
/// point is safe: the next release tidies up.
pub async fn release(
    service: &Service,
    spec: &ReleaseSpec,
    progress: Progress<'_>,
) -> Result<Released> {
    release_on(&ProcessRuntime::default(), service, spec, progress).await
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
            deployment.finish(&id, from, spec, took, Outcome::Failed(first))?;
            Err(error)
        }
    }
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
        deployment.runtime.stop(&green, spec.stop_grace).await?;
        deployment.runtime.remove(&deployment.layout.root, id, spec.stop_grace).await?;
        deployment.step(ReleaseEvent::Stopped { id: id.to_owned() })?;
        return Err(Error::Unhealthy(unhealthy));
    }
    let blue_spec = match blue {
        Some(blue) => deployment.read_spec(&blue.id)?,
        None => None,
    };
    let standby = blue.map(|blue| target(blue, blue_spec.as_ref().unwrap_or(spec)));
    deployment.control.switch(&Switch { current: target(&green, spec), standby }).await?;
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
    Ok(green)
}

/// Probes until enough successes in a row and the prediction, or until the deadline.
async fn wait_healthy(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Instance,
    start: Instant,
) -> Result<Result<(), Box<Unhealthy>>> {
    let health = Probe::get(&spec.health_path);
    let mut answer = None;
    let mut successes = 0;
    let unhealthy = async |probe: &Probe, answer: String, successes, exit| {
        Box::new(Unhealthy {
            instance: green.id.clone(),
            probe: format!("{} http://{}{}", probe.method, green.address, probe.path),
            answer,
            successes: (successes, spec.successes_in_row),
            waited: start.elapsed(),
            exit,
            log: deployment.log_lines(green).await,
            log_path: green.log_path.clone(),
            serving: None,
        })
    };
    let said = |answer: &Option<Answer>| {
        answer.as_ref().map_or_else(|| "none".to_owned(), Answer::to_string)
    };
    while successes < spec.successes_in_row {
        if let InstanceStatus::Ended(how) = deployment.runtime.status(green).await? {
            return Ok(Err(unhealthy(&health, said(&answer), successes, Some(how)).await));
        }
        let left = spec.deadline.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(Err(unhealthy(&health, said(&answer), successes, None).await));
        }
        let now = probe::ask(green.address, &health, PROBE_TIMEOUT.min(left)).await;
        successes = if now.satisfies(&health) { successes + 1 } else { 0 };
        if answer.as_ref() != Some(&now) {
            deployment.tell(ReleaseEvent::Probed { answer: now.to_string() });
        }
        answer = Some(now);
        if successes < spec.successes_in_row {
            tokio::time::sleep(PROBE_INTERVAL.min(left)).await;
        }
    }
    deployment.step(ReleaseEvent::Healthy { after: start.elapsed() })?;
    let Some(prediction) = &spec.prediction else { return Ok(Ok(())) };
    for attempt in 1..=PREDICTION_TRIES {
        let left = spec.deadline.saturating_sub(start.elapsed()).max(PROBE_INTERVAL);
        let answer = probe::ask(green.address, prediction, left).await;
        if answer.satisfies(prediction) {
            deployment.step(ReleaseEvent::Predicted)?;
            return Ok(Ok(()));
        }
        if attempt == PREDICTION_TRIES {
            let exit = match deployment.runtime.status(green).await? {
                InstanceStatus::Running => None,
                InstanceStatus::Ended(how) => Some(how),
            };
            let mut said = answer.to_string();
            if !prediction.expect.is_empty() {
                said = format!("{said} (expected 2xx with {:?})", prediction.expect);
            }
            return Ok(Err(unhealthy(prediction, said, successes, exit).await));
        }
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
    Ok(Ok(()))
}

/// Keeps blue warm while it finishes its requests and green proves itself.
async fn watch_green(
    deployment: &Deployment<'_>,
    spec: &ReleaseSpec,
    green: &Instance,
    blue: &Instance,
) -> Result<()> {
    let start = Instant::now();
    let mut told = None;
    let mut ended_since = None;
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
        // A dead green is the gateway's to notice; blue must not be stopped before it has.
        let green_runs = deployment.runtime.status(green).await? == InstanceStatus::Running;
        if green_runs {
            ended_since = None;
            let drained = in_flight == 0 || start.elapsed() >= spec.drain_limit;
            if drained && start.elapsed() >= spec.bake {
                return Ok(());
            }
        } else if ended_since.get_or_insert_with(Instant::now).elapsed() > NOTICE_LIMIT {
            return Err(Error::Unhealthy(Box::new(Unhealthy {
                instance: green.id.clone(),
                probe: "after the switch".to_owned(),
                answer: "neither instance answers".to_owned(),
                successes: (0, spec.successes_in_row),
                waited: start.elapsed(),
                exit: Some("the process is gone".to_owned()),
                log: deployment.log_lines(green).await,
                log_path: green.log_path.clone(),
                serving: None,
            })));
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// The gateway went back: green is removed, blue stays.
async fn back_to_blue(
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
    let left = deployment.retire(&green.id, spec.drain_limit).await?;
    deployment.step(ReleaseEvent::Drained { id: green.id.clone(), left })?;
    deployment.runtime.stop(green, spec.stop_grace).await?;
    deployment.runtime.remove(&deployment.layout.root, &green.id, spec.stop_grace).await?;
    deployment.step(ReleaseEvent::Stopped { id: green.id.clone() })?;
    Ok(Error::WentBack {
        green: green.id.clone(),
        blue: blue.id.clone(),
        reason: went_back.reason.clone(),
        log,
        log_path: green.log_path.clone(),
    })
}
