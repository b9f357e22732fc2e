//! `trainyard deploy` and what can be done to a deployment.

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use trainyard_deploy::gateway::{Gets, Mode, SideSeen};
use trainyard_deploy::{
    GatewayStatus, Health, HistoryEntry, Outcome, Pull, Role, RuntimeKind, ServiceStatus,
};
use trainyard_pipeline::{Deployed, Happened, Project, service};

use super::gateway_actions::{self, MaintenanceArguments, PauseArguments};
use super::project::{ProjectArguments, program};
use super::shutdown_signal;
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Bring the Production version up beside the old one and switch when it is healthy.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  trainyard deploy examples/iris\n  trainyard deploy examples/iris --runtime docker --image registry.example.com/trainyard:1\n  trainyard deploy status examples/iris"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    container: ContainerArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Where the new instance runs, before what the project file says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Containers")]
struct ContainerArguments {
    /// Where instances run
    #[arg(long, value_parser = PossibleValuesParser::new(RuntimeKind::ALL.map(RuntimeKind::name))
        .try_map(|name| name.parse::<RuntimeKind>()))]
    runtime: Option<RuntimeKind>,
    /// Image with this program
    #[arg(long, value_name = "NAME:TAG")]
    image: Option<String>,
    /// When the image is fetched
    #[arg(long, value_parser = PossibleValuesParser::new(Pull::NAMES)
        .try_map(|name| name.parse::<Pull>()))]
    pull: Option<Pull>,
    /// own, host, or a network that is there
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Memory the container may use, like 512MiB
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Processors the container may use, like 0.5
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<f64>,
}

impl ContainerArguments {
    /// Puts what was given over what the project file says.
    fn apply(&self, project: &mut Project) -> Result<(), Failure> {
        let config = &mut project.config.deploy;
        config.runtime = self.runtime.unwrap_or(config.runtime);
        if self.runtime.is_some_and(|runtime| !runtime.runs_images()) {
            config.image = None;
            config.pull = None;
            config.network = None;
            config.memory = None;
            config.cpus = None;
        }
        let given = |flag: &Option<String>, key: &mut Option<String>| {
            if flag.is_some() {
                key.clone_from(flag);
            }
        };
        given(&self.image, &mut config.image);
        given(&self.network, &mut config.network);
        given(&self.memory, &mut config.memory);
        config.cpus = self.cpus.or(config.cpus);
        config.pull = self.pull.or(config.pull);
        config.check().map_err(|reason| {
            Failure::input(reason)
                .hint("give --runtime docker and --image, or set them in [deploy]")
        })
    }
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
    /// Let requests wait, without refusing one, until `resume`
    Pause(PauseArguments),
    /// Answer requests with 503 and a message until `resume`
    Maintenance(MaintenanceArguments),
    /// Let requests in again
    Resume(ActionArguments),
    /// Replace the running gateway by this program's, without a gap for clients
    Upgrade(ActionArguments),
    /// Show the gateway's counters in Prometheus' text format
    Metrics(ActionArguments),
    /// Drain and stop the instances and the gateway
    Stop(ActionArguments),
}

#[derive(Debug, Args)]
pub(super) struct ActionArguments {
    #[command(flatten)]
    pub(super) project: ProjectArguments,
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
        None => deploy(&arguments).await,
        Some(Action::Status(action)) => status(&action).await,
        Some(Action::Rollback(action)) => rollback(&action).await,
        Some(Action::History(action)) => history(&action),
        Some(Action::Logs(action)) => logs(&action).await,
        Some(Action::Pause(action)) => gateway_actions::pause(&action).await,
        Some(Action::Maintenance(action)) => gateway_actions::maintenance(&action).await,
        Some(Action::Resume(action)) => {
            gateway_actions::set_mode(&action.project, &Mode::Open).await
        }
        Some(Action::Upgrade(action)) => gateway_actions::upgrade(&action.project).await,
        Some(Action::Metrics(action)) => gateway_actions::metrics(&action.project).await,
        Some(Action::Stop(action)) => stop(&action).await,
    }
}

async fn deploy(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (mut project, tracking) = arguments.project.open()?;
    arguments.container.apply(&mut project)?;
    let progress = Progress::new();
    let watch = |event| progress.show(&event);
    let deploying = trainyard_pipeline::deploy(&project, &tracking, program()?, &watch);
    let outcome = unless_interrupted(deploying).await?;
    if let Err(error) = &outcome {
        let happened = Happened::of_failure(error);
        trainyard_pipeline::notify(&project, happened.as_slice()).await;
    }
    report(&outcome?, arguments.json)
}

/// A release until its end, or until Ctrl-C, which is safe at any of its steps.
async fn unless_interrupted<T>(release: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = shutdown_signal() => Err(Failure::runtime("interrupted").hint(
            "requests go on to what serves (`trainyard deploy status`); deploying again tidies up",
        )),
        outcome = release => Ok(outcome),
    }
}

async fn status(arguments: &ActionArguments) -> Result<ExitCode, Failure> {
    let project = arguments.project.open_project()?;
    let status = trainyard_deploy::status(&service(&project)).await?;
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
            printer::took(std::time::Duration::from_millis(*hold_ms))
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
    let releasing = trainyard_pipeline::rollback(&project, &tracking, program()?, &watch);
    let deployed = unless_interrupted(releasing).await??;
    let happened = Happened::RolledBack {
        version: Some(deployed.version.clone()),
        reason: "`trainyard deploy rollback`".to_owned(),
    };
    trainyard_pipeline::notify(&project, &[happened]).await;
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
    let project = arguments.project.open_project()?;
    let entries = trainyard_deploy::history(&service(&project))?;
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
    let project = arguments.project.open_project()?;
    let lines = trainyard_deploy::logs(&service(&project), arguments.lines).await?;
    for line in lines {
        printer::line(&line);
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop(arguments: &ActionArguments) -> Result<ExitCode, Failure> {
    let project = arguments.project.open_project()?;
    trainyard_deploy::stop(&service(&project), &|_event| {}).await?;
    Ok(ExitCode::SUCCESS)
}
