//! `trainyard gateway`: the process that holds a deployment's port; started by `deploy`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_deploy::gateway::{GatewayOptions, Limits};

use super::shutdown_signal;
use crate::failure::Failure;

/// Run the gateway of a deployment.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of the service's state
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Write a line for each request into access.log of that folder
    #[arg(long)]
    access_log: bool,
    /// Address on which /metrics is answered
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Take over from the running gateway, without a gap for clients
    #[arg(long)]
    take_over: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { state_dir, listen, access_log, metrics_listen, take_over } = arguments;
    let limits = Limits::default();
    let options =
        GatewayOptions { state_dir, listen, limits, access_log, metrics_listen, take_over };
    trainyard_deploy::gateway::run(options, shutdown_signal())
        .await
        .map_err(trainyard_pipeline::Error::from)?;
    Ok(ExitCode::SUCCESS)
}
