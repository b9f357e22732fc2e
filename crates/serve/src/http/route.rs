//! Which request goes where.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::Full;
use hyper::Request;
use sha2::{Digest as _, Sha256};
use trainyard_base::words::MLFLOW_VERSION;
use trainyard_base::{Share, prometheus};
use trainyard_net::Paced;

use super::access;
use super::error::Refusal;
use super::predict::{Asked, Dialect, aside, not_ready, predict};
use super::request_id::X_REQUEST_ID;
use super::share::Place;
use super::{JSON, Response, body, infer, json, response};
use crate::feedback::NotKept;
use crate::metrics::Route;
use crate::server::Server;
use crate::slot::{Checked, Slot};
use crate::webhook::Unfit;
use crate::{clock, docs, feedback, health, openapi, panics, webhook};

/// Answers a request; never fails. On a connection for which there was no place, only probes are.
pub(crate) async fn handle(
    server: &Arc<Server>,
    is_crowded: bool,
    request: Request<Paced>,
) -> Response {
    let started = Instant::now();
    let (request_id, header) = server.request_ids.of(request.headers());
    // The path is looked at before the request is taken apart, and needed after.
    let uri = request.uri().clone();
    let target = find(server, uri.path());
    let route = target.route;
    let method = request.method().clone();
    server.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
    let counted = InFlight(server);
    let is_refused = is_crowded && !target.is_probe();
    let work = async {
        if is_refused {
            return Err(Refusal::Crowded);
        }
        dispatch(server, target, request, Arc::clone(&request_id)).await
    };
    let answered = match panics::caught_async(work).await {
        Ok(answered) => answered,
        Err(panicked) => {
            server.metrics.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                request_id = &*request_id,
                place = %panicked,
                "answering a request broke off; this is a bug"
            );
            Err(Refusal::Internal("answering the request broke off; this is a bug"))
        }
    };
    drop(counted);
    let mut response = answered.unwrap_or_else(Refusal::into_response);
    if method == Method::HEAD {
        *response.body_mut() = Full::default();
    }
    response.headers_mut().insert(X_REQUEST_ID, header);
    if is_crowded || server.draining.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let status = response.status();
    let elapsed = started.elapsed();
    server.metrics.answered(route, status.as_u16(), elapsed);
    server.access_log.note(&access::Line {
        method: &method,
        path: uri.path(),
        route,
        status: status.as_u16(),
        request_id: &request_id,
        elapsed,
    });
    response
}

struct InFlight<'s>(&'s Server);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a path means: the route, the model, and where the model answers.
#[derive(Debug, Clone, Copy)]
struct Target<'p> {
    route: Route,
    /// Index of the slot; none when there is no model of that name.
    slot: Option<usize>,
    /// `/models/<name>`, or nothing at the root.
    prefix: &'p str,
    /// The version that the path names.
    version: Option<&'p str>,
    /// What the route leaves open.
    rest: &'p str,
}

impl Target<'_> {
    /// Whether it only asks how things are, which needs no token and is always answered.
    fn is_probe(&self) -> bool {
        match self.route {
            Route::Health | Route::Ping | Route::Version => true,
            Route::Infer => matches!(self.rest, "health/live" | "health/ready" | "ready"),
            _ => false,
        }
    }
}

fn find<'p>(server: &Server, path: &'p str) -> Target<'p> {
    let by_name = |name: &str| server.slots.iter().position(|slot| slot.name == name);
    let other =
        Target { route: Route::Other, slot: Some(0), prefix: "", version: None, rest: path };
    if let Some(rest) = path.strip_prefix("/v2") {
        // `/v2/models/<name>[/versions/<version>]/<rest>`; without a model it is about the server.
        let Some(rest) = rest.strip_prefix("/models/") else {
            return Target { route: Route::Infer, rest: rest.trim_start_matches('/'), ..other };
        };
        let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (version, rest) = match rest.strip_prefix("versions/") {
            Some(versioned) => {
                let (version, rest) = versioned.split_once('/').unwrap_or((versioned, ""));
                (Some(version), rest)
            }
            None => (None, rest),
        };
        let rest = if rest.is_empty() { "metadata" } else { rest };
        return Target { route: Route::Infer, slot: by_name(name), prefix: path, version, rest };
    }
    let (slot, prefix, rest) =
        match path.strip_prefix("/models/").and_then(|rest| rest.split_once('/')) {
            Some((name, rest)) => {
                let prefix = path.get(..path.len() - rest.len() - 1).unwrap_or_default();
                (by_name(name), prefix, rest)
            }
            None => (Some(0), "", path.strip_prefix('/').unwrap_or(path)),
        };
    let route = match rest {
        "predict" => Route::Predict,
        "invocations" => Route::Invocations,
        "health" => Route::Health,
        "ping" => Route::Ping,
        "version" => Route::Version,
        "metrics" => Route::Metrics,
        "reload" => Route::Reload,
        "feedback" => Route::Feedback,
        "webhook" => Route::Webhook,
        "flush" => Route::Flush,
        "docs" | "openapi.json" => Route::Docs,
        _ => Route::Other,
    };
    Target { route, slot, prefix, version: None, rest }
}

