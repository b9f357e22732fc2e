//! `trainyard`: from a training script to a governed, schema-enforced, monitored production API.
//!
//! The binary is thin: each verb is one file in `commands/`, which reads its flags, calls a room
//! and prints the result. Data goes to stdout, everything else to stderr.

mod commands;
mod failure;
mod logging;
mod printer;

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

// Serving allocates many small column buffers per request from several threads; mimalloc keeps
// them local to the thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = commands::Cli::parse();
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
