//! `traces` of MLflow 3.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch, post};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde_json::{Value, json};
use trainyard_mlflow::entities::{KeyValue, TraceInfo};
use trainyard_mlflow::{DeleteTraces, Error, ErrorCode, SearchTraces};

use super::error::{Result, empty, json};
use super::fields::Check::{AtMost, Required};
use super::files;
use super::members::member;
use super::message::{Raw, message};
use super::request::{Fields, Query};
use super::state::Api;
use super::trace_wire::{InfoWire, TraceWire, read, traces};
use super::wire::{PageWire, all};
use crate::artifacts::ArtifactPath;
use crate::error::invalid;

/// Traces of a page if nobody says how many.
pub(super) const RESULTS_DEFAULT: i64 = 100;
/// Tags that only the server sets.
const OWN_TAGS: [&str; 4] = [
    "mlflow.artifactLocation",
    "mlflow.trace.spansLocation",
    "mlflow.trace.archiveLocation",
    ARCHIVAL_FAILURE,
];
/// A tag that only the server sets, and clients may remove.
const ARCHIVAL_FAILURE: &str = "mlflow.trace.archivalFailure";
/// The file of the spans of a trace.
const DATA_FILE: &str = "traces.json";

/// Routes below `/api/3.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/traces", post(start))
        .route("/traces/get", get(get_one))
        .route("/traces/batchGet", get(get_batch))
        .route("/traces/batchGetInfos", post(get_infos))
        .route("/traces/search", post(search))
        .route("/traces/delete-traces", post(delete))
        .route("/traces/calculate-filter-correlation", post(correlate))
        .route("/traces/{trace_id}", get(get_info))
        .route("/traces/{trace_id}/tags", patch(set_tag).delete(delete_tag))
}

/// Routes below `/ajax-api/2.0/mlflow` and `/ajax-api/3.0/mlflow`, for upstream's pages.
pub(super) fn ajax_routes() -> Router<Api> {
    Router::new().route("/get-trace-artifact", get(spans_or_attachment))
}

/// `{"trace": {"trace_info": …}}`.
fn answer(info: &TraceInfo) -> Response {
    #[derive(Serialize)]
    struct Trace<'a> {
        trace_info: InfoWire<'a>,
    }
    #[derive(Serialize)]
    struct Answer<'a> {
        trace: Trace<'a>,
    }
    json(&Answer { trace: Trace { trace_info: InfoWire(info) } })
}

message! { struct Start { trace: Raw [Required] } }

async fn start(State(api): State<Api>, Fields(asked, ..): Fields<Start>) -> Result {
    let trace = asked.trace.0.unwrap_or_default();
    let info = read(member(&trace, "trace_info").unwrap_or(&Value::Null))?;
    Ok(answer(&traces(&api)?.start(info).await?))
}

async fn get_info(State(api): State<Api>, Path(trace_id): Path<String>) -> Result {
    Ok(answer(&traces(&api)?.get_info(&trace_id).await?))
}

message! { struct GetOne { trace_id: String [Required], allow_partial: bool } }

async fn get_one(State(api): State<Api>, Fields(asked, ..): Fields<GetOne>) -> Result {
    #[derive(Serialize)]
    struct Answer<'a> {
        trace: TraceWire<'a>,
    }
    let trace = traces(&api)?.get(&asked.trace_id, asked.allow_partial).await?;
    Ok(json(&Answer { trace: TraceWire(&trace) }))
}

message! {
    struct Batch { trace_ids: Vec<String> [Required], experiment_ids: Option<Vec<String>> }
}

async fn get_batch(State(api): State<Api>, Fields(asked, ..): Fields<Batch>) -> Result {
    let found = traces(&api)?.get_all(&asked.trace_ids, asked.experiment_ids).await?;
    let items = found.iter().map(TraceWire).collect();
    Ok(json(&PageWire { name: "traces", items, token: None }))
}

