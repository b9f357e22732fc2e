//! `/v1/traces`: spans by OpenTelemetry's protocol, as MLflow's clients and any other program send them.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::{HeaderMap, StatusCode, header};
use prost::Message as _;
use serde_json::json;
use trainyard_base::Share;
use trainyard_mlflow::entities::Span;
use trainyard_mlflow::{Error, ErrorCode};

use super::body::{BodyError, Received, receive};
use super::error::{ApiError, json_text};
use super::json::{no_memory, value};
use super::state::Api;
use super::trace_wire::traces;
use crate::spans::count::{self, Refused};
use crate::spans::otlp::ExportRequest;
use crate::spans::read;

/// The experiment that spans are for.
const EXPERIMENT: &str = "x-mlflow-experiment-id";
/// The run that their traces are linked to, if any.
const RUN: &str = "x-mlflow-run-id";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
/// What is written of spans for each byte of them, in bytes: texts within texts, and their rows.
const COST: u64 = 3;
/// Bytes of what describes programs, for all traces of a request together: each of them has it in rows of its own.
const DESCRIBED_MAX: u64 = 64 << 20;

/// Routes at the root.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/traces", post(export))
}

/// An answer that is no 200. Clients of this protocol read the status, and people the sentence.
struct Refusal(Box<Response>);

impl Refusal {
    fn new(status: StatusCode, detail: &str) -> Self {
        Self(Box::new(json_text(status, &json!({ "detail": detail }))))
    }

    fn bad(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(Box::new(error.into_response()))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        ApiError::from(error).into()
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        ApiError::from(error).into()
    }
}

async fn export(State(api): State<Api>, request: Request) -> Response {
    match stored(&api, request).await {
        Ok(()) => ([(header::CONTENT_TYPE, PROTOBUF)], "").into_response(),
        Err(Refusal(answer)) => *answer,
    }
}

async fn stored(api: &Api, request: Request) -> Result<(), Refusal> {
    let headers = request.headers().clone();
    let Some(experiment_id) = text(&headers, EXPERIMENT) else {
        let missing =
            "the header x-mlflow-experiment-id is missing: it says which experiment spans are for";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, missing));
    };
    traces(api)?.may_log_spans(&experiment_id).await?;
    let kind = text(&headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    if ![PROTOBUF, JSON].contains(&media_type) {
        return Err(Refusal::bad(&format!(
            "Invalid Content-Type: {kind}. Expected: {PROTOBUF} or {JSON}"
        )));
    }
    let limit = api.options.json_bytes_max;
    let Received { bytes, mut share } = receive(request, limit, &api.options.memory).await?;
    let bytes = match text(&headers, header::CONTENT_ENCODING.as_str()) {
        None => bytes,
        Some(encoding) => unpacked(&bytes, &encoding, limit, &mut share)?.into(),
    };
    let request = parsed(&bytes, media_type == JSON, &mut share)?;
    drop(bytes);
    let spans = read::spans(&request).map_err(|_no_span| {
        Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Cannot convert OpenTelemetry span to MLflow span",
        )
    })?;
    drop(request);
    store(api, &headers, &experiment_id, spans).await
}

async fn store(
    api: &Api,
    headers: &HeaderMap,
    experiment_id: &str,
    spans: Vec<Span>,
) -> Result<(), Refusal> {
    let traces = traces(api)?;
    let roots = spans.iter().filter(|span| span.parent_id.is_none());
    let mut ids: Vec<String> = roots.map(|span| span.trace_id.clone()).collect();
    ids.sort();
    ids.dedup();
    traces.log_spans(experiment_id, spans).await?;
    let Some(run_id) = text(headers, RUN) else { return Ok(()) };
    for ids in ids.chunks(100) {
        // The spans are stored, and that is what was asked for.
        if let Err(error) = traces.link_to_run(ids, &run_id).await {
            tracing::error!(%error, run_id, "traces could not be linked to their run");
        }
    }
    Ok(())
}

/// A header's text; none if it is empty or not there.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A body that was compressed, up to the limit of bodies.
fn unpacked(
    bytes: &[u8],
    encoding: &str,
    limit: usize,
    share: &mut Share,
) -> Result<Vec<u8>, Refusal> {
    let mut read = |reader: &mut dyn std::io::Read| -> Result<Vec<u8>, Unpacking> {
        let mut whole = Vec::new();
        let mut part = vec![0; 64 << 10];
        loop {
            let length = reader.read(&mut part).map_err(|_error| Unpacking::Broken)?;
            if length == 0 {
                return Ok(whole);
            }
            if whole.len() + length > limit {
                return Err(Unpacking::TooLarge);
            }
            share.grow(length as u64 * COST).map_err(Unpacking::Memory)?;
            whole.extend_from_slice(part.get(..length).unwrap_or_default());
        }
    };
    let whole = match encoding.to_ascii_lowercase().as_str() {
        "gzip" => read(&mut GzDecoder::new(bytes)),
        // Some clients leave the header of zlib out.
        "deflate" => match read(&mut ZlibDecoder::new(bytes)) {
            Err(Unpacking::Broken) => read(&mut DeflateDecoder::new(bytes)),
            other => other,
        },
        "identity" => return Ok(bytes.to_vec()),
        other => return Err(Refusal::bad(&format!("Unsupported Content-Encoding: {other}"))),
    };
    whole.map_err(|why| match why {
        Unpacking::Broken => Refusal::bad(&format!("Failed to decompress {encoding} payload")),
        Unpacking::TooLarge => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the request body is larger than {limit} bytes when it is unpacked"),
        ),
        Unpacking::Memory(full) => no_memory(full).into(),
    })
}

enum Unpacking {
    Broken,
    TooLarge,
    Memory(trainyard_base::Full),
}

fn too_many() -> Refusal {
    Refusal::from(Error::api(
        ErrorCode::BadRequest,
        "the request has too many spans and attributes: send it in parts",
    ))
}

fn parsed(bytes: &[u8], is_json: bool, share: &mut Share) -> Result<ExportRequest, Refusal> {
    let malformed = || Refusal::bad("Invalid OpenTelemetry format");
    let request = if is_json {
        let value = value(bytes, share)?.ok_or_else(malformed)?;
        serde_json::from_value(value).map_err(|_error| malformed())?
    } else {
        count::take(bytes, share).map_err(|refused| match refused {
            Refused::Malformed => malformed(),
            Refused::TooMany => too_many(),
            Refused::Memory(full) => no_memory(full).into(),
        })?;
        ExportRequest::decode(bytes).map_err(|_error| malformed())?
    };
    if request.resource_spans.is_empty() {
        return Err(Refusal::bad("Invalid OpenTelemetry format - no spans found"));
    }
    let described = count::described_bytes(&request);
    if described > DESCRIBED_MAX {
        return Err(too_many());
    }
    share.grow(described).map_err(no_memory)?;
    Ok(request)
}
