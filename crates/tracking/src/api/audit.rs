//! `/api/trainyard/audit` and `/api/trainyard/registry`: who changed what, and how the registry was at a time.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::json;
use trainyard_mlflow::{AUDIT_EVENTS_MAX, SearchAudit};

use super::error::{Result, json};
use super::fields::Check::{AtMost, Required};
use super::message::message;
use super::request::Query;
use super::state::Api;

/// Routes below `/api/trainyard`.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/audit/events", get(events)).route("/registry/at", get(registry_at))
}

message! {
    SearchAudit {
        after: Option<i64>,
        subject: Option<String>,
        part: Option<String>,
        who: Option<String>,
        action: Option<String>,
        since: Option<i64>,
        until: Option<i64>,
        newest_first: bool,
        max_results: Option<i64> [AtMost(AUDIT_EVENTS_MAX)],
    }
}

async fn events(State(api): State<Api>, Query(search): Query<SearchAudit>) -> Result {
    let events = api.tracking.audit.events(search).await?;
    Ok(json(&json!({ "events": events })))
}

message! { struct At { at: i64 [Required], model: Option<String> } }

async fn registry_at(State(api): State<Api>, Query(asked): Query<At>) -> Result {
    let found = api.tracking.audit.registry_at(asked.at, asked.model.as_deref()).await?;
    Ok(json(&found))
}
