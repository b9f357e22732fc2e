//! `trainyard deploy status`: what serves, how it does, and whether it is what it should be.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use trainyard_deploy::State;
use trainyard_pipeline::{Project, service};

use super::project::ProjectArguments;
use super::status_told::{Registry, Told};
use super::{shutdown_signal, status_page};
use crate::failure::Failure;
use crate::printer;

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
    let told = Told::of(&project, &status, &registry);
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
        let told = Told::of(project, &status, &registry);
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