async fn get_infos(State(api): State<Api>, Fields(asked, ..): Fields<Batch>) -> Result {
    let found = traces(&api)?.get_infos(&asked.trace_ids, asked.experiment_ids).await?;
    let items: Vec<InfoWire<'_>> = all(&found);
    Ok(json(&PageWire { name: "trace_infos", items, token: None }))
}

message! { struct Experiment { experiment_id: String } }

message! { struct Location { mlflow_experiment: Experiment } }

message! {
    struct Search {
        locations: Vec<Location> [Required],
        filter: String,
        max_results: Option<i64> [AtMost(500)],
        order_by: Vec<String>,
        page_token: Option<String>,
    }
}

async fn search(State(api): State<Api>, Fields(asked, ..): Fields<Search>) -> Result {
    let experiments =
        asked.locations.into_iter().map(|place| place.mlflow_experiment.experiment_id);
    let search = SearchTraces {
        experiment_ids: experiments.filter(|id| !id.is_empty()).collect(),
        filter: asked.filter,
        max_results: asked.max_results.unwrap_or(RESULTS_DEFAULT),
        order_by: asked.order_by,
        page_token: asked.page_token,
    };
    let page = traces(&api)?.search(search).await?;
    Ok(json(&PageWire::of::<_, InfoWire<'_>>("traces", &page)))
}

message! {
    pub(super) struct Delete {
        experiment_id: String [Required],
        max_timestamp_millis: Option<i64>,
        max_traces: Option<i64>,
        request_ids: Vec<String>,
    }
}

pub(super) async fn delete(State(api): State<Api>, Fields(asked, ..): Fields<Delete>) -> Result {
    let delete = DeleteTraces {
        experiment_id: asked.experiment_id,
        max_timestamp_millis: asked.max_timestamp_millis,
        max_traces: asked.max_traces,
        trace_ids: asked.request_ids,
    };
    let deleted = traces(&api)?.delete(delete).await?;
    Ok(json(&json!({ "traces_deleted": deleted })))
}

message! {
    struct Correlate {
        experiment_ids: Vec<String> [Required],
        filter_string1: String [Required],
        filter_string2: String [Required],
        base_filter: String,
    }
}

async fn correlate(State(api): State<Api>, Fields(asked, ..): Fields<Correlate>) -> Result {
    let filters = [asked.filter_string1, asked.filter_string2];
    let counts = traces(&api)?.count_both(asked.experiment_ids, filters, asked.base_filter).await?;
    let [total, first, second, both] =
        [counts.total, counts.first, counts.second, counts.both].map(|count| count as f64);
    Ok(json(&CorrelationWire {
        npmi: npmi([total, first, second, both]),
        npmi_smoothed: smoothed_npmi([total, first, second, both]),
        filter1_count: counts.first,
        filter2_count: counts.second,
        joint_count: counts.both,
        total_count: counts.total,
    }))
}

/// How two filters go together. What is undefined is left out: clients read that as NaN.
#[derive(Serialize)]
struct CorrelationWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    npmi: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    npmi_smoothed: Option<f64>,
    filter1_count: i64,
    filter2_count: i64,
    joint_count: i64,
    total_count: i64,
}

/// Normalised pointwise mutual information: from -1 (never together) to 1 (always). None if it is undefined.
fn npmi([total, first, second, both]: [f64; 4]) -> Option<f64> {
    if first == 0.0 || second == 0.0 || total == 0.0 {
        return None;
    }
    if both == 0.0 {
        return Some(-1.0);
    }
    if both == total {
        return Some(1.0);
    }
    // Sums of logarithms, as upstream's: the last digits are the same, too.
    let information = (both.ln() + total.ln()) - (first.ln() + second.ln());
    Some((information / -(both.ln() - total.ln())).clamp(-1.0, 1.0))
}

/// The same by Jeffreys' prior, half a trace more in each of the four cells; what is everywhere is together in all of
/// them as before.
fn smoothed_npmi([total, first, second, both]: [f64; 4]) -> Option<f64> {
    let plain = npmi([total, first, second, both])?;
    if both == total {
        return Some(plain);
    }
    npmi([total + 2.0, first + 1.0, second + 1.0, both + 0.5])
}

message! { pub(super) struct SetTag { key: String [Required], value: String } }

pub(super) async fn set_tag(
    State(api): State<Api>,
    Path(trace_id): Path<String>,
    Fields(asked, ..): Fields<SetTag>,
) -> Result {
    if OWN_TAGS.contains(&asked.key.as_str()) {
        return invalid!("Tag '{}' is immutable and cannot be set on a trace.", asked.key);
    }
    let tag = KeyValue { key: asked.key, value: asked.value };
    traces(&api)?.set_tag(&trace_id, tag).await?;
    Ok(empty())
}

message! { pub(super) struct DeleteTag { key: String [Required] } }

pub(super) async fn delete_tag(
    State(api): State<Api>,
    Path(trace_id): Path<String>,
    Fields(asked, ..): Fields<DeleteTag>,
) -> Result {
    if OWN_TAGS.contains(&asked.key.as_str()) && asked.key != ARCHIVAL_FAILURE {
        return invalid!("Tag '{}' is immutable and cannot be deleted on a trace.", asked.key);
    }
    traces(&api)?.delete_tag(&trace_id, &asked.key).await?;
    Ok(empty())
}

message! { struct OfTrace { request_id: Option<String>, path: Option<String> } }

/// The spans of a trace as one file, or a file that is attached to it.
async fn spans_or_attachment(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(asked): Query<OfTrace>,
) -> Result {
    let Some(id) = asked.request_id else {
        let message = "Request must include the \"request_id\" query parameter.";
        return Err(Error::api(ErrorCode::BadRequest, message).into());
    };
    let attachment = asked.path.as_deref().map(ArtifactPath::from_request).transpose()?;
    let info = match traces(&api)?.get(&id, true).await {
        Ok(trace) if attachment.is_none() => return Ok(spans_file(&trace.spans)),
        Ok(trace) => trace.info,
        // Its spans are a file, or it is not there.
        Err(error) if error.is_not_found() => match traces(&api)?.get_info(&id).await {
            Ok(info) => info,
            Err(_no_trace) => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    let files_of_trace = KeyValue::find(&info.tags, "mlflow.artifactLocation").unwrap_or_default();
    let path = match attachment {
        Some(path) => format!("attachments/{}", path.as_str()),
        None => DATA_FILE.to_owned(),
    };
    files::send(&*api.tracking.artifacts, files_of_trace, &path, &headers).await
}

fn spans_file(spans: &[String]) -> Response {
    let file = format!("{{\"spans\":[{}]}}", spans.join(","));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=traces.json")),
    ];
    (headers, file).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_are_upstreams() {
        let smoothed = smoothed_npmi([3.0, 1.0, 1.0, 0.0]).unwrap();
        assert_eq!(npmi([3.0, 1.0, 1.0, 0.0]), Some(-1.0));
        assert!((smoothed - -0.204_119_982_655_924_8).abs() < 1e-9, "{smoothed}");
        for undefined in [[3.0, 0.0, 1.0, 0.0], [0.0; 4]] {
            assert_eq!((npmi(undefined), smoothed_npmi(undefined)), (None, None));
        }
        // Both filters hold for everything: smoothing takes nothing from that.
        assert_eq!(npmi([3.0; 4]), Some(1.0));
        assert_eq!(smoothed_npmi([3.0; 4]), Some(1.0));
        // Answers of `mlflow server` 3.17.2.
        assert_eq!(npmi([6.0, 4.0, 4.0, 3.0]), Some(0.169_925_001_442_312_3));
        assert_eq!(npmi([6.0, 4.0, 4.0, 4.0]), Some(0.999_999_999_999_999_4));
        assert_eq!(smoothed_npmi([6.0, 2.0, 2.0, 1.0]), Some(0.171_855_509_242_725_08));
    }
}
