//! `trainyard gateway`: the process that holds a deployment's port; started by `deploy`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use trainyard_deploy::gateway::{GatewayOptions, Limits};

use super::server_signals;
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
    /// Address on which all paths of the instance are passed on, for operators
    #[arg(long, value_name = "ADDRESS")]
    operator_listen: Option<SocketAddr>,
    /// Path that the public may ask beside predictions, documentation and health; may be repeated
    #[arg(long, value_name = "PATH")]
    expose: Vec<String>,
    /// How long an instance may take to begin an answer once it has the request
    #[arg(long, default_value = "2m", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    response_timeout: Duration,
    /// How long a client may say nothing
    #[arg(long, default_value = "1m", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    idle_timeout: Duration,
    /// Connections of clients at a time, as far as there are file descriptors
    #[arg(long, default_value_t = Limits::default().max_connections, value_name = "COUNT")]
    max_connections: usize,
    /// Connections of one address at a time; half of all by default
    #[arg(long, value_name = "COUNT")]
    max_per_address: Option<usize>,
    /// Take over from the running gateway, without a gap for clients
    #[arg(long)]
    take_over: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let limits = Limits {
        max_connections: arguments.max_connections,
        max_per_address: arguments.max_per_address,
        idle_timeout: arguments.idle_timeout,
        response_timeout: arguments.response_timeout,
        ..Limits::default()
    };
    let options = GatewayOptions {
        state_dir: arguments.state_dir,
        listen: arguments.listen,
        limits,
        access_log: arguments.access_log,
        metrics_listen: arguments.metrics_listen,
        operator_listen: arguments.operator_listen,
        exposed: arguments.expose,
        take_over: arguments.take_over,
    };
    let (_reloads, end) =
        server_signals("nothing to read again; logs that were moved are begun anew");
    trainyard_deploy::gateway::run(options, end).await?;
    Ok(ExitCode::SUCCESS)
}
