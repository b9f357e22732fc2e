//! The project's production requests, sent to what was just deployed.

use std::net::SocketAddr;
use std::time::Duration;

use arrow_array::RecordBatch;
use reqwest::header::AUTHORIZATION;
use trainyard_signature::model::InputExample;

use crate::event::{Event, Step, Watcher};
use crate::loopback::{bearer, client, quoted};
use crate::service::service;
use crate::{Error, Project, Result};

/// A prediction takes microseconds; one that takes this long is a failure.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends every row of `requests` to `url`/predict, one request each, and returns how many. `token` is what the
/// deployment wants of everybody, if it wants that.
pub(crate) async fn send(
    url: &str,
    token: Option<&str>,
    requests: &RecordBatch,
    watcher: Watcher<'_>,
) -> Result<usize> {
    let total = requests.num_rows();
    let failed =
        |request: usize, reason: String| Error::Traffic { request: request + 1, total, reason };
    let client = client(REQUEST_TIMEOUT).map_err(|error| failed(0, error.to_string()))?;
    let endpoint = format!("{}/predict", url.trim_end_matches('/'));
    for row in 0..total {
        let body = InputExample::from_batch(&requests.slice(row, 1))?.payload;
        let mut request = client.post(&endpoint).header("content-type", "application/json");
        if let Some(authorization) = bearer(token) {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = request.body(body).send().await;
        let answer = answer.map_err(|error| failed(row, error.to_string()))?;
        let status = answer.status();
        if !status.is_success() {
            let text = answer.text().await.unwrap_or_default();
            return Err(failed(row, format!("{status}: {}", quoted(&text))));
        }
        watcher(Event::Progress {
            step: Step::Traffic,
            message: format!("{} of {total}", row + 1),
            share: Some((row + 1) as f64 / total as f64),
        });
    }
    Ok(total)
}

/// Asks the model server itself to make what it has predicted so far visible in its log: the gateway
/// passes that on for nobody.
pub(crate) async fn flush_log(project: &Project, server: SocketAddr) -> Result<()> {
    let failed = |reason: String| Error::Traffic { request: 1, total: 1, reason };
    let endpoint = format!("http://{server}/flush");
    let client = client(REQUEST_TIMEOUT).map_err(|error| failed(error.to_string()))?;
    let mut request = client.post(endpoint);
    if let Some(authorization) = bearer(token_at(project, server).as_deref()) {
        request = request.header(AUTHORIZATION, authorization);
    }
    let answer = request.send().await.map_err(|error| failed(error.to_string()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(failed(format!("the log cannot be flushed: {status}")))
}

/// The token that the instance at this address was released with; none if it wants none, or is none of ours.
pub(crate) fn token_at(project: &Project, server: SocketAddr) -> Option<String> {
    let spec = trainyard_deploy::spec_at(&service(project), server).ok().flatten()?;
    spec.token().map(str::to_owned)
}
