//! `trainyard deploy` and what can be done to a deployment.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use trainyard_deploy::{HistoryEntry, Outcome, Role, ServiceStatus};
use trainyard_pipeline::{Deployed, Project, service};

use super::project::{ProjectArguments, program};
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Bring the Production version up beside the old one and switch when it is healthy.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  trainyard deploy examples/iris\n  trainyard deploy status examples/iris"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    project: ProjectArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what serves, and where
    Status(ActionArguments),
    /// Label the version before Production again, and release it
    Rollback(ActionArguments),
    /// Show past releases
    History(ActionArguments),
    /// Show the last lines of the serving instance's log
    Logs(LogsArguments),
    /// Drain and stop the instances and the gateway
    Stop(ActionArguments),
}

#[derive(Debug, Args)]
struct ActionArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct LogsArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// How many lines
    #[arg(long, short = 'n', default_value_t = 50, value_name = "COUNT")]
    lines: usize,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.action {
        None => deploy(&arguments.project, arguments.json).await,
        Some(Action::Status(action)) => status(&action).await,
        Some(Action::Rollback(action)) => rollback(&action).await,
        Some(Action::History(action)) => history(&action),
        Some(Action::Logs(action)) => logs(&action).await,
        Some(Action::Stop(action)) => stop(&action).await,
    }
}

async fn deploy(arguments: &ProjectArguments, json: bool) -> Result<ExitCode, Failure> {
    let (project, tracking) = arguments.open()?;
    let progress = Progress::new();
    let watch = |event| progress.show(&event);
    let deployed =
        trainyard_pipeline::deploy(&project, tracking.as_ref(), program()?, &watch).await?;
    report(&deployed, json)
}

/// The project alone: what is done to a deployment needs no registry.
fn project(arguments: &ActionArguments) -> Result<Project, Failure> {
    let uri = arguments.project.tracking.tracking_uri.as_deref();
    Ok(Project::open(&arguments.project.folder, uri)?)
}

async fn status(arguments: &ActionArguments) -> Result<ExitCode, Failure> {
    let project = project(arguments)?;
    let status = trainyard_deploy::status(&service(&project))
        .await
        .map_err(trainyard_pipeline::Error::from)?;
    if arguments.json {
        printer::json(&status)?;
    } else {
        show(&status);
        if let Some(url) = &status.url
            && let Some(served) = super::health::served(url).await
        {
            printer::line(&format!("model      {served}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(status: &ServiceStatus) {
    match &status.url {
        Some(url) => printer::line(&format!("gateway    {url}")),
        None => printer::line("gateway    down"),
    }
    for instance in &status.instances {
        let label: Vec<String> =
            instance.label.iter().map(|(key, value)| format!("{key} {value}")).collect();
        let address =
            instance.address.map_or_else(String::new, |address| format!(" at http://{address}"));
        let state = if instance.running { "running" } else { "stopped" };
        printer::line(&format!(
            "{:<10} {} {state}{address} (released as {})",
            role(instance.role),
            instance.id,
            label.join(", ")
        ));
    }
    if let Some(holder) = &status.holder {
        printer::line(&format!("busy       process {} ({})", holder.pid, holder.what));
    }
}

/// What an instance is for.
fn role(role: Role) -> &'static str {
    match role {
        Role::Current => "serving",
        Role::Standby => "standby",
        Role::Other => "other",
    }
}

fn history_line(entry: &HistoryEntry) -> String {
    let time = i64::try_from(entry.at_ms)
        .ok()
        .and_then(chrono::DateTime::from_timestamp_millis)
        .map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M:%S").to_string());
    let outcome = match &entry.outcome {
        Outcome::Released => "released".to_owned(),
        Outcome::Failed(reason) => {
            format!("failed: {}", reason.lines().next().unwrap_or_default())
        }
    };
    let label: Vec<String> =
        entry.label.iter().map(|(key, value)| format!("{key} {value}")).collect();
    let took = printer::took(std::time::Duration::from_millis(entry.took_ms));
    format!("{time}  {}  {} in {took}  {outcome}", entry.id, label.join(", "))
}

async fn rollback(arguments: &ActionArguments) -> Result<ExitCode, Failure> {
    let (project, tracking) = arguments.project.open()?;
    let progress = Progress::new();
    let watch = |event| progress.show(&event);
    let deployed =
        trainyard_pipeline::rollback(&project, tracking.as_ref(), program()?, &watch).await?;
    report(&deployed, arguments.json)
}

fn report(deployed: &Deployed, json: bool) -> Result<ExitCode, Failure> {
    if json {
        printer::json(deployed)?;
    } else {
        printer::line(&format!("serving    {}/predict", deployed.url));
        printer::line(&format!("model      {} version {}", deployed.name, deployed.version));
    }
    Ok(ExitCode::SUCCESS)
}

fn history(arguments: &ActionArguments) -> Result<ExitCode, Failure> {
    let project = project(arguments)?;
    let entries =
        trainyard_deploy::history(&service(&project)).map_err(trainyard_pipeline::Error::from)?;
    if arguments.json {
        printer::json(&entries)?;
    } else {
        for entry in entries {
            printer::line(&history_line(&entry));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn logs(arguments: &LogsArguments) -> Result<ExitCode, Failure> {
    let uri = arguments.project.tracking.tracking_uri.as_deref();
    let project = Project::open(&arguments.project.folder, uri)?;
    let lines = trainyard_deploy::logs(&service(&project), arguments.lines)
        .await
        .map_err(trainyard_pipeline::Error::from)?;
    for line in lines {
        printer::line(&line);
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop(arguments: &ActionArguments) -> Result<ExitCode, Failure> {
    let project = project(arguments)?;
    trainyard_deploy::stop(&service(&project), &|_event| {})
        .await
        .map_err(trainyard_pipeline::Error::from)?;
    Ok(ExitCode::SUCCESS)
}
