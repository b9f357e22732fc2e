//! Bodies of requests: whole, in time, no larger than their route needs, and all together no larger
//! than the memory that is there for them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::header;
use http_body_util::BodyExt as _;
use trainyard_base::{Budget, Full, Share};

/// Time a client has to send a body that is kept in memory. Who takes longer is gone or hostile.
const SECONDS_MAX: u64 = 60;
/// Largest body of the routes that take ids, names and a few values.
const SMALL_BYTES_MAX: usize = 1 << 20;
/// Largest body of the routes that take filters, lists of ids, and texts that people write.
const TEXT_BYTES_MAX: usize = 8 << 20;
/// What a body takes for each of its bytes: itself, what is read out of it, and what is written.
const COST: u64 = 3;
/// Bytes that are not counted: they are no more than a connection's own buffers.
const UNCOUNTED: u64 = 16 << 10;

/// Ends of routes whose bodies may be as large as the server's limit: batches, datasets with their
/// profiles, models with their params, spans, records.
const LARGE: &[&str] = &[
    "/runs/log-batch",
    "/runs/log-inputs",
    "/runs/log-model",
    "/logged-models",
    "/params",
    "/traces",
    "/records",
];
/// Ends of routes that take texts.
const TEXTS: &[&str] = &[
    "/search",
    "/count",
    "/create",
    "/update",
    "/tags",
    "/set-tag",
    "/set-experiment-tag",
    "/log-parameter",
    "/assessments",
];

/// The largest body that a route takes, below the limit of the whole server.
pub(super) fn bytes_max(path: &str, server: usize) -> usize {
    let is_of = |routes: &[&str]| routes.iter().any(|end| path.ends_with(end));
    if is_of(LARGE) {
        server
    } else if is_of(TEXTS) {
        server.min(TEXT_BYTES_MAX)
    } else {
        server.min(SMALL_BYTES_MAX)
    }
}

/// A whole body, and its share of the memory.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) share: Share,
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the request body broke off: {0}")]
    Broken(String),
    #[error("the request body came too slowly: not complete after {SECONDS_MAX} s")]
    TooSlow,
    #[error("the request body is too large for the memory that is left: {0}")]
    Memory(#[from] Full),
}

/// Takes in a whole body, up to `limit` bytes.
pub(super) async fn receive(
    request: Request,
    limit: usize,
    memory: &Arc<Budget>,
) -> Result<Received, BodyError> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge(limit));
    }
    // What will not fit is not even taken in.
    let whole = cost(declared.unwrap_or_default());
    if whole > memory.bytes_max() {
        return Err(Full { bytes_max: memory.bytes_max(), never: true }.into());
    }
    tokio::time::timeout(Duration::from_secs(SECONDS_MAX), collect(request, limit, memory))
        .await
        .map_err(|_elapsed| BodyError::TooSlow)?
}

fn cost(bytes: u64) -> u64 {
    bytes.saturating_sub(UNCOUNTED).saturating_mul(COST)
}

/// Memory is taken as the body comes: one that is only announced holds nothing.
async fn collect(
    request: Request,
    limit: usize,
    memory: &Arc<Budget>,
) -> Result<Received, BodyError> {
    let mut share = memory.take(0)?;
    let mut body = request.into_body();
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(innermost(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit {
            return Err(BodyError::TooLarge(limit));
        }
        share.resize(cost(length as u64))?;
        if whole.is_empty() && first.is_empty() {
            first = data;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&data);
        }
    }
    let bytes = if whole.is_empty() { first } else { whole.freeze() };
    Ok(Received { bytes, share })
}

/// The cause that says most: what is around it says only that there was an error.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn routes_take_what_they_need() {
        let server = 64 << 20;
        for (path, expect) in [
            ("/api/2.0/mlflow/runs/log-batch", server),
            ("/runs/log-inputs", server),
            ("/logged-models/m-1/params", server),
            ("/runs/search", TEXT_BYTES_MAX),
            ("/logged-models/search", TEXT_BYTES_MAX),
            ("/registered-models/create", TEXT_BYTES_MAX),
            ("/runs/log-metric", SMALL_BYTES_MAX),
            ("/runs/delete", SMALL_BYTES_MAX),
        ] {
            assert_eq!(bytes_max(path, server), expect, "{path}");
            assert!(bytes_max(path, 100) <= 100);
        }
    }

    #[tokio::test]
    async fn bodies_share_the_memory() {
        let memory = Budget::new(4 << 20);
        let request = |bytes: usize| Request::new(Body::from(vec![b' '; bytes]));
        let first = receive(request(1 << 20), 2 << 20, &memory).await.unwrap();
        assert_eq!(first.bytes.len(), 1 << 20);
        let second = receive(request(1 << 20), 2 << 20, &memory).await;
        assert!(matches!(second, Err(BodyError::Memory(full)) if !full.never), "{second:?}");
        // Small ones pass all the same.
        receive(request(16 << 10), 2 << 20, &memory).await.unwrap();
        drop(first);
        receive(request(1 << 20), 2 << 20, &memory).await.unwrap();
        assert_eq!(memory.used(), 0);
        let never = receive(request(2 << 20), 2 << 20, &memory).await;
        assert!(matches!(never, Err(BodyError::Memory(full)) if full.never), "{never:?}");
        let large = receive(request((2 << 20) + 1), 2 << 20, &memory).await;
        assert!(matches!(large, Err(BodyError::TooLarge(_))), "{large:?}");
    }
}
