//! `trainyard health`: the probe of a container without a shell.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use trainyard_deploy::State;
use trainyard_pipeline::{Project, service};

use super::health_subject::{Parse, Subject};
use crate::failure::Failure;
use crate::printer;

/// The port of a model server that nobody said another for.
const PORT: u16 = 8080;

/// Ask a server whether it is ready: exit code 0 if /health answers 200, else 1.
///
/// Without --url and --port it is the program that this container was started for (`serve`, `server`, `up`), found by
/// its own flags and variables.
#[derive(Debug, Args)]
#[command(after_help = "Example, in a Dockerfile:\n  HEALTHCHECK CMD [\"/trainyard\", \"health\"]")]
pub(crate) struct Arguments {
    /// What to ask; by default the program of this container, or else a model server
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Port of a server on this machine, where no URL is given [default: that of this container's program]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// That the server on this port speaks TLS
    #[arg(long, env = "TRAINYARD_TLS_CERT", value_name = "FILE", hide = true)]
    tls_cert: Option<PathBuf>,
    /// Give up after this long
    #[arg(long, default_value = "2s", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    timeout: Duration,
}

impl Arguments {
    /// A server on this port of this machine.
    fn own(&self, port: u16) -> Subject {
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        Subject::Url(format!("{scheme}://127.0.0.1:{port}/health"))
    }
}

pub(crate) async fn run(arguments: &Arguments, parse: Parse) -> Result<ExitCode, Failure> {
    let subject = match (&arguments.url, arguments.port) {
        (Some(url), _) => return ask(url, arguments.timeout, Trust::Usual).await,
        (None, Some(port)) => arguments.own(port),
        (None, None) => Subject::of_container(parse).unwrap_or_else(|| arguments.own(PORT)),
    };
    match subject {
        // The certificate of this machine's server is for the names that others know it by.
        Subject::Url(url) => ask(&url, arguments.timeout, Trust::Anybody).await,
        Subject::Projects(folders) => {
            let asking = tokio::time::timeout(arguments.timeout, projects(&folders)).await;
            asking.unwrap_or_else(|_elapsed| {
                Err(Failure::runtime("the deployment does not say in time how it is"))
            })
        }
    }
}

async fn ask(url: &str, timeout: Duration, trust: Trust) -> Result<ExitCode, Failure> {
    let client =
        client(url, timeout, trust).map_err(|error| Failure::runtime(innermost(&error)))?;
    let answer = client.get(url).send().await.map_err(|error| {
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

/// Whether everything serves that should.
async fn projects(folders: &[PathBuf]) -> Result<ExitCode, Failure> {
    for folder in folders {
        let project = Project::open(folder, None)?;
        let status = Box::pin(trainyard_deploy::status(&service(&project))).await?;
        // Where some of several instances serve, all is well with the container: to start it again would end them.
        let outage = status.outage().filter(|_| status.state() == State::Down);
        if let Some(outage) = outage {
            let folder = folder.display();
            return Err(Failure::runtime(format!("{folder}: nothing serves: {outage}"))
                .hint("`trainyard deploy logs` says why"));
        }
    }
    printer::line("ok");
    Ok(ExitCode::SUCCESS)
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
