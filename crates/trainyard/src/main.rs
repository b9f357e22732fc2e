//! `trainyard`: from a training script to a governed, schema-enforced, monitored production API.
//!
//! The binary is thin: each verb is one file in `commands/`, which reads its flags, calls a room
//! and prints the result. Data goes to stdout, everything else to stderr.

mod cli;
mod commands;
mod exit;
mod failure;
mod logging;
mod printer;
mod version;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ErrorKind};
use mimalloc::MiMalloc;

use crate::cli::Cli;
use crate::failure::Failure;

// Serving allocates many small column buffers per request from several threads; mimalloc keeps
// them local to the thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Verbs that people look for at the top.
const OF_DEPLOYMENTS: [&str; 7] =
    ["rollback", "status", "history", "logs", "pause", "maintenance", "resume"];

/// The verb of `deploy` that somebody took for one of its own.
fn of_deployments(error: &clap::Error) -> Option<&'static str> {
    let given = error.get(ContextKind::InvalidSubcommand)?.to_string();
    OF_DEPLOYMENTS.into_iter().find(|verb| *verb == given)
}

/// What was asked for; else the exit code, after help or the mistake was printed.
fn parse() -> Result<Cli, ExitCode> {
    let parsed = cli::matches().and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        if error.kind() == ErrorKind::DisplayVersion && version::is_asked_for_all() {
            printer::line(&version::all());
        } else if error.use_stderr() {
            printer::mistake(&error.render().ansi().to_string());
            if let Some(verb) = of_deployments(&error) {
                printer::hint(&format!("`trainyard deploy {verb}`"));
            }
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
        let failure = Failure::runtime("the clock of this machine stands before 1970");
        return end(&failure.hint("set it, or wait until the machine has asked for the time"));
    }
    // A second call would only fail because a provider is already there, which is what we want.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Failure::runtime(error.to_string())),
    };
    let outcome = runtime.block_on(cli::dispatch(cli));
    // Blocking work that nobody waits for any more must not hold up the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => end(&failure),
    }
}

/// Prints why a verb failed.
fn end(failure: &Failure) -> ExitCode {
    printer::failure(&failure.message, failure.hint.as_deref());
    ExitCode::from(failure.code)
}
