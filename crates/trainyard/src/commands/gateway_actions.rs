//! `trainyard deploy pause|maintenance|resume|reload|upgrade|metrics`: what is done to a running gateway.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use trainyard_deploy::Service;
use trainyard_deploy::gateway::Mode;
use trainyard_pipeline::service;

use super::project::ProjectArguments;
use crate::failure::Failure;
use crate::printer;

/// Let requests wait until the gateway is resumed.
#[derive(Debug, Args)]
pub(super) struct PauseArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// How long a request waits before it is answered with 503
    #[arg(long, default_value = "30s", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    hold: Duration,
}

/// Answer requests with 503 until the gateway is resumed.
#[derive(Debug, Args)]
pub(super) struct MaintenanceArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// What users read
    #[arg(long, default_value = "This service is being maintained.", value_name = "TEXT")]
    message: String,
    /// When clients are told to come back
    #[arg(long, default_value = "1m", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    retry_after: Duration,
}

pub(super) async fn pause(arguments: &PauseArguments) -> Result<ExitCode, Failure> {
    let hold_ms = u64::try_from(arguments.hold.as_millis()).unwrap_or(u64::MAX);
    set_mode(&arguments.project, &Mode::Paused { hold_ms }).await
}

pub(super) async fn maintenance(arguments: &MaintenanceArguments) -> Result<ExitCode, Failure> {
    let mode = Mode::Maintenance {
        message: arguments.message.clone(),
        retry_after_s: arguments.retry_after.as_secs(),
    };
    set_mode(&arguments.project, &mode).await
}

pub(super) async fn set_mode(
    arguments: &ProjectArguments,
    mode: &Mode,
) -> Result<ExitCode, Failure> {
    let project = arguments.open_project()?;
    trainyard_deploy::set_mode(&service(&project), mode).await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn upgrade(arguments: &ProjectArguments) -> Result<ExitCode, Failure> {
    let project = arguments.open_project()?;
    trainyard_deploy::upgrade(&service(&project), &|event| {
        printer::terminal_hint(&event.to_string());
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn reload(arguments: &ProjectArguments) -> Result<ExitCode, Failure> {
    let project = arguments.open_project()?;
    let service = service(&project);
    warn(&service);
    trainyard_deploy::reload(&service, &|event| {
        printer::terminal_hint(&event.to_string());
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

/// Says what strangers could do with a service that nobody may want.
pub(super) fn warn(service: &Service) {
    if let Some(warning) = service.warning() {
        printer::warning(&warning);
    }
}

pub(super) async fn metrics(arguments: &ProjectArguments) -> Result<ExitCode, Failure> {
    let project = arguments.open_project()?;
    let page = trainyard_deploy::metrics(&service(&project)).await?;
    printer::line(page.trim_end());
    Ok(ExitCode::SUCCESS)
}
