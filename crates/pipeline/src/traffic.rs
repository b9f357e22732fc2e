//! The project's production requests, sent to what was just deployed.

use std::net::SocketAddr;
use std::time::Duration;

use arrow_array::RecordBatch;
use trainyard_deploy::InstanceToken;
use trainyard_signature::model::InputExample;

use crate::event::{Event, Step, Watcher};
use crate::loopback::{client, quoted, with_token};
use crate::service::token_at;
use crate::{Error, Project, Result};

/// A prediction takes microseconds; one that takes this long is a failure.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends every row of `requests` to `url`/predict, one request each, and returns how many. `token` is what is asked
/// for there.
pub(crate) async fn send(
    url: &str,
    token: Option<&InstanceToken>,
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
        let answer = with_token(client.post(&endpoint), token)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .map_err(|error| failed(row, error.to_string()))?;
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
    let asking = with_token(client.post(endpoint), token_at(project, server).as_ref());
    let answer = asking.send().await.map_err(|error| failed(error.to_string()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(failed(format!("the log cannot be flushed: {status}")))
}