async fn dispatch(
    server: &Arc<Server>,
    target: Target<'_>,
    request: Request<Paced>,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    // A webhook proves itself by its signature.
    if !target.is_probe() && target.route != Route::Webhook {
        authenticate(server, request.headers())?;
    }
    let slot = target.slot.and_then(|index| server.slots.get(index));
    let Some(slot) = slot else { return Err(Refusal::NotFound) };
    match target.route {
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
            let text = HeaderValue::from_static(prometheus::MEDIA_TYPE);
            Ok(response(StatusCode::OK, text, page))
        }
        Route::Reload => {
            only_post(&request)?;
            limited(server, reload(server, slot)).await
        }
        Route::Webhook => {
            only_post(&request)?;
            webhook(server, slot, request).await
        }
        Route::Flush => {
            only_post(&request)?;
            if let Some(log) = &server.log {
                log.flush();
            }
            Ok(response(StatusCode::ACCEPTED, JSON, "{}"))
        }
        Route::Infer => inference(server, slot, target, request, request_id).await,
        Route::Docs => {
            only_get(&request)?;
            let Some(served) = slot.current() else {
                return Err(Refusal::NotReady(not_ready(slot)));
            };
            Ok(if target.rest == "docs" {
                docs::page(slot, &served, target.prefix)
            } else {
                json(StatusCode::OK, &openapi::document(slot, &served, target.prefix))
            })
        }
        Route::Feedback => {
            only_post(&request)?;
            feedback(server, request).await
        }
        Route::Other => Err(Refusal::NotFound),
    }
}

/// The Open Inference Protocol.
async fn inference(
    server: &Arc<Server>,
    slot: &Arc<Slot>,
    target: Target<'_>,
    request: Request<Paced>,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    let ready = |ready: bool| {
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json(status, &serde_json::json!({ "ready": ready }))
    };
    let about_model = !target.prefix.is_empty();
    match (about_model, target.rest) {
        (true, "infer") => {}
        (_, "health/live") | (true, "ready" | "metadata") | (false, "health/ready" | "") => {
            only_get(&request)?;
        }
        _ => return Err(Refusal::NotFound),
    }
    let served = slot.current();
    // Only the version that serves is there.
    if let (Some(served), Some(wanted)) = (&served, target.version)
        && *wanted != *served.version
    {
        return Err(Refusal::NotFound);
    }
    match target.rest {
        "health/live" => return Ok(json(StatusCode::OK, &serde_json::json!({ "live": true }))),
        "health/ready" => {
            return Ok(ready(server.slots.iter().all(|slot| health::is_ready(server, slot))));
        }
        "ready" => return Ok(ready(health::is_ready(server, slot))),
        "" => {
            let version = env!("CARGO_PKG_VERSION");
            let about =
                serde_json::json!({ "name": "trainyard", "version": version, "extensions": [] });
            return Ok(json(StatusCode::OK, &about));
        }
        _ => {}
    }
    let Some(served) = served else { return Err(Refusal::NotReady(not_ready(slot))) };
    if target.rest == "metadata" {
        return Ok(json(StatusCode::OK, &infer::metadata(slot, &served)));
    }
    only_post(&request)?;
    let (body, share) = taken(server, request).await?;
    let place = Place::take(server, share, body.len())?;
    limited(server, infer::infer(server, served, body, request_id, place)).await
}

