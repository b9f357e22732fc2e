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
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { state_dir, listen } = arguments;
    let options = GatewayOptions { state_dir, listen, limits: Limits::default() };
    trainyard_deploy::gateway::run(options, shutdown_signal())
        .await
        .map_err(trainyard_pipeline::Error::from)?;
    Ok(ExitCode::SUCCESS)
}
