//! `traces` of MLflow 2, which clients before MLflow 3 use, and what clients of 3 still ask for there.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, patch, post};
use serde::Serialize;
use serde_json::Value;
use trainyard_mlflow::entities::{KeyValue, TraceInfo, TraceState};
use trainyard_mlflow::{EndTrace, SearchTraces};

use super::enums::EnumName;
use super::error::{Result, empty, json};
use super::fields::Check::{AtMost, Required};
use super::message::message;
use super::request::Fields;
use super::state::Api;
use super::trace_wire::{InfoV2Wire, state, traces};
use super::traces::{RESULTS_DEFAULT, delete, delete_tag, set_tag};
use super::wire::PageWire;

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/traces", get(search).post(start))
        .route("/traces/delete-traces", post(delete))
        .route("/traces/link-to-run", post(link_to_run))
        .route("/traces/link-prompts", post(link_prompts))
        .route("/traces/{trace_id}", patch(end))
        .route("/traces/{trace_id}/info", get(get_info))
        .route("/traces/{trace_id}/tags", patch(set_tag).delete(delete_tag))
}

fn answer(info: &TraceInfo) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        trace_info: InfoV2Wire<'a>,
    }
    json(&Answer { trace_info: InfoV2Wire(info) })
}

message! {
    struct Start {
        experiment_id: String,
        timestamp_ms: i64,
        request_metadata: Vec<KeyValue>,
        tags: Vec<KeyValue>,
    }
}

async fn start(State(api): State<Api>, Fields(asked, ..): Fields<Start>) -> Result {
    let info = TraceInfo {
        experiment_id: asked.experiment_id,
        request_time: asked.timestamp_ms,
        state: TraceState::InProgress,
        trace_metadata: asked.request_metadata,
        tags: asked.tags,
        ..TraceInfo::default()
    };
    Ok(answer(&traces(&api)?.start_v2(info).await?))
}

message! {
    struct End {
        timestamp_ms: i64,
        status: EnumName,
        request_metadata: Vec<KeyValue>,
        tags: Vec<KeyValue>,
    }
}

async fn end(
    State(api): State<Api>,
    Path(trace_id): Path<String>,
    Fields(asked, ..): Fields<End>,
) -> Result {
    let end = EndTrace {
        timestamp_ms: asked.timestamp_ms,
        state: state(Some(&Value::String(asked.status.0))),
        request_metadata: asked.request_metadata,
        tags: asked.tags,
    };
    Ok(answer(&traces(&api)?.end_v2(&trace_id, end).await?))
}

async fn get_info(State(api): State<Api>, Path(trace_id): Path<String>) -> Result {
    Ok(answer(&traces(&api)?.get_info(&trace_id).await?))
}

message! {
    struct Search {
        experiment_ids: Vec<String> [Required],
        filter: String,
        max_results: Option<i64> [AtMost(500)],
        order_by: Vec<String>,
        page_token: Option<String>,
    }
}

async fn search(State(api): State<Api>, Fields(asked, ..): Fields<Search>) -> Result {
    let search = SearchTraces {
        experiment_ids: asked.experiment_ids,
        filter: asked.filter,
        max_results: asked.max_results.unwrap_or(RESULTS_DEFAULT),
        order_by: asked.order_by,
        page_token: asked.page_token,
    };
    let page = traces(&api)?.search(search).await?;
    Ok(json(&PageWire::of::<_, InfoV2Wire<'_>>("traces", &page)))
}

message! {
    struct LinkToRun { trace_ids: Vec<String> [Required], run_id: String [Required] }
}

async fn link_to_run(State(api): State<Api>, Fields(asked, ..): Fields<LinkToRun>) -> Result {
    traces(&api)?.link_to_run(&asked.trace_ids, &asked.run_id).await?;
    Ok(empty())
}

message! { struct Prompt { name: String, version: String } }

message! {
    struct LinkPrompts { trace_id: String [Required], prompt_versions: Vec<Prompt> [Required] }
}

async fn link_prompts(State(api): State<Api>, Fields(asked, ..): Fields<LinkPrompts>) -> Result {
    let prompts = asked.prompt_versions.iter();
    let prompts: Vec<String> =
        prompts.map(|prompt| format!("{}/{}", prompt.name, prompt.version)).collect();
    traces(&api)?.link_prompts(&asked.trace_id, &prompts).await?;
    Ok(empty())
}
