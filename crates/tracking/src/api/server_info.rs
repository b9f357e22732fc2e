//! Health, version, what the server can do, and small answers for upstream's pages.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::header;
use serde_json::json;
use trainyard_base::words::MLFLOW_VERSION;

use super::error::{ApiError, json};
use super::presigned;
use super::state::Api;

/// Routes at the root.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/health", get(health))
        .route("/livez", get(live))
        .route("/version", get(version))
}

/// That the process lives, whatever its database does: who restarts it for an outage of that makes two.
async fn live() -> Response {
    "OK".into_response()
}

/// Routes below `/api/3.0/mlflow` and its twin.
pub(super) fn routes_3() -> Router<Api> {
    Router::new().route("/mlflow/server-info", get(server_info))
}

/// Routes below `/ajax-api` only, asked by upstream's pages.
pub(super) fn ajax_routes() -> Router<Api> {
    Router::new()
        .route("/2.0/mlflow/gateway-proxy", get(no_gateway).post(no_gateway))
        .route("/3.0/mlflow/ui-telemetry", get(no_telemetry).post(nothing_sent))
        .route("/3.0/mlflow/ui-telemetry/", post(nothing_sent))
}

/// What keeps writes from being stored is said here, too: who watches must know it.
async fn health(State(api): State<Api>) -> Response {
    match api.tracking.health().await {
        Ok(()) => "OK".into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn version() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], MLFLOW_VERSION).into_response()
}

async fn server_info(State(api): State<Api>) -> Response {
    let is_direct = presigned::is_offered(&api).await;
    json(&json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": is_direct,
        "multipart_downloads_enabled": is_direct,
        "presigned_upload_run_id_supported": true,
        "presigned_upload_model_id_supported": true,
        // No GenAI here: with the gateway off, upstream's pages do not offer it.
        "features_enabled": { "gateway": false },
    }))
}

async fn no_gateway() -> Response {
    json(&json!({ "endpoints": [] }))
}

/// Upstream's pages report what people click unless they are told not to.
async fn no_telemetry() -> Response {
    json(
        &json!({ "disable_ui_telemetry": true, "disable_ui_events": [], "ui_rollout_percentage": 0 }),
    )
}

async fn nothing_sent() -> Response {
    json(&json!({ "status": "disabled" }))
}
