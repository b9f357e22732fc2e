//! `trainyard health`: the probe of a container without a shell.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::printer;

/// A server that takes longer to say how it is is not well.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Ask a server whether it is ready: exit code 0 if /health answers 200, else 1.
#[derive(Debug, Args)]
#[command(after_help = "Example, in a Dockerfile:\n  HEALTHCHECK CMD [\"/trainyard\", \"health\"]")]
pub(crate) struct Arguments {
    /// What to ask; by default the model server of this container
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Port of the model server, where no URL is given
    #[arg(long, env = "TRAINYARD_PORT", default_value_t = 8080, value_name = "PORT")]
    port: u16,
    /// That the model server speaks TLS, where no URL is given
    #[arg(long, env = "TRAINYARD_TLS_CERT", value_name = "FILE", hide = true)]
    tls_cert: Option<PathBuf>,
    /// Give up after this long
    #[arg(long, default_value = "2s", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    timeout: Duration,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let scheme = if arguments.tls_cert.is_some() { "https" } else { "http" };
    let own = || format!("{scheme}://127.0.0.1:{}/health", arguments.port);
    let url = arguments.url.clone().unwrap_or_else(own);
    // The certificate of this machine's server is for the names that others know it by.
    let trust = if arguments.url.is_none() { Trust::Anybody } else { Trust::Usual };
    let client = client(&url, arguments.timeout, trust)
        .map_err(|error| Failure::runtime(innermost(&error)))?;
    let answer = client.get(&url).send().await.map_err(|error| {
        Failure::runtime(format!("{url} does not answer: {}", innermost(&error)))
            .hint("is the server running, and on this port?")
    })?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    if status.is_success() {
        printer::line(body.trim());
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::runtime(format!("{url} answers {status}: {}", body.trim())))
}

/// What a model server says it serves: `IrisClassifier version 3 (Production)`.
pub(super) async fn served(url: &str) -> Option<String> {
    // The certificate of this machine's server is for the names that others know it by.
    let trust = if url.starts_with("https:") { Trust::Anybody } else { Trust::Usual };
    let client = client(url, TIMEOUT, trust).ok()?;
    let answer = client.get(format!("{url}/health")).send().await.ok()?;
    let health: serde_json::Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    let text = |key: &str| health.get(key)?.as_str().map(str::to_owned);
    let alias = text("alias").map_or_else(String::new, |alias| format!(" ({alias})"));
    Some(format!("{} version {}{alias}", text("model")?, text("version")?))
}

/// A client for one question. Without TLS no certificates are looked for: an image may have none.
fn client(url: &str, timeout: Duration, trust: Trust) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().timeout(timeout).no_proxy();
    let builder = match trust {
        Trust::Anybody => builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true),
        Trust::Usual if url.starts_with("https:") => builder,
        Trust::Usual => builder.tls_certs_only([]),
    };
    builder.build()
}

/// Whose certificate is good enough.
#[derive(Clone, Copy)]
enum Trust {
    /// Whoever listens on this machine.
    Anybody,
    /// Whom the system trusts.
    Usual,
}

/// The reason below reqwest's "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
