//! Which request goes where.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use sha2::{Digest as _, Sha256};

use super::error::Refusal;
use super::predict::{Dialect, predict};
use super::request_id::X_REQUEST_ID;
use super::{JSON, Response, body, json, response};
use crate::health;
use crate::metrics::Route;
use crate::server::Server;
use crate::slot::{Checked, Slot};

/// MLflow whose scoring protocol is spoken; what `/version` answers.
pub(crate) const MLFLOW_VERSION: &str = "3.17.2";

/// Answers a request; never fails.
pub(crate) async fn handle(server: Arc<Server>, request: Request<Incoming>) -> Response {
    let started = Instant::now();
    let (request_id, header) = server.request_ids.of(request.headers());
    let (route, slot) = find(&server, request.uri().path());
    let method = request.method().clone();
    server.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
    let counted = InFlight(&server);
    let limit = server.options.limits.request_timeout;
    let answered = match tokio::time::timeout(
        limit,
        dispatch(&server, route, slot, request, Arc::clone(&request_id)),
    )
    .await
    {
        Ok(answered) => answered,
        Err(_elapsed) => Err(Refusal::Timeout(limit)),
    };
    drop(counted);
    let mut response = answered.unwrap_or_else(Refusal::into_response);
    if method == Method::HEAD {
        *response.body_mut() = http_body_util::Full::default();
    }
    response.headers_mut().insert(X_REQUEST_ID, header);
    let status = response.status();
    let elapsed = started.elapsed();
    server.metrics.answered(route, status.as_u16(), elapsed);
    if status.is_server_error() && route != Route::Health {
        tracing::warn!(?route, status = status.as_u16(), request_id = &*request_id, "request failed");
    } else {
        tracing::debug!(?route, status = status.as_u16(), request_id = &*request_id, ?elapsed, "request");
    }
    response
}

struct InFlight<'s>(&'s Server);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The route of a path, and the model it is about.
fn find<'s>(server: &'s Server, path: &str) -> (Route, Option<&'s Arc<Slot>>) {
    let (slot, path) = match path.strip_prefix("/models/").and_then(|rest| rest.split_once('/')) {
        Some((name, rest)) => {
            let slot = server.slots.iter().find(|slot| slot.name == name);
            (slot, rest)
        }
        None => (server.slots.first(), path.strip_prefix('/').unwrap_or(path)),
    };
    let route = match path {
        "predict" => Route::Predict,
        "invocations" => Route::Invocations,
        "health" => Route::Health,
        "ping" => Route::Ping,
        "version" => Route::Version,
        "metrics" => Route::Metrics,
        "reload" => Route::Reload,
        _ => Route::Other,
    };
    (route, slot)
}

async fn dispatch(
    server: &Arc<Server>,
    route: Route,
    slot: Option<&Arc<Slot>>,
    request: Request<Incoming>,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    let probe = matches!(route, Route::Health | Route::Ping | Route::Version);
    if !probe {
        authenticate(server, request.headers())?;
    }
    let Some(slot) = slot else { return Err(Refusal::NotFound) };
    match route {
        Route::Predict => scored(server, slot, Dialect::Plain, request, request_id).await,
        Route::Invocations => scored(server, slot, Dialect::Scoring, request, request_id).await,
        Route::Health => {
            only_get(&request)?;
            Ok(health::health(server, slot))
        }
        Route::Ping => {
            only_get(&request)?;
            let ready = health::is_ready(server, slot);
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            Ok(response(status, JSON, "\n"))
        }
        Route::Version => {
            only_get(&request)?;
            Ok(response(StatusCode::OK, JSON, MLFLOW_VERSION))
        }
        Route::Metrics => {
            only_get(&request)?;
            let page = server.metrics.render(&server.slots);
            let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            Ok(response(StatusCode::OK, text, page))
        }
        Route::Reload => {
            only_post(&request)?;
            reload(server, slot).await
        }
        Route::Infer | Route::Feedback | Route::Docs | Route::Other => Err(Refusal::NotFound),
    }
}

async fn scored(
    server: &Arc<Server>,
    slot: &Slot,
    dialect: Dialect,
    request: Request<Incoming>,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    only_post(&request)?;
    let format = body::format(request.headers())?;
    let Ok(_permit) = server.concurrency.try_acquire() else { return Err(Refusal::Overloaded) };
    let (head, body) = request.into_parts();
    let body = body::read(&head.headers, body, server.options.limits.body_bytes_max).await?;
    predict(server, slot, dialect, format, body, request_id).await
}

async fn reload(server: &Server, slot: &Slot) -> Result<Response, Refusal> {
    let Some(checked) = slot.ask_reload().await else { return Err(Refusal::Overloaded) };
    let (status, outcome) = match &checked {
        Checked::Unchanged => (StatusCode::OK, "unchanged"),
        Checked::Swapped => (StatusCode::OK, "swapped"),
        Checked::Failed(_) => (StatusCode::BAD_GATEWAY, "failed"),
    };
    let mut body = health::describe(server, slot);
    body.insert("reload".to_owned(), outcome.into());
    if let Checked::Failed(error) = checked {
        body.insert("error".to_owned(), error.into());
    }
    Ok(json(status, &serde_json::Value::Object(body)))
}

fn only_get(request: &Request<Incoming>) -> Result<(), Refusal> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Refusal::Method("GET")),
    }
}

fn only_post(request: &Request<Incoming>) -> Result<(), Refusal> {
    if request.method() == Method::POST { Ok(()) } else { Err(Refusal::Method("POST")) }
}

/// Compares digests, so that the time it takes says nothing about the token.
fn authenticate(server: &Server, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(token) = &server.options.token else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if Sha256::digest(given.trim()) == Sha256::digest(token) {
        Ok(())
    } else {
        Err(Refusal::Unauthenticated)
    }
}
