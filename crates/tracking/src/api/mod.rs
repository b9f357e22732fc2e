//! MLflow's REST API over [`Tracking`]: one file per resource.
//!
//! A handler reads its fields ([`request`], checked by a [`shape`]), calls the trait and writes
//! the answer ([`wire`]); whatever goes wrong becomes an answer in [`error`]. Nothing here knows
//! how things are stored.

mod artifacts;
mod body;
mod direct;
mod error;
mod experiments;
mod files;
mod graphql;
mod host_policy;
mod json;
mod locations;
mod logged_models;
mod metrics;
mod misc;
mod model_versions;
mod registered_models;
mod request;
mod runs;
mod sample;
mod shape;
mod truncated;
mod usual;
mod webhooks;
mod wire;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use trainyard_base::Budget;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::ViewType;

use error::ApiError;
pub use host_policy::HostPolicy;
use request::{Fields, JsonBody};
use shape::Shape;

/// Largest JSON body accepted if nobody says otherwise: a dataset's profile may have 16 MiB.
pub const DEFAULT_JSON_BYTES_MAX: usize = 64 << 20;

/// What the API leaves to whoever runs it.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Whether `mlflow-artifacts:` files are read and written for clients; their routes answer 503
    /// if not.
    pub serve_artifacts: bool,
    /// Largest JSON body of the routes that take large ones; more is answered with 413.
    pub json_bytes_max: usize,
    /// What all requests together may hold.
    pub memory: Arc<Budget>,
    /// Whether searches of model versions fill in aliases for requests that do not say
    /// `include_aliases`. Upstream never does.
    pub aliases_in_search: bool,
    /// Life of signed downloads for requests that do not say `expiration`; up to 7 days.
    pub presigned_download_seconds: i64,
    /// Which hosts locations may name.
    pub hosts: HostPolicy,
}

/// What all handlers share.
pub struct ApiState {
    tracking: Tracking,
    options: ApiOptions,
}

type Api = Arc<ApiState>;

impl ApiState {
    /// An API over `tracking`.
    pub fn new(tracking: Tracking, options: ApiOptions) -> Self {
        Self { tracking, options }
    }

    async fn read(&self, request: Request, shape: &'static Shape) -> Result<Fields, ApiError> {
        request::read(request, self.options.json_bytes_max, &self.options.memory, shape).await
    }

    async fn body(&self, request: Request) -> Result<JsonBody, ApiError> {
        JsonBody::receive(request, self.options.json_bytes_max, &self.options.memory).await
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Every route of the API, without a fallback for what is not there.
pub fn router(state: Arc<ApiState>) -> Router {
    let mlflow = || {
        Router::new()
            .merge(experiments::routes())
            .merge(runs::routes())
            .merge(metrics::routes())
            .merge(logged_models::routes())
            .merge(registered_models::routes())
            .merge(model_versions::routes())
            .merge(artifacts::routes())
            .merge(webhooks::routes())
    };
    Router::new()
        .merge(misc::routes())
        .merge(graphql::routes())
        .merge(artifacts::page_routes())
        .nest("/api/2.0/mlflow", mlflow())
        .nest("/ajax-api/2.0/mlflow", mlflow().merge(artifacts::ajax_routes()))
        .merge(proxied())
        .nest("/api/3.0", misc::routes_3())
        .nest("/ajax-api/3.0", misc::routes_3())
        .nest("/ajax-api", misc::ajax_routes())
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

/// An error as the API answers it.
pub(crate) fn error_answer(error: trainyard_mlflow::Error) -> Response {
    ApiError::from(error).into_response()
}

/// Only the proxied artifacts, which clients ask without a static prefix.
pub fn artifact_router(state: Arc<ApiState>) -> Router {
    proxied().with_state(state)
}

fn proxied() -> Router<Api> {
    Router::new()
        .nest("/api/2.0/mlflow-artifacts", artifacts::proxied_routes())
        .nest("/ajax-api/2.0/mlflow-artifacts", artifacts::proxied_routes())
}

/// The 404 of a route that is not there: clients that probe for newer endpoints take it as "this
/// server is older" and fall back.
pub fn not_found() -> Response {
    html(
        StatusCode::NOT_FOUND,
        "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n\
         <p>The requested URL was not found on the server. If you entered the URL manually please \
         check your spelling and try again.</p>\n",
    )
}

async fn method_not_allowed() -> Response {
    html(
        StatusCode::METHOD_NOT_ALLOWED,
        "<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n\
         <h1>Method Not Allowed</h1>\n<p>The method is not allowed for the requested URL.</p>\n",
    )
}

fn html(status: StatusCode, page: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

const VIEW_TYPES: &[(&str, i64)] = &[("ACTIVE_ONLY", 1), ("DELETED_ONLY", 2), ("ALL", 3)];

fn view_type(number: i64) -> ViewType {
    match number {
        2 => ViewType::DeletedOnly,
        3 => ViewType::All,
        _ => ViewType::ActiveOnly,
    }
}
