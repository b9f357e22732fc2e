//! A request's way: what it asks for, whether it may, and who answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::{CONNECTION, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::Full;
use hyper::Request;
use trainyard_base::prometheus;
use trainyard_base::words::MLFLOW_VERSION;
use trainyard_net::Paced;
use trainyard_signature::enforce::Protocol;

use super::admission::{Admission, in_time};
use super::error::Refusal;
use super::explain::explain;
use super::guard::{authenticate, only_get, only_post, serving};
use super::predict::{PredictRequest, predict};
use super::request_id::X_REQUEST_ID;
use super::response::{JSON, Response, json, response};
use super::route::{self, Target};
use super::{access_log, body, open_inference, operations};
use crate::endpoint::Endpoint;
use crate::metrics::Route;
use crate::server::Server;
use crate::{docs, health, openapi, panics, status_page};

/// Answers a request; never fails. On a connection beyond the limit only probes are.
pub(crate) async fn handle(
    server: &Arc<Server>,
    is_crowded: bool,
    request: Request<Paced>,
) -> Response {
    let started = Instant::now();
    let (request_id, header) = server.request_ids.of(request.headers());
    // The path is looked at before the request is taken apart, and needed after.
    let uri = request.uri().clone();
    let target = route::find(server, uri.path());
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
    server.access_log.note(&access_log::Line {
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
    let endpoint = target.endpoint.and_then(|index| server.endpoints.get(index));
    let Some(endpoint) = endpoint else { return Err(Refusal::NotFound) };
    match target.route {
        Route::Predict | Route::Invocations | Route::Explain => {
            scored(server, endpoint, target.route, request, request_id).await
        }
        Route::Health => {
            only_get(&request)?;
            Ok(health::health(server, endpoint))
        }
        Route::Ping => {
            only_get(&request)?;
            let ready = health::is_ready(server, endpoint);
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            Ok(response(status, JSON, "\n"))
        }
        Route::Version => {
            only_get(&request)?;
            Ok(response(StatusCode::OK, JSON, MLFLOW_VERSION))
        }
        Route::Metrics => {
            only_get(&request)?;
            let page = server.metrics.render(&server.endpoints);
            let text = HeaderValue::from_static(prometheus::MEDIA_TYPE);
            Ok(response(StatusCode::OK, text, page))
        }
        Route::Reload => {
            only_post(&request)?;
            in_time(server, operations::reload(server, endpoint)).await
        }
        Route::Webhook => {
            only_post(&request)?;
            operations::webhook(server, endpoint, request).await
        }
        Route::Flush => {
            only_post(&request)?;
            if let Some(log) = &server.log {
                log.flush();
            }
            Ok(response(StatusCode::ACCEPTED, JSON, "{}"))
        }
        Route::OpenInference => {
            open_inference::handle(server, endpoint, target, request, request_id).await
        }
        Route::Docs => {
            only_get(&request)?;
            let served = serving(endpoint)?;
            Ok(if target.rest == "docs" {
                docs::page(endpoint, &served, target.prefix)
            } else {
                json(StatusCode::OK, &openapi::document(endpoint, &served, target.prefix))
            })
        }
        Route::Status => {
            only_get(&request)?;
            Ok(status_page::page(server))
        }
        Route::Feedback => {
            only_post(&request)?;
            operations::feedback(server, request).await
        }
        Route::Other => Err(Refusal::NotFound),
    }
}

/// Predicts or explains the rows of a body of MLflow's scoring protocol, or of a plain one.
async fn scored(
    server: &Arc<Server>,
    endpoint: &Endpoint,
    route: Route,
    request: Request<Paced>,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    only_post(&request)?;
    let format = body::format(request.headers())?;
    let (body, admission) = Admission::of(server, request).await?;
    let protocol = match route {
        Route::Invocations => Protocol::Invocations,
        _ => Protocol::Predict,
    };
    let request = PredictRequest { protocol, format, body, request_id, admission };
    let served = serving(endpoint)?;
    if route == Route::Explain {
        return in_time(server, explain(server, served, request)).await;
    }
    in_time(server, predict(server, served, request)).await
}
