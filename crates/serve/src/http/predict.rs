//! From the bytes of a request to the bytes of an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use trainyard_mlflow::enforce::{Enforced, Protocol};

use super::body::Format;
use super::error::Refusal;
use super::{JSON, Response, response};
use crate::answer;
use crate::log::Entry;
use crate::server::Server;
use crate::slot::{Served, Slot};

/// Larger bodies are read and predicted on a thread for blocking work: a worker of the runtime
/// has other connections to look after. Passing the work on costs some ten microseconds.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// How a request is read and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `/predict`
    Plain,
    /// `/invocations`
    Scoring,
}

const X_MODEL_VERSION: HeaderName = HeaderName::from_static("x-model-version");

/// Predicts the rows of a body.
pub(crate) async fn predict(
    server: &Arc<Server>,
    slot: &Slot,
    dialect: Dialect,
    format: Format,
    body: Bytes,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    let Some(served) = slot.current() else { return Err(Refusal::NotReady(not_ready(slot))) };
    let version = Arc::clone(&served.version);
    let answer = if body.len() <= INLINE_BYTES_MAX {
        answer(server, &served, dialect, format, &body, request_id)?
    } else {
        let server = Arc::clone(server);
        let work = move || answer(&server, &served, dialect, format, &body, request_id);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_panicked| Refusal::Internal("predicting broke off; this is a bug"))??
    };
    let mut response = response(StatusCode::OK, JSON, answer);
    // Says which version answered, also while versions change.
    if let Ok(version) = HeaderValue::from_str(&version) {
        response.headers_mut().insert(X_MODEL_VERSION, version);
    }
    Ok(response)
}

/// Why no model serves in this slot.
pub(crate) fn not_ready(slot: &Slot) -> String {
    let reason = slot.status().last_error.clone();
    reason.unwrap_or_else(|| format!("{} is being loaded", slot.source.describe()))
}

fn answer(
    server: &Server,
    served: &Served,
    dialect: Dialect,
    format: Format,
    body: &[u8],
    request_id: Arc<str>,
) -> Result<Vec<u8>, Refusal> {
    let (enforcer, protocol) = match dialect {
        Dialect::Plain => (&served.strict, Protocol::Predict),
        Dialect::Scoring => (&served.scoring, Protocol::Invocations),
    };
    let request: Enforced = match format {
        Format::Json => enforcer.json(body, protocol)?,
        Format::Csv => enforcer.csv(body)?,
    };
    let prediction = served
        .loaded
        .predictor
        .predict(&request.batch)
        .map_err(|error| Refusal::Model(error.to_string()))?;
    let answer = match dialect {
        Dialect::Plain => answer::plain(&prediction),
        Dialect::Scoring => answer::scoring(&prediction, request.frame),
    };
    server.metrics.rows.fetch_add(request.batch.num_rows() as u64, Ordering::Relaxed);
    if let Some(log) = &server.log {
        log.push(Entry {
            request_id,
            time_ms: chrono::Utc::now().timestamp_millis(),
            version: Arc::clone(&served.version),
            input: request.batch,
            prediction,
        });
    }
    Ok(answer)
}
