//! `trainyard deploy` and what can be done to a deployment.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use trainyard_deploy::gateway::Mode;
use trainyard_deploy::{Pull, RuntimeKind};
use trainyard_mlflow::Tracking;
use trainyard_pipeline::{
    Behaviour, DeployOptions, Deployed, Happened, Project, RollbackOptions, record_stop, service,
};

use super::gateway_actions::{self, MaintenanceArguments, PauseArguments};
use super::project::{ProjectArguments, program};
use super::run::asked_by_curl;
use super::summary::{check_folder, show_refusal, write_markdown};
use super::{deploy_history, deploy_logs, deploy_status, shutdown_signal};
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Release the approved version: beside the old one, then instead of it.
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
    /// Version to release; by default the approved one of Staging, else that of Production
    #[arg(long, value_name = "N")]
    version: Option<String>,
    /// Why, for the history and the records of releases
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Take the alias Production even from the running deployment of another project
    #[arg(long)]
    take_production: bool,
    #[command(flatten)]
    container: ContainerArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// File that gets the result as Markdown, also when the release fails
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
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
        if self.runtime.is_some_and(|runtime| runtime != RuntimeKind::Swarm) {
            config.placement.clear();
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
                .hint("give --runtime docker (or swarm) and --image, or set them in [deploy]")
        })
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what serves, how it does, and what is wrong
    Status(deploy_status::StatusArguments),
    /// Bring back what served before, as it served then
    Rollback(RollbackArguments),
    /// Show past releases
    History(ActionArguments),
    /// Show what instances, gateway and supervisor say
    Logs(deploy_logs::LogsArguments),
    /// Let requests wait, without refusing one, until `resume`
    Pause(PauseArguments),
    /// Answer requests with 503 and a message until `resume`
    Maintenance(MaintenanceArguments),
    /// Let requests in again
    Resume(ActionArguments),
    /// Have the running gateway take up what the project says of it, without closing a connection
    Reload(ActionArguments),
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
struct RollbackArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Version to go back to; by default the one before that was not rolled back itself
    #[arg(long, value_name = "N")]
    to: Option<String>,
    /// Why, for the history and the records of releases
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.action {
        None => deploy(&arguments).await,
        Some(Action::Status(action)) => Box::pin(deploy_status::status(&action)).await,
        Some(Action::Rollback(action)) => rollback(&action).await,
        Some(Action::History(action)) => deploy_history::history(&action.project, action.json),
        Some(Action::Logs(action)) => Box::pin(deploy_logs::logs(&action)).await,
        Some(Action::Pause(action)) => gateway_actions::pause(&action).await,
        Some(Action::Maintenance(action)) => gateway_actions::maintenance(&action).await,
        Some(Action::Resume(action)) => {
            gateway_actions::set_mode(&action.project, &Mode::Open).await
        }
        Some(Action::Reload(action)) => gateway_actions::reload(&action.project).await,
        Some(Action::Upgrade(action)) => gateway_actions::upgrade(&action.project).await,
        Some(Action::Metrics(action)) => gateway_actions::metrics(&action.project).await,
        Some(Action::Stop(action)) => stop(&action).await,
    }
}

async fn deploy(arguments: &Arguments) -> Result<ExitCode, Failure> {
    check_folder(arguments.summary.as_deref())?;
    let (mut project, tracking) = arguments.project.open()?;
    arguments.container.apply(&mut project)?;
    gateway_actions::warn(&service(&project));
    let progress = Progress::new();
    let watch = |event| progress.show(&event);
    let options = DeployOptions {
        program: program()?,
        version: arguments.version.clone(),
        reason: arguments.reason.clone(),
        take_production: arguments.take_production,
        asked_by: None,
    };
    // Its future is large, and lies on the heap so that this one stays small.
    let deploying = Box::pin(trainyard_pipeline::deploy(&project, &tracking, options, &watch));
    let outcome = match unless_interrupted(deploying).await {
        Err(interrupted) => return Err(settled(&project, &tracking, interrupted).await),
        Ok(outcome) => outcome,
    };
    if !arguments.json {
        show_refusal(outcome.as_ref().err());
    }
    if let Some(path) = &arguments.summary {
        write_markdown(path, &outcome, Deployed::to_markdown)?;
    }
    let happened = match &outcome {
        Ok(deployed) => {
            let url = Some(deployed.url.clone());
            Some(Happened::Promoted { version: deployed.version.clone(), url })
        }
        Err(error) => Happened::of_failure(error),
    };
    trainyard_pipeline::notify(&project, happened.as_slice()).await;
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

/// Traffic goes back to what served before, if the release that was interrupted had moved it already.
async fn settled(project: &Project, tracking: &Tracking, interrupted: Failure) -> Failure {
    if let Err(error) = trainyard_pipeline::settle(project, tracking, &|_event| {}).await {
        tracing::warn!(error = error.message(), "the interrupted release is not settled");
    }
    interrupted
}

async fn rollback(arguments: &RollbackArguments) -> Result<ExitCode, Failure> {
    let (project, tracking) = arguments.project.open()?;
    let progress = Progress::new();
    let watch = |event| progress.show(&event);
    let (to, reason) = (arguments.to.clone(), arguments.reason.clone());
    let options = RollbackOptions { to, reason, asked_by: None };
    let rolling = trainyard_pipeline::rollback(&project, &tracking, options, &watch);
    let deployed = unless_interrupted(rolling).await??;
    let happened = Happened::RolledBack {
        version: Some(deployed.version.clone()),
        reason: arguments
            .reason
            .clone()
            .unwrap_or_else(|| "`trainyard deploy rollback`".to_owned()),
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
        for line in deployed.behaviour.iter().flat_map(Behaviour::told) {
            printer::line(&format!("behaviour  {line}"));
        }
        if let Some(body) = &deployed.example {
            printer::hint(&format!("try it: {}", asked_by_curl(body, &deployed.url)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop(arguments: &ActionArguments) -> Result<ExitCode, Failure> {
    let project = arguments.project.open_project()?;
    trainyard_deploy::stop(&service(&project), &|_event| {}).await?;
    record_stop(&project).await;
    Ok(ExitCode::SUCCESS)
}
