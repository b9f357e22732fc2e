//! The check of a staged version: it is served, here and now, and asked its own input example.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use trainyard_serve::ServeOptions;
use trainyard_signature::model::InputExample;

use crate::candidate::Candidate;
use crate::loopback::{client, quoted};
use crate::python::python_options;
use crate::{Error, Project, Result};

/// Loading takes milliseconds; a large model is read from a slow disk for a while.
const DEADLINE: Duration = Duration::from_mins(2);
/// The environment of Python workers may have to be made first.
const PYTHON_DEADLINE: Duration = Duration::from_mins(15);
/// Where a project says what the model server's flag says.
const KEY: &str = " (in a project: `python_workers` under [serve] of trainyard.toml)";
const PAUSE: Duration = Duration::from_millis(20);
/// A prediction takes microseconds; one that takes this long is a failure.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the version on a port of its own, waits until it is healthy and sends it its input example.
pub(crate) async fn check(project: &Project, candidate: &Candidate) -> Result<()> {
    let example = candidate.input_example().await?;
    let version = &candidate.version;
    let failed = |reason: String| Error::Staging {
        model: version.name.clone(),
        version: version.version.clone(),
        reason,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|error| failed(format!("no port to serve it on: {error}")))?;
    let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
    let mut options = ServeOptions::new(candidate.source().await?);
    options.python = python_options(project)?;
    options.lenient = project.config.serve.lenient;
    let deadline = if options.python.is_some() { PYTHON_DEADLINE } else { DEADLINE };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = trainyard_serve::serve(listener, None, options, async {
        // An error means that the sender is gone: stop as well.
        let _told_or_dropped = stopped.await;
    });
    let asked = async {
        let outcome = ask(address, &version.version, example, deadline).await;
        let _server_ended = stop.send(());
        outcome
    };
    let (served, asked) = tokio::join!(server, asked);
    asked.map_err(failed)?;
    Ok(served?)
}

/// Waits for health, checks that it is this version, sends the example.
async fn ask(
    address: SocketAddr,
    version: &str,
    example: Option<InputExample>,
    deadline: Duration,
) -> Result<(), String> {
    let client = client(REQUEST_TIMEOUT).map_err(|error| error.to_string())?;
    let health = format!("http://{address}/health");
    let started = Instant::now();
    let healthy = loop {
        let answer = client.get(&health).send().await.map_err(|error| error.to_string())?;
        let is_ready = answer.status().is_success();
        let body = answer.text().await.unwrap_or_default();
        if is_ready {
            break body;
        }
        // The server keeps trying, in case a registry comes back; a check need not.
        let health = serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default();
        if let Some(reason) = health.get("last_error").and_then(|value| value.as_str()) {
            let key = if reason.contains("--python-workers") { KEY } else { "" };
            return Err(format!("it cannot be served: {}{key}", quoted(reason)));
        }
        if started.elapsed() > deadline {
            return Err(format!("not healthy after {deadline:?}: {}", quoted(&body)));
        }
        tokio::time::sleep(PAUSE).await;
    };
    let served = serde_json::from_str::<serde_json::Value>(&healthy).unwrap_or_default();
    if served.get("version").and_then(|value| value.as_str()) != Some(version) {
        return Err(format!("another version is served: {}", quoted(&healthy)));
    }
    let Some(example) = example else { return Ok(()) };
    let answer = client
        .post(format!("http://{address}/invocations"))
        .header("content-type", "application/json")
        .body(example.payload)
        .send()
        .await
        .map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.text().await.unwrap_or_default();
    Err(format!("its input example is answered with {status}: {}", quoted(&body)))
}
