//! `trainyard deploy status`: what serves, and whether `Production` names it.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use trainyard_deploy::gateway::{Gets, Mode, SideSeen};
use trainyard_deploy::{GatewayStatus, Health, Role, ServiceStatus};
use trainyard_pipeline::{Difference, Project, service};

use super::project::ProjectArguments;
use crate::failure::Failure;
use crate::printer;

/// How long the registry may take: what serves is told without it.
const REGISTRY_LIMIT: Duration = Duration::from_secs(5);

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    status: &'a ServiceStatus,
    #[serde(flatten)]
    registry: &'a Registry,
}

/// What the registry says of it.
#[derive(Debug, Default, Serialize)]
struct Registry {
    /// Where alias and traffic differ.
    difference: Option<Difference>,
    /// Why that is not known.
    registry_error: Option<String>,
}

impl Registry {
    async fn ask(project: &Project) -> Self {
        let asking = async {
            let tracking = project.tracking()?;
            trainyard_pipeline::difference(project, &tracking).await
        };
        match tokio::time::timeout(REGISTRY_LIMIT, asking).await {
            Ok(Ok(difference)) => Self { difference, registry_error: None },
            Ok(Err(error)) => Self { difference: None, registry_error: Some(error.message()) },
            Err(_elapsed) => {
                let error = format!("no answer within {} s", REGISTRY_LIMIT.as_secs());
                Self { difference: None, registry_error: Some(error) }
            }
        }
    }

    /// Whether it is known that `Production` names what serves.
    fn agrees(&self) -> bool {
        self.difference.is_none() && self.registry_error.is_none()
    }
}

pub(super) async fn status(arguments: &ProjectArguments, json: bool) -> Result<ExitCode, Failure> {
    let project = arguments.open_project()?;
    let service = service(&project);
    super::gateway_actions::warn(&service);
    let status = trainyard_deploy::status(&service).await?;
    let serves = status.instances.iter().any(|instance| instance.role == Role::Current);
    let registry = if serves { Registry::ask(&project).await } else { Registry::default() };
    if json {
        printer::json(&Told { status: &status, registry: &registry })?;
    } else {
        show(&status);
        if let Some(url) = &status.url
            && let Some(mut served) = super::health::served(url).await
        {
            let mark = " (Production)";
            if serves && registry.agrees() && !served.ends_with(mark) {
                served.push_str(mark);
            }
            printer::line(&format!("model      {served}"));
        }
        if let Some(difference) = &registry.difference {
            printer::line(&format!("differs    {}", difference.sentence()));
        }
        if let Some(error) = &registry.registry_error {
            printer::line(&format!("registry   cannot be asked: {error}"));
        }
        if let Some(id) = &status.unfinished {
            printer::line(&format!(
                "unfinished the release of {id} was interrupted; the next deploy settles it"
            ));
        }
    }
    match status.outage() {
        None => Ok(ExitCode::SUCCESS),
        Some(outage) => Err(Failure::runtime(format!("nothing serves: {outage}"))
            .hint("`trainyard deploy logs` says why; `trainyard deploy` brings it up again")),
    }
}

fn show(status: &ServiceStatus) {
    match &status.url {
        Some(url) => printer::line(&format!("gateway    {url}")),
        None => printer::line("gateway    down"),
    }
    if let Some(acme) = status.gateway.as_ref().and_then(|gateway| gateway.acme.as_ref()) {
        printer::line(&format!("tls        {}", acme.sentence()));
    }
    for instance in &status.instances {
        let label: Vec<String> =
            instance.label.iter().map(|(key, value)| format!("{key} {value}")).collect();
        let address =
            instance.address.map_or_else(String::new, |address| format!(" at http://{address}"));
        let state = match &instance.health {
            Some(Health::Well) => "running".to_owned(),
            Some(Health::Sick(said)) => format!("not well ({said})"),
            Some(Health::Silent(how)) => format!("not answering ({how})"),
            None if instance.running => "running".to_owned(),
            None => "stopped".to_owned(),
        };
        printer::line(&format!(
            "{:<10} {} {state}{address} (released as {})",
            role(instance.role),
            instance.id,
            label.join(", ")
        ));
    }
    if let Some(gateway) = &status.gateway {
        show_candidate(gateway);
    }
    match status.gateway.as_ref().map(|gateway| &gateway.mode) {
        Some(Mode::Paused { hold_ms }) => printer::line(&format!(
            "paused     requests wait up to {}",
            printer::took(Duration::from_millis(*hold_ms))
        )),
        Some(Mode::Maintenance { message, .. }) => {
            printer::line(&format!("closed     for maintenance: {message}"));
        }
        Some(Mode::Open) | None => {}
    }
    if let Some(holder) = &status.holder {
        printer::line(&format!("busy       process {} ({})", holder.pid, holder.what));
    }
}

/// What the new version of a release that goes on gets, and what was seen of it.
fn show_candidate(gateway: &GatewayStatus) {
    let candidate = gateway.route.candidate.as_ref();
    match candidate.map(|candidate| (&candidate.gets, candidate.steps.last())) {
        Some((Gets::Share { share, header }, Some(seen))) => {
            let by = header.as_ref().map_or_else(String::new, |name| format!(" by {name}"));
            let told =
                |side: &SideSeen| format!("{} of {}", side.errors + side.refused, side.requests);
            printer::line(&format!(
                "canary     {share} of the requests{by}: {} with an error, {} beside it",
                told(&seen.green),
                told(&seen.blue)
            ));
        }
        Some((Gets::Copies, _)) => printer::line("shadow     copies of the requests"),
        _ => {}
    }
    if let Some(copies) = gateway.copies.filter(|copies| copies.pairs > 0) {
        printer::line(&format!(
            "compared   {} requests asked of both: the new version alone failed at {}, {} of {} \
             predictions differ",
            copies.pairs, copies.green_failed, copies.differing, copies.compared
        ));
    }
}

/// What an instance is for.
fn role(role: Role) -> &'static str {
    match role {
        Role::Current => "serving",
        Role::Standby => "standby",
        Role::Candidate => "candidate",
        Role::Other => "other",
    }
}
