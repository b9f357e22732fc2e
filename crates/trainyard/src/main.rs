//! `trainyard`: from a training script to a governed, schema-enforced, monitored production API.
//!
//! The binary is thin: each verb is one file in `commands/`, which reads its flags, calls a room
//! and prints the result. Data goes to stdout, everything else to stderr.

mod commands;
mod failure;
mod logging;
mod printer;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Command, CommandFactory as _, FromArgMatches as _};
use mimalloc::MiMalloc;

// Serving allocates many small column buffers per request from several threads; mimalloc keeps
// them local to the thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The command line. A variable that is empty counts as unset: compose files and CI write it so. Help names
/// variables and never shows what is in them, which may be a password.
fn command() -> Command {
    fn with_careful_variables(command: Command) -> Command {
        let command = command.mut_args(|argument| {
            let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
            if argument.get_env().is_some_and(is_empty) {
                argument.env(None)
            } else {
                argument.hide_env_values(true)
            }
        });
        command.mut_subcommands(with_careful_variables)
    }
    with_careful_variables(commands::Cli::command())
}

/// What was asked for; else the exit code, after help or the mistake was printed.
fn parse() -> Result<commands::Cli, ExitCode> {
    let parsed = command().try_get_matches();
    parsed.and_then(|matches| commands::Cli::from_arg_matches(&matches)).map_err(|error| {
        if error.use_stderr() {
            printer::mistake(&error.render().ansi().to_string());
        } else {
            // A closed pipe is no error of ours.
            let _closed_pipe = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    logging::start(cli.verbose, cli.log_format);
    if SystemTime::now() < UNIX_EPOCH {
        // Dates of HTTP, certificates and logs begin there: what cannot be written is not begun.
        return failure::Failure::runtime("the clock of this machine stands before 1970")
            .hint("set it, or wait until the machine has asked for the time")
            .report();
    }
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
