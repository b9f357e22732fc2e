//! What MLflow has beside traces and this server has not: review queues, label schemas, issues, the
//! gateway, workspaces, the assistant. Lists are empty, so that pages and clients go on; what would make
//! something is refused in one sentence.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use trainyard_mlflow::{Error, ErrorCode};

use super::error::{ApiError, empty, json, json_text};
use super::message::message;
use super::request::{Fields, Query};
use super::state::{Api, ApiState};

/// Ends of paths whose GET lists what is not here.
const LISTS: &[&str] = &[
    "/gateway/endpoints/list",
    "/gateway/endpoints/bindings/list",
    "/gateway/secrets/list",
    "/gateway/model-definitions/list",
    "/gateway/budgets/list",
    "/gateway/budgets/windows",
    "/gateway/guardrails/list",
    "/gateway/guardrails/list-for-endpoint",
    "/review-queues/items/list",
];
/// The same, of an experiment.
const LISTS_OF_EXPERIMENTS: &[&str] = &["/label-schemas/list", "/review-queues/list"];
/// The same, where the experiment is in the body of a POST.
const SEARCHES_OF_EXPERIMENTS: &[&str] = &["/issues/search", "/prompt-optimization/jobs/search"];

/// Routes below `/api/3.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    let mut routes = Router::new()
        .route("/workspaces", any(no_workspaces))
        .route("/workspaces/{*rest}", any(no_workspaces));
    for path in LISTS {
        routes = routes.route(path, any(list));
    }
    for path in LISTS_OF_EXPERIMENTS {
        routes = routes.route(path, get(list_of_experiment).fallback(list));
    }
    for path in SEARCHES_OF_EXPERIMENTS {
        routes = routes.route(path, post(search_of_experiment).fallback(list));
    }
    routes
}

/// Routes below `/ajax-api/3.0/mlflow` only, asked by upstream's pages.
pub(super) fn ajax_routes() -> Router<Api> {
    Router::new()
        .route("/assistant/config", get(no_assistant))
        .route("/assistant/providers", get(no_assistants))
        .route("/gateway/supported-providers", get(no_assistants))
}

message! { struct OfExperiment { experiment_id: String } }

async fn list_of_experiment(
    State(api): State<Api>,
    Query(asked): Query<OfExperiment>,
) -> Result<Response, ApiError> {
    empty_of(&api, &asked.experiment_id).await
}

async fn search_of_experiment(
    State(api): State<Api>,
    Fields(asked, ..): Fields<OfExperiment>,
) -> Result<Response, ApiError> {
    empty_of(&api, &asked.experiment_id).await
}

/// Nothing, for whoever may look at the experiment: others are not told even that.
async fn empty_of(api: &ApiState, experiment_id: &str) -> Result<Response, ApiError> {
    if experiment_id.is_empty() {
        return Ok(empty());
    }
    match api.tracking.experiments.get(experiment_id).await {
        Err(error) if error.code() == ErrorCode::PermissionDenied => Err(error.into()),
        _ => Ok(empty()),
    }
}

async fn list(request: Request) -> Result<Response, ApiError> {
    let is_search = request.uri().path().ends_with("/search");
    match *request.method() {
        Method::GET | Method::HEAD => Ok(empty()),
        Method::POST if is_search => Ok(empty()),
        _ => {
            Err(Error::api(ErrorCode::EndpointNotFound, "This server has no such endpoint.").into())
        }
    }
}

/// As upstream without `--enable-workspaces`, in JSON.
async fn no_workspaces() -> Response {
    let message = "Endpoint disabled because the server is running without workspaces support.";
    let body: Value = json!({ "error_code": "FEATURE_DISABLED", "message": message });
    json_text(StatusCode::SERVICE_UNAVAILABLE, &body)
}

/// The assistant's panel shows itself only where it is set up.
async fn no_assistant() -> Response {
    json(&json!({ "providers": {}, "projects": {}, "remote_access_allowed": false }))
}

async fn no_assistants() -> Response {
    json(&json!({ "providers": [] }))
}
