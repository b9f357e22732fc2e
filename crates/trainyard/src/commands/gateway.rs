//! `trainyard gateway`: the process that holds a deployment's port; started by `deploy`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_deploy::gateway::GatewayOptions;

use super::server_signals;
use crate::failure::Failure;

/// Run the gateway of a deployment, by the settings that `deploy` wrote into its folder.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of the service's state
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Take over from the running gateway, without a gap for clients
    #[arg(long)]
    take_over: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { state_dir, listen, take_over } = arguments;
    let options = GatewayOptions { state_dir, listen, take_over };
    let (reloads, end) = server_signals(
        "settings, certificates and tokens are read again; moved logs are begun anew",
    );
    trainyard_deploy::gateway::run(options, reloads, end).await?;
    Ok(ExitCode::SUCCESS)
}
