//! `trainyard health`: the probe of a container without a shell.

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
    /// Give up after this long
    #[arg(long, default_value = "2s", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    timeout: Duration,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let url = arguments
        .url
        .clone()
        .unwrap_or_else(|| format!("http://127.0.0.1:{}/health", arguments.port));
    let client =
        client(&url, arguments.timeout).map_err(|error| Failure::runtime(innermost(&error)))?;
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
    let client = client(url, TIMEOUT).ok()?;
    let answer = client.get(format!("{url}/health")).send().await.ok()?;
    let health: serde_json::Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    let text = |key: &str| health.get(key)?.as_str().map(str::to_owned);
    let alias = text("alias").map_or_else(String::new, |alias| format!(" ({alias})"));
    Some(format!("{} version {}{alias}", text("model")?, text("version")?))
}

/// A client for one question. Without TLS no certificates are looked for: an image may have none.
fn client(url: &str, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().timeout(timeout).no_proxy();
    if url.starts_with("https:") { builder } else { builder.tls_certs_only([]) }.build()
}

/// The reason below reqwest's "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
