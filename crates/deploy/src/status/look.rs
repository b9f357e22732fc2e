//! Asks everybody: the gateway, the runtimes, the instances, all at once and none of them for long.

use std::time::Duration;

use futures::future::join_all;
use trainyard_base::words::HEALTH_PATH;

use super::certificate::certificate;
use super::report::{Health, InstanceReport, Role, ServiceStatus, Wanted};
use super::route::{instances_of, route};
use crate::error::Result;
use crate::gateway::RouteState;
use crate::gateway::control::{Control, GatewayStatus};
use crate::probe::{self, Answer, Probe};
use crate::release::ReleaseSpec;
use crate::replica_id::{place_of, release_of};
use crate::runtime::{Instance, InstanceStatus, Runtimes, Vitals};
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::history::{HistoryEntry, Outcome};
use crate::state::lock;
use crate::state::supervisor::supervisor;

/// How long an instance may take to say how it is.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a runtime may take to say what there is: an engine that is away is waited for longer by those who
/// change something, and here it would hide all the rest.
const RUNTIME_TIMEOUT: Duration = Duration::from_secs(3);

/// What runs, and what it says when it is asked. Changes nothing.
///
/// # Errors
///
/// [`Error::NotDeployed`](crate::Error::NotDeployed) where nothing was ever deployed, and files of the service that
/// cannot be read. That something does not answer is no error: it is what is reported.
pub async fn status(service: &Service) -> Result<ServiceStatus> {
    let folder = Folder::open(service)?;
    let runtimes = Runtimes::default();
    let listing = tokio::time::timeout(RUNTIME_TIMEOUT, runtimes.list(&folder.root));
    let control = Control::new(folder.gateway_socket());
    let (gateway, listed) = tokio::join!(control.status(), listing);
    let (gateway, gateway_error) = match gateway {
        Ok(gateway) => (gateway, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (listed, runtime_error) = match listed {
        Ok(Ok(listed)) => (listed, None),
        Ok(Err(error)) => (Vec::new(), Some(error.to_string())),
        Err(_elapsed) => (Vec::new(), Some(no_answer())),
    };
    let route = route(gateway.as_ref(), &folder)?;
    let roles = Roles::of(&route);
    let mut ids = Vec::new();
    for release in roles.releases() {
        ids.extend(instances_of(&folder, release)?);
    }
    ids.extend(listed.iter().filter(|id| roles.role(id) == Role::Other).cloned());
    let asker = Asker { folder: &folder, runtimes: &runtimes, gateway: gateway.as_ref(), listed };
    let asked = join_all(ids.into_iter().map(|id| {
        let role = roles.role(&id);
        asker.report(id, role)
    }));
    let mut instances = asked.await.into_iter().collect::<Result<Vec<_>>>()?;
    instances.sort_by_key(|report| (report.role, place_of(&report.id)));
    let holder = lock::holder(&folder.lock());
    let pending = folder.read_pending()?.filter(|_| holder.is_none());
    Ok(ServiceStatus {
        wanted: wanted(&folder, &route)?,
        certificate: certificate(service, gateway.as_ref()),
        url: gateway.as_ref().map(GatewayStatus::url),
        gateway,
        gateway_error,
        instances,
        runtime_error,
        supervisor: supervisor(service)?,
        holder,
        unfinished: pending.map(|pending| pending.green),
        last: folder.read_history()?.pop(),
    })
}

fn no_answer() -> String {
    format!("no answer within {} s", RUNTIME_TIMEOUT.as_secs())
}

/// What should be: a route is removed only by who stops a service.
fn wanted(folder: &Folder, route: &RouteState) -> Result<Wanted> {
    if route.current.is_some() {
        return Ok(Wanted::Serving);
    }
    if folder.was_stopped()? {
        return Ok(Wanted::Stopped);
    }
    let was_released = |entry: &HistoryEntry| entry.outcome == Outcome::Released;
    let has_served = folder.read_history()?.iter().any(was_released);
    Ok(if has_served { Wanted::Serving } else { Wanted::Nothing })
}

/// Which release is for what.
struct Roles {
    current: Option<String>,
    standby: Option<String>,
    candidate: Option<String>,
}

impl Roles {
    fn of(route: &RouteState) -> Self {
        Self {
            current: route.current.as_ref().map(|target| target.id.clone()),
            standby: route.standby.as_ref().map(|target| target.id.clone()),
            candidate: route.candidate.as_ref().map(|candidate| candidate.target.id.clone()),
        }
    }

    fn releases(&self) -> impl Iterator<Item = &String> {
        self.current.iter().chain(&self.standby).chain(&self.candidate)
    }

    fn role(&self, id: &str) -> Role {
        let is = |release: &Option<String>| release.as_deref() == Some(release_of(id));
        if is(&self.current) {
            Role::Current
        } else if is(&self.standby) {
            Role::Standby
        } else if is(&self.candidate) {
            Role::Candidate
        } else {
            Role::Other
        }
    }
}

/// Whoever is asked of an instance, and how.
struct Asker<'a> {
    folder: &'a Folder,
    runtimes: &'a Runtimes,
    gateway: Option<&'a GatewayStatus>,
    /// Found by their labels, so they run.
    listed: Vec<String>,
}

impl Asker<'_> {
    async fn report(&self, id: String, role: Role) -> Result<InstanceReport> {
        let folder = self.folder;
        let instance = folder.read_instance(&id)?;
        let spec = match folder.read_spec(&id)? {
            None => folder.read_spec(release_of(&id))?,
            spec => spec,
        };
        let seen = match &instance {
            Some(instance) => self.ask(instance, spec.as_ref()).await,
            None => Seen { running: self.listed.contains(&id), ..Seen::default() },
        };
        let up = seen.vitals.up.map(|up| u64::try_from(up.as_millis()).unwrap_or(u64::MAX));
        Ok(InstanceReport {
            role,
            running: seen.running,
            ended: seen.ended,
            health: seen.health,
            said: seen.said,
            address: instance.as_ref().map(|instance| instance.address),
            handle: instance.map(|instance| instance.handle),
            label: spec.map(|spec| spec.label).unwrap_or_default(),
            up_ms: up,
            memory_bytes: seen.vitals.memory_bytes,
            // One that was cut by a full disk says nothing.
            restarts: folder.read_restarts(&id).unwrap_or_default(),
            lately: self.gateway.and_then(|gateway| gateway.instances.get(&id).copied()),
            id,
        })
    }

    async fn ask(&self, instance: &Instance, spec: Option<&ReleaseSpec>) -> Seen {
        let asking = tokio::time::timeout(RUNTIME_TIMEOUT, self.runtimes.status(instance));
        let trouble = match asking.await {
            Ok(Ok(InstanceStatus::Running)) => None,
            Ok(Ok(InstanceStatus::Awaited(why))) => Some(why),
            Ok(Ok(InstanceStatus::Ended(how))) => {
                return Seen { ended: Some(how), ..Seen::default() };
            }
            // Containers serve on while their engine is away.
            Ok(Err(error)) => Some(error.to_string()),
            Err(_elapsed) => Some(no_answer()),
        };
        let path = spec.map_or(HEALTH_PATH, |spec| spec.health_path.as_str());
        let probe = Probe::get(path);
        let vitals = tokio::time::timeout(RUNTIME_TIMEOUT, self.runtimes.vitals(instance));
        let token = spec.and_then(ReleaseSpec::token);
        let asked = probe::ask(instance.address, &probe, token.as_ref(), HEALTH_TIMEOUT);
        let (answer, vitals) = tokio::join!(asked, vitals);
        let body = |body: &str| serde_json::from_str(body).ok();
        let (health, said) = match &answer {
            Answer::Status { status, body: text } if (200..300).contains(status) => {
                (Health::Well, body(text))
            }
            Answer::Status { body: text, .. } => (Health::Sick(answer.to_string()), body(text)),
            answer => (Health::Silent(answer.to_string()), None),
        };
        Seen {
            running: trouble.is_none() || !matches!(health, Health::Silent(_)),
            ended: trouble,
            health: Some(health),
            said,
            vitals: vitals.unwrap_or_default(),
        }
    }
}

/// What was seen of an instance.
#[derive(Default)]
struct Seen {
    running: bool,
    ended: Option<String>,
    health: Option<Health>,
    said: Option<serde_json::Value>,
    vitals: Vitals,
}
