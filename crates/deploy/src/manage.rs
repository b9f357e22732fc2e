//! What can be done with a deployed service besides releasing: look, go back, stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::control::{Control, GatewayStatus};
use crate::deployment::{Deployment, Progress};
use crate::error::{Error, Result};
use crate::event::{HistoryEntry, Outcome, ReleaseEvent};
use crate::gateway::Mode;
use crate::layout::{Layout, read_json, read_lines};
use crate::lock::{self, Holder};
use crate::probe::{self, Answer};
use crate::release::{self, Released, url};
use crate::runtime::{Instance, InstanceStatus, Runtime as _, Runtimes};
use crate::spec::{Probe, ReleaseSpec, Service};

/// How long requests may take to finish when a service is stopped.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How long an instance may take to say how it is.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Requests go to it.
    Current,
    /// It is kept warm.
    Standby,
    /// A release in progress brings it up, or an interrupted one left it.
    Other,
}

/// What an instance said when [`status`] asked for its health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "said")]
pub enum Health {
    /// It is well.
    Well,
    /// It answered that it is not (`503: model is loading`).
    Sick(String),
    /// It did not answer (`no answer within 2.0 s`).
    Silent(String),
}

/// An instance as [`status`] reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceReport {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub role: Role,
    /// Whether it runs.
    pub running: bool,
    /// What it said just now, if it runs.
    pub health: Option<Health>,
    /// Where it answers, when that is known.
    pub address: Option<SocketAddr>,
    /// Its process or container, when that is known.
    pub handle: Option<String>,
    /// What was released.
    pub label: BTreeMap<String, String>,
}

/// A service as [`status`] reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceStatus {
    /// Where clients find it, when the gateway runs.
    pub url: Option<String>,
    /// The gateway, when it runs.
    pub gateway: Option<GatewayStatus>,
    /// All instances, the serving one first.
    pub instances: Vec<InstanceReport>,
    /// Who changes the service now.
    pub holder: Option<Holder>,
    /// The release that finished last.
    pub last: Option<HistoryEntry>,
}

impl ServiceStatus {
    /// Why clients are not served although they should be; none when they are, or when nothing is
    /// deployed (any more).
    pub fn outage(&self) -> Option<String> {
        let current = self.instances.iter().find(|instance| instance.role == Role::Current);
        let Some(current) = current else {
            return self.gateway.as_ref().map(|_| "no instance is deployed".to_owned());
        };
        if self.gateway.is_none() {
            return Some("the gateway does not run".to_owned());
        }
        match &current.health {
            Some(Health::Well) => None,
            Some(Health::Sick(said)) => Some(format!("{} is not well: {said}", current.id)),
            Some(Health::Silent(how)) => Some(format!("{} does not answer: {how}", current.id)),
            None if current.running => Some(format!("{} cannot be asked", current.id)),
            None => Some(format!("{} has stopped", current.id)),
        }
    }
}

/// Asks an instance for its health.
async fn health(instance: &Instance, spec: Option<&ReleaseSpec>) -> Health {
    let usual = ReleaseSpec::new("");
    let probe = Probe::get(&spec.unwrap_or(&usual).health_path);
    match probe::ask(instance.address, &probe, HEALTH_TIMEOUT).await {
        Answer::Status { status, .. } if (200..300).contains(&status) => Health::Well,
        answer @ Answer::Status { .. } => Health::Sick(answer.to_string()),
        silence => Health::Silent(silence.to_string()),
    }
}

/// What runs, and what it says when it is asked. Changes nothing.
pub async fn status(service: &Service) -> Result<ServiceStatus> {
    let layout = Layout::open(service)?;
    let runtime = Runtimes::default();
    let gateway = Control::new(layout.gateway_socket()).status().await?;
    let route = match &gateway {
        Some(gateway) => gateway.route.clone(),
        None => read_json(&layout.gateway_state())?.unwrap_or_default(),
    };
    let current = route.current.map(|target| target.id);
    let standby = route.standby.map(|target| target.id);
    let mut ids = runtime.list(&layout.root).await?;
    for id in current.iter().chain(&standby) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    let mut instances = Vec::with_capacity(ids.len());
    for id in ids {
        let folder = layout.instance(&id);
        let instance: Option<Instance> = read_json(&folder.join("instance.json"))?;
        let spec: Option<ReleaseSpec> = read_json(&folder.join("spec.json"))?;
        let running = match &instance {
            Some(instance) => runtime.status(instance).await? == InstanceStatus::Running,
            // Found by its label, so it runs.
            None => true,
        };
        let health = match &instance {
            Some(instance) if running => Some(health(instance, spec.as_ref()).await),
            _ => None,
        };
        let role = if Some(&id) == current.as_ref() {
            Role::Current
        } else if Some(&id) == standby.as_ref() {
            Role::Standby
        } else {
            Role::Other
        };
        instances.push(InstanceReport {
            id,
            role,
            running,
            health,
            address: instance.as_ref().map(|instance| instance.address),
            handle: instance.map(|instance| instance.handle),
            label: spec.map(|spec| spec.label).unwrap_or_default(),
        });
    }
    instances.sort_by_key(|report| match report.role {
        Role::Current => 0,
        Role::Standby => 1,
        Role::Other => 2,
    });
    Ok(ServiceStatus {
        url: gateway.as_ref().map(|gateway| url(gateway.listen)),
        gateway,
        instances,
        holder: lock::holder(&layout.lock()),
        last: read_lines(&layout.history())?.pop(),
    })
}

