//! What of a service runs, and what it says when it is asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use trainyard_base::words::HEALTH_PATH;

use crate::error::{Error, Result};
use crate::gateway::RouteState;
use crate::gateway::control::{Control, GatewayStatus};
use crate::probe::{self, Look};
use crate::release::ReleaseSpec;
use crate::runtime::{Instance, InstanceStatus, Runtimes};
use crate::service::{Service, url};
use crate::state::file::{read_json, tail};
use crate::state::folder::Folder;
use crate::state::history::{HistoryEntry, Outcome};
use crate::state::instances::log_path;
use crate::state::lock::{self, Holder};

/// How long an instance may take to say how it is.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Requests go to it.
    Current,
    /// It gets copies of the requests, or a share of them.
    Candidate,
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
    /// The instance of a release that was broken off between its switch and its end, while nobody is at it:
    /// the next change settles it.
    pub unfinished: Option<String>,
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
    let path = spec.map_or(HEALTH_PATH, |spec| spec.health_path.as_str());
    let token = spec.and_then(ReleaseSpec::token);
    match probe::look(instance.address, path, token.as_ref(), HEALTH_TIMEOUT).await {
        Look::Well => Health::Well,
        Look::Sick(said) => Health::Sick(said),
        Look::Nothing(how) | Look::Gone(how) => Health::Silent(how),
    }
}

/// What runs, and what it says when it is asked. Changes nothing.
pub async fn status(service: &Service) -> Result<ServiceStatus> {
    let folder = Folder::open(service)?;
    let runtimes = Runtimes::default();
    let gateway = Control::new(folder.gateway_socket()).status().await?;
    let route = route(gateway.as_ref(), &folder)?;
    let current = route.current.map(|target| target.id);
    let standby = route.standby.map(|target| target.id);
    let candidate = route.candidate.map(|candidate| candidate.target.id);
    let mut ids = runtimes.list(&folder.root).await?;
    for id in current.iter().chain(&standby).chain(&candidate) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    let mut instances = Vec::with_capacity(ids.len());
    for id in ids {
        let instance = folder.read_instance(&id)?;
        let spec = folder.read_spec(&id)?;
        let running = match &instance {
            Some(instance) => runtimes.status(instance).await? == InstanceStatus::Running,
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
        } else if Some(&id) == candidate.as_ref() {
            Role::Candidate
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
    instances.sort_by_key(|report| report.role);
    let holder = lock::holder(&folder.lock());
    let pending = folder.read_pending()?.filter(|_| holder.is_none());
    Ok(ServiceStatus {
        url: gateway.as_ref().map(|gateway| url(gateway.listen)),
        gateway,
        instances,
        holder,
        unfinished: pending.map(|pending| pending.green),
        last: folder.read_history()?.pop(),
    })
}

/// What requests go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The instance.
    pub id: String,
    /// What was released as it.
    pub label: BTreeMap<String, String>,
    /// Whether somebody changes the service now, so that this is not for long.
    pub is_changing: bool,
}

/// What requests go to, without asking it; none where no gateway runs, or none of its instances was released.
pub async fn serving(service: &Service) -> Result<Option<Serving>> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(None),
        folder => folder?,
    };
    let is_changing = lock::holder(&folder.lock()).is_some();
    let status = Control::new(folder.gateway_socket()).status().await?;
    let Some(current) = status.and_then(|status| status.route.current) else { return Ok(None) };
    let Some(spec) = folder.read_spec(&current.id)? else { return Ok(None) };
    Ok(Some(Serving { id: current.id, label: spec.label, is_changing }))
}

/// What was released as the instance that requests go to or, where the service is down, went to last; none where
/// nothing was released. What is between its switch and its end does not count yet: it may be taken back.
pub async fn served_last(service: &Service) -> Result<Option<BTreeMap<String, String>>> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(None),
        folder => folder?,
    };
    let gateway = Control::new(folder.gateway_socket()).status().await?;
    let current = route(gateway.as_ref(), &folder)?.current.map(|target| target.id);
    let pending = folder.read_pending()?.filter(|pending| !pending.committed);
    let id = match pending {
        Some(pending) if Some(&pending.green) == current.as_ref() => pending.blue,
        _ => current,
    };
    if let Some(id) = id
        && let Some(spec) = folder.read_spec(&id)?
    {
        return Ok(Some(spec.label));
    }
    let mut newest_first = folder.read_history()?.into_iter().rev();
    let released = newest_first.find(|entry| entry.outcome == Outcome::Released);
    Ok(released.map(|entry| entry.label))
}

/// Where requests go: the gateway's own word, or what it wrote down last.
fn route(gateway: Option<&GatewayStatus>, folder: &Folder) -> Result<RouteState> {
    match gateway {
        Some(gateway) => Ok(gateway.route.clone()),
        None => Ok(read_json(&folder.gateway_state())?.unwrap_or_default()),
    }
}

/// The last log lines of the instance that serves (or served last).
pub async fn logs(service: &Service, lines: usize) -> Result<Vec<String>> {
    let folder = Folder::open(service)?;
    let gateway = Control::new(folder.gateway_socket()).status().await?;
    let id = match route(gateway.as_ref(), &folder)?.current {
        Some(current) => current.id,
        None => match folder.read_history()?.pop() {
            Some(entry) => entry.id,
            None => return Err(folder.not_deployed(service)),
        },
    };
    match folder.read_instance(&id)? {
        Some(instance) => Runtimes::default().logs(&instance, lines).await,
        None => tail(&log_path(&folder.root, &id), lines),
    }
}
