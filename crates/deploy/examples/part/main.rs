//! The programs that the tests of this crate start as processes of their own: `part backend` is a small
//! model server with bad habits on demand, `part gateway` the gateway, `part release` a deployer that can
//! be told to die, `part rollback` goes back, `part stop` ends a service, `part keep` starts again what is down,
//! `part health` is the health check of a container.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "output is what the tests look at")]

mod alias_file;
mod backend;
mod deployer;
mod gateway;

use std::error::Error;
use std::process::ExitCode;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match arguments.split_first() {
        Some((part, rest)) if part == "backend" => backend::backend(rest).await,
        Some((part, rest)) if part == "gateway" => gateway::gateway(rest).await,
        Some((part, rest)) if part == "release" => deployer::release(rest).await,
        Some((part, rest)) if part == "rollback" => deployer::rollback(rest).await,
        Some((part, rest)) if part == "stop" => deployer::stop(rest).await,
        Some((part, rest)) if part == "keep" => deployer::keep(rest).await,
        Some((part, _)) if part == "health" => backend::health().await,
        _ => Err("usage: part backend|gateway|release|rollback|stop|keep|health …".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn option<'a>(arguments: &'a [String], name: &str) -> Fallible<&'a str> {
    let position = arguments.iter().position(|argument| argument == name);
    let value = position.and_then(|position| arguments.get(position + 1));
    Ok(value.ok_or_else(|| format!("{name} is missing"))?)
}

async fn terminated() {
    if let Ok(mut signal) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        signal.recv().await;
    }
}
