//! The verbs, one file each, and the flags they share.

mod deploy;
mod gateway;
mod gateway_actions;
mod hash_password;
mod health;
mod init;
mod monitor;
mod monitor_arguments;
mod profile;
mod project;
mod promote;
mod run;
mod serve;
mod server;
mod temporary;
mod tracking_pages;
mod train;
mod watch;

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::logging::LogFormat;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something failed on the way (a server not reached, a port in use, an unhealthy instance)
  2  wrong input (flags, trainyard.toml, data)
  3  the gate refused the version
  4  the data has drifted (--fail-on-drift)";

/// From a training script to a governed, schema-enforced, monitored production API.
#[derive(Debug, Parser)]
#[command(
    name = "trainyard",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = EXIT_CODES,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Say more on stderr (-v info, -vv debug)
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Logging")]
    pub(crate) verbose: u8,
    /// How log lines are written
    #[arg(
        long,
        value_enum,
        default_value = "text",
        global = true,
        env = "TRAINYARD_LOG_FORMAT",
        help_heading = "Logging"
    )]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a working project into a folder
    Init(init::Arguments),
    /// Do it all: train, gate, promote, deploy, monitor
    Run(run::Arguments),
    /// Train, log and register a version
    Train(train::Arguments),
    /// Put a version through the gate and label it Production
    Promote(promote::Arguments),
    /// Bring the Production version up beside the old one and switch when it is healthy
    Deploy(deploy::Arguments),
    /// Compare production data with reference data and report drift
    Monitor(monitor::Arguments),
    /// Read a reference once and store what monitoring needs of it
    Profile(profile::Arguments),
    /// Serve a model over HTTP and follow its alias
    Serve(serve::Arguments),
    /// Run the MLflow-compatible tracking server and registry
    Server(server::Arguments),
    /// Ask a server whether it is ready (for HEALTHCHECK)
    Health(health::Arguments),
    /// Run the gateway of a deployment (started by `deploy`)
    #[command(hide = true)]
    Gateway(gateway::Arguments),
}

/// Runs the verb.
pub(crate) async fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Run(arguments) => Box::pin(run::run(arguments)).await,
        Command::Train(arguments) => Box::pin(train::run(arguments)).await,
        Command::Promote(arguments) => Box::pin(promote::run(arguments)).await,
        Command::Deploy(arguments) => Box::pin(deploy::run(arguments)).await,
        Command::Monitor(arguments) => Box::pin(temporary::within(monitor::run(arguments))).await,
        Command::Profile(arguments) => Box::pin(temporary::within(profile::run(arguments))).await,
        Command::Serve(arguments) => Box::pin(serve::run(arguments)).await,
        Command::Server(arguments) => Box::pin(server::run(arguments)).await,
        Command::Health(arguments) => health::run(&arguments).await,
        Command::Gateway(arguments) => Box::pin(gateway::run(arguments)).await,
    }
}

/// Listens on `host:port`; a port in use is the usual failure, so the error names it.
pub(crate) async fn listen(host: &str, port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            "stop what listens there, or choose another port with --port"
        } else {
            "check --host: it must be a name or address of this machine"
        };
        Failure::runtime(format!("cannot listen on {host}:{port}: {error}")).hint(hint)
    })
}

/// Ends with the first SIGINT or SIGTERM.
pub(crate) async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};

    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            // Without the handler SIGTERM keeps its default: the process ends at once.
            Err(error) => {
                tracing::warn!(%error, "no handler for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
