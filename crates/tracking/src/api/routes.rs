//! Every route of the API, and the answers of those that are not there.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use trainyard_mlflow::{Error, ErrorCode};

use super::error::error_answer;
use super::state::{Api, ApiState};
use super::{
    absent, approvals, artifacts, assessments, audit, evaluation_datasets, experiments, graphql,
    logged_models, metrics, model_versions, otlp, presigned, registered_models, runs, scorers,
    server_info, trace_metrics, traces, traces_v2, webhooks,
};

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
            .merge(presigned::routes())
            .merge(webhooks::routes())
            .merge(traces_v2::routes())
    };
    let mlflow_3 = || {
        Router::new()
            .merge(traces::routes())
            .merge(trace_metrics::routes())
            .merge(assessments::routes())
            .merge(evaluation_datasets::routes())
            .merge(scorers::routes())
            .merge(absent::routes())
    };
    Router::new()
        .merge(server_info::routes())
        .merge(graphql::routes())
        .merge(artifacts::page_routes())
        .nest("/api/2.0/mlflow", mlflow())
        .nest(
            "/ajax-api/2.0/mlflow",
            mlflow().merge(artifacts::ajax_routes()).merge(traces::ajax_routes()),
        )
        .nest("/api/3.0/mlflow", mlflow_3())
        .nest(
            "/ajax-api/3.0/mlflow",
            mlflow_3().merge(traces::ajax_routes()).merge(absent::ajax_routes()),
        )
        .merge(proxied())
        .nest("/api/trainyard", audit::routes().merge(approvals::routes()))
        .nest("/api/3.0", server_info::routes_3())
        .nest("/ajax-api/3.0", server_info::routes_3())
        .nest("/ajax-api", server_info::ajax_routes())
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

/// Only the proxied artifacts and spans, which clients send without a static prefix.
pub fn artifact_router(state: Arc<ApiState>) -> Router {
    proxied().with_state(state)
}

fn proxied() -> Router<Api> {
    let routes = || artifacts::proxied_routes().merge(presigned::proxied_routes());
    Router::new()
        .nest("/api/2.0/mlflow-artifacts", routes())
        .nest("/ajax-api/2.0/mlflow-artifacts", routes())
        .merge(otlp::routes())
}

/// The 404 of an endpoint that is not there: clients that probe for newer ones take the code as "this
/// server is older" and fall back.
pub fn no_endpoint() -> Response {
    let message = "This server has no such endpoint.";
    error_answer(Error::api(ErrorCode::EndpointNotFound, message))
}

/// The 404 of a page that is not there.
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
