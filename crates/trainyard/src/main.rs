//! `trainyard`: from a training script to a governed, schema-enforced, monitored production API.
//!
//! The binary is thin: each verb is one file in `commands/`, which reads its flags, calls a room
//! and prints the result. Data goes to stdout, everything else to stderr.

mod commands;
mod failure;
mod logging;
mod printer;

use std::process::ExitCode;

use clap::{Command, CommandFactory as _, FromArgMatches as _};
use mimalloc::MiMalloc;

// Serving allocates many small column buffers per request from several threads; mimalloc keeps
// them local to the thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The command line. A variable that is empty counts as unset: compose files and CI write it so.
fn command() -> Command {
    fn without_empty(command: Command) -> Command {
        let command = command.mut_args(|argument| {
            let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
            if argument.get_env().is_some_and(is_empty) { argument.env(None) } else { argument }
        });
        command.mut_subcommands(without_empty)
    }
    without_empty(commands::Cli::command())
}

fn main() -> ExitCode {
    let cli = match commands::Cli::from_arg_matches(&command().get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    logging::start(cli.verbose, cli.log_format);
    // A second call would only fail because a provider is already there, which is what we want.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::runtime(error.to_string()).report(),
    };
    let outcome = runtime.block_on(commands::dispatch(cli));
    // Blocking work that nobody waits for any more must not hold up the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
