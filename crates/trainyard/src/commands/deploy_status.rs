//! `trainyard deploy status`: what serves, how it does, and whether it is what it should be.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use trainyard_deploy::{Role, ServiceStatus, State};
use trainyard_pipeline::monitor::{LastVerdict, last_verdict};
use trainyard_pipeline::{Difference, Project, service};

use super::project::ProjectArguments;
use super::{shutdown_signal, status_page};
use crate::failure::Failure;
use crate::printer;

/// How long the registry may take: what serves is told without it.
const REGISTRY_LIMIT: Duration = Duration::from_secs(3);

/// Time between two looks with `--watch`.
const LOOK: Duration = Duration::from_secs(2);

/// Looks for which the registry's word holds: what it says changes seldom, and one that is down is waited for.
const LOOKS_PER_QUESTION: u32 = 15;

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Look again every 2 s until Ctrl-C; where stdout is no terminal, a line each time
    #[arg(long, short)]
    watch: bool,
    /// Print everything as one line of JSON
    #[arg(long)]
    json: bool,
}

/// What is known of a service.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    pub(super) state: State,
    /// Why clients are not served as they should be.
    pub(super) outage: Option<String>,
    /// What is dangerous as it is.
    pub(super) warnings: Vec<String>,
    #[serde(flatten)]
    pub(super) status: &'a ServiceStatus,
    #[serde(flatten)]
    pub(super) registry: &'a Registry,
    #[serde(skip)]
    pub(super) now_ms: u64,
}

/// What the registry says of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Registry {
    /// Where alias and traffic differ.
    pub(super) difference: Option<Difference>,
    /// The last look at production data.
    pub(super) drift: Option<LastVerdict>,
    /// Why that is not known.
    pub(super) registry_error: Option<String>,
}

impl Registry {
    /// What the registry says of what should serve; where that is nothing, it is not asked.
    async fn of(project: &Project, status: &ServiceStatus) -> Self {
        if status.instances.iter().any(|instance| instance.role == Role::Current) {
            // Its future is large.
            Box::pin(Self::ask(project)).await
        } else {
            Self::default()
        }
    }

    async fn ask(project: &Project) -> Self {
        let asking = async {
            let tracking = project.tracking()?;
            let difference = trainyard_pipeline::difference(project, &tracking).await?;
            let drift = last_verdict(project, &tracking).await?;
            Ok::<_, trainyard_pipeline::Error>((difference, drift))
        };
        let failed = |error| Self { registry_error: Some(error), ..Self::default() };
        match tokio::time::timeout(REGISTRY_LIMIT, asking).await {
            Ok(Ok((difference, drift))) => Self { difference, drift, registry_error: None },
            Ok(Err(error)) => failed(error.message()),
            Err(_elapsed) => failed(format!("no answer within {} s", REGISTRY_LIMIT.as_secs())),
        }
    }

    /// Whether it is known that `Production` names what serves.
    pub(super) fn agrees(&self) -> bool {
        self.difference.is_none() && self.registry_error.is_none()
    }
}

/// What is told where nothing was ever deployed.
#[derive(Debug, Serialize)]
struct Nothing {
    state: State,
    outage: Option<String>,
}

pub(super) async fn status(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let project = arguments.project.open_project()?;
    if arguments.watch {
        return watch(&project, arguments.json).await;
    }
    let status = match trainyard_deploy::status(&service(&project)).await {
        Err(error @ trainyard_deploy::Error::NotDeployed { .. }) => {
            if arguments.json {
                printer::json(&Nothing { state: State::NeverReleased, outage: None })?;
            }
            return Err(error.into());
        }
        status => status?,
    };
    let registry = Registry::of(&project, &status).await;
    let told = told(&project, &status, &registry);
    if arguments.json {
        printer::json(&told)?;
    } else {
        for line in status_page::lines(&told, printer::stdout_look()) {
            printer::line(&line);
        }
    }
    match failure(&told) {
        None => Ok(ExitCode::SUCCESS),
        Some(failure) => Err(failure),
    }
}

fn told<'a>(project: &Project, status: &'a ServiceStatus, registry: &'a Registry) -> Told<'a> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Told {
        state: status.state(),
        outage: status.outage(),
        warnings: exposure(project),
        status,
        registry,
        now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What is dangerous in how the gateway listens.
fn exposure(project: &Project) -> Vec<String> {
    let listen = project.config.deploy.listen;
    if listen.ip().is_loopback() {
        return Vec::new();
    }
    vec![format!(
        "{listen} is open to others without TLS or tokens: see `tls` and `tokens` in docs/deploying.md"
    )]
}

/// What ends the verb with an exit code that says so.
fn failure(told: &Told<'_>) -> Option<Failure> {
    let outage = told.outage.as_ref()?;
    let what =
        if told.state == State::Degraded { "not all of it serves" } else { "nothing serves" };
    let help = if told.status.supervisor.is_some() {
        "`trainyard deploy logs` says why; the supervisor brings it up again"
    } else {
        "`trainyard deploy logs` says why; `trainyard deploy` brings it up again"
    };
    Some(Failure::runtime(format!("{what}: {outage}")).hint(help))
}

/// Looks again and again until Ctrl-C; ends as the last look would have.
async fn watch(project: &Project, json: bool) -> Result<ExitCode, Failure> {
    let service = service(project);
    let mut registry = Registry::default();
    let mut looks = 0_u32;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shutdown = std::pin::pin!(shutdown_signal());
    let mut last = None;
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return last.map_or(Ok(ExitCode::SUCCESS), Err),
            _ = look.tick() => {}
        }
        let looking = async {
            let status = trainyard_deploy::status(&service).await?;
            if looks.is_multiple_of(LOOKS_PER_QUESTION) {
                registry = Registry::of(project, &status).await;
            }
            Ok::<_, Failure>(status)
        };
        let status = tokio::select! {
            biased;
            () = &mut shutdown => return last.map_or(Ok(ExitCode::SUCCESS), Err),
            status = looking => status?,
        };
        looks = looks.wrapping_add(1);
        let told = told(project, &status, &registry);
        if json {
            printer::json(&told)?;
        } else if let Some(look) = printer::stdout_screen() {
            printer::redraw(&status_page::watched(&told, look));
        } else {
            printer::line(&status_page::line(&told));
        }
        last = failure(&told);
    }
}