/// Finished releases, oldest first.
pub fn history(service: &Service) -> Result<Vec<HistoryEntry>> {
    read_lines(&Layout::open(service)?.history())
}

/// The last log lines of the instance that serves (or served last).
pub async fn logs(service: &Service, tail: usize) -> Result<Vec<String>> {
    let layout = Layout::open(service)?;
    let status = Control::new(layout.gateway_socket()).status().await?;
    let route = match status {
        Some(status) => status.route,
        None => read_json(&layout.gateway_state())?.unwrap_or_default(),
    };
    let id = match route.current {
        Some(current) => current.id,
        None => read_lines::<HistoryEntry>(&layout.history())?
            .pop()
            .map(|entry| entry.id)
            .ok_or_else(|| not_deployed(service, &layout))?,
    };
    let instance: Option<Instance> = read_json(&layout.instance(&id).join("instance.json"))?;
    match instance {
        Some(instance) => Runtimes::default().logs(&instance, tail).await,
        None => crate::layout::tail(&layout.instance(&id).join("output.log"), tail),
    }
}

fn not_deployed(service: &Service, layout: &Layout) -> Error {
    Error::NotDeployed { service: service.name.clone(), path: layout.root.clone() }
}

/// Releases again what served before the current instance, with all steps of a release.
pub async fn rollback(service: &Service, progress: Progress<'_>) -> Result<Released> {
    let runtime = Runtimes::default();
    let layout = Layout::open(service)?;
    let deployment = Deployment::begin(service, layout, &runtime, "rollback", progress).await?;
    let none = || Error::NoPrevious { service: service.name.clone() };
    let history = deployment.history()?;
    let status = deployment.control.status().await?;
    let current = match status {
        Some(status) => status.route.current.map(|target| target.id),
        None => None,
    };
    let released = |entry: &&HistoryEntry| entry.outcome == Outcome::Released;
    let previous = match &current {
        Some(current) => history
            .iter()
            .rev()
            .find(|entry| entry.id == *current)
            .and_then(|entry| entry.from.clone())
            .or_else(|| {
                let others = history.iter().rev().filter(released);
                others.map(|entry| entry.id.clone()).find(|id| id != current)
            }),
        None => history.iter().rev().find(released).map(|entry| entry.id.clone()),
    };
    let spec = match previous {
        Some(id) => deployment.read_spec(&id)?.ok_or_else(none)?,
        None => return Err(none()),
    };
    release::run(deployment, &spec).await
}

/// Replaces the running gateway by one of this program, without a gap for clients.
pub async fn upgrade(service: &Service, progress: Progress<'_>) -> Result<()> {
    let runtime = Runtimes::default();
    let layout = Layout::open(service)?;
    let deployment = Deployment::begin(service, layout, &runtime, "upgrade", progress).await?;
    let running = deployment.control.status().await?;
    let status = running.ok_or_else(|| not_deployed(service, &deployment.layout))?;
    deployment.upgrade_gateway(&status).await?;
    deployment.step(ReleaseEvent::Finished)
}

/// Opens the gateway, pauses it (requests wait), or closes it for maintenance.
pub async fn set_mode(service: &Service, mode: &Mode) -> Result<()> {
    running(service).await?.set_mode(mode).await
}

/// The gateway's counters in Prometheus' text format.
pub async fn metrics(service: &Service) -> Result<String> {
    running(service).await?.metrics().await
}

/// The way to the gateway, which must run.
async fn running(service: &Service) -> Result<Control> {
    let layout = Layout::open(service)?;
    let control = Control::new(layout.gateway_socket());
    match control.status().await? {
        Some(_) => Ok(control),
        None => Err(not_deployed(service, &layout)),
    }
}

/// Stops the gateway when its requests have finished, then all instances. Doing it twice is fine.
pub async fn stop(service: &Service, progress: Progress<'_>) -> Result<()> {
    let runtime = Runtimes::default();
    let layout = Layout::open(service)?;
    let deployment = Deployment::begin(service, layout, &runtime, "stop", progress).await?;
    deployment.stop_gateway(STOP_LIMIT).await?;
    for id in runtime.list(&deployment.layout.root).await? {
        let grace =
            deployment.read_spec(&id)?.map_or(Duration::from_secs(10), |spec| spec.stop_grace);
        runtime.remove(&deployment.layout.root, &id, grace).await?;
        deployment.step(ReleaseEvent::Stopped { id })?;
    }
    runtime.clean(&deployment.layout.root).await?;
    // The next gateway must not look for instances that were stopped on purpose, nor stay closed.
    for state in [deployment.layout.gateway_state(), deployment.layout.gateway_mode()] {
        match std::fs::remove_file(&state) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io("cannot remove", &state, source)),
        }
    }
    deployment.step(ReleaseEvent::Finished)
}