async fn scored(
    server: &Arc<Server>,
    slot: &Slot,
    dialect: Dialect,
    request: Request<Paced>,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    only_post(&request)?;
    let format = body::format(request.headers())?;
    let (body, share) = taken(server, request).await?;
    let place = Place::take(server, share, body.len())?;
    let asked = Asked { dialect, format, body, request_id, place };
    limited(server, predict(server, slot, asked)).await
}

/// Gives work its time, which begins when the request is there: how slowly that may come is another limit.
async fn limited(
    server: &Server,
    work: impl Future<Output = Result<Response, Refusal>>,
) -> Result<Response, Refusal> {
    let limit = server.options.limits.request_timeout;
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Refusal::Timeout(limit)))
}

/// The body of a request, and its share of the memory that all requests have.
async fn taken(server: &Arc<Server>, request: Request<Paced>) -> Result<(Bytes, Share), Refusal> {
    let (head, body) = request.into_parts();
    let mut share = server.budget.take(0)?;
    let limit = server.options.limits.body_bytes_max;
    let body = body::read(&head.headers, body, limit, &mut share).await?;
    Ok((body, share))
}

/// Takes down what turned out to be true.
async fn feedback(server: &Arc<Server>, request: Request<Paced>) -> Result<Response, Refusal> {
    let Some(log) = &server.feedback else { return Err(Refusal::NotFound) };
    body::format(request.headers())?;
    let (head, body) = request.into_parts();
    let limit = server.options.limits.body_bytes_max.min(feedback::BODY_BYTES_MAX);
    let mut share = server.budget.take(0)?;
    let body = body::read(&head.headers, body, limit, &mut share).await?;
    let time = clock::now().timestamp_millis();
    let lines = aside(move || feedback::lines(&body, time)).await?.map_err(Refusal::bad)?;
    let count = lines.facts;
    match log.append(lines).await {
        Ok(()) => Ok(json(StatusCode::OK, &serde_json::json!({ "accepted": count }))),
        Err(NotKept::Full(full)) => Err(Refusal::Full(full.to_string())),
        Err(NotKept::Io(error)) => {
            tracing::error!(%error, "feedback cannot be written");
            Err(Refusal::Internal("the feedback could not be written"))
        }
    }
}

/// Bytes of a webhook: names, a description and tags.
const WEBHOOK_BYTES_MAX: usize = 1 << 20;

/// The registry says that something changed. At the root it may be about any of the models.
async fn webhook(
    server: &Arc<Server>,
    slot: &Arc<Slot>,
    request: Request<Paced>,
) -> Result<Response, Refusal> {
    let Some(secret) = &server.options.webhook_secret else { return Err(Refusal::NotFound) };
    let at_root = !request.uri().path().starts_with("/models/");
    let (head, body) = request.into_parts();
    let mut share = server.budget.take(0)?;
    let body = body::read(&head.headers, body, WEBHOOK_BYTES_MAX, &mut share).await?;
    let webhook = webhook::read(&head.headers, &body, secret).map_err(|unfit| match unfit {
        Unfit::Signature(reason) => Refusal::Forbidden(reason),
        Unfit::Content(reason) => Refusal::bad(reason),
    })?;
    let slots = if at_root { server.slots.as_slice() } else { std::slice::from_ref(slot) };
    let mut looked = Vec::new();
    for slot in slots.iter().filter(|slot| webhook.concerns(slot.source.registered())) {
        looked.push(slot.name.as_str());
        let slot = Arc::clone(slot);
        // The registry waits for the answer, and a download may take longer than it waits.
        tokio::spawn(async move { slot.ask_reload().await });
    }
    Ok(json(StatusCode::ACCEPTED, &serde_json::json!({ "models": looked })))
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

fn only_get(request: &Request<Paced>) -> Result<(), Refusal> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Refusal::Method("GET")),
    }
}

fn only_post(request: &Request<Paced>) -> Result<(), Refusal> {
    if request.method() == Method::POST { Ok(()) } else { Err(Refusal::Method("POST")) }
}

/// Compares digests, so that the time it takes says nothing about the token.
fn authenticate(server: &Server, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(token) = &server.options.token else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    // The scheme is written in any case (RFC 9110, 11.1).
    let given = given.and_then(|value| value.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let given = given.map_or("", |(_, token)| token);
    if Sha256::digest(given.trim()) == Sha256::digest(token) {
        Ok(())
    } else {
        Err(Refusal::Unauthenticated)
    }
}
