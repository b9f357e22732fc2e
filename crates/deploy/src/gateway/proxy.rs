//! One request's way: choose a target, pass the request on, pass the answer back.
//!
//! What may be tried again: a request of which no byte was sent, because the connection could not be
//! made (any method), and a request without side effects and without body that got no answer. Anything
//! else is answered with 502, because it may have been done.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::Shared;
use super::access::Entry;
use super::body::{RequestBody, ResponseBody};
use super::door::Closed;
use super::headers::{
    REQUEST_ID, add_forwarded, request_id, set_upgrade, strip_hop_by_hop, upgrade_wanted,
};
use super::route::{InFlight, Target};
use super::upstream::{Answer, SendError};

/// What is sent to whichever target takes the request.
struct Outgoing {
    method: Method,
    path_and_query: PathAndQuery,
    headers: HeaderMap,
    body: RequestBody,
    /// Nothing is done by asking twice, and there is nothing to send twice.
    repeatable: bool,
    /// The instance is asked to change the protocol.
    is_upgrade: bool,
}

/// Why no answer came.
enum Failure {
    /// No connection, so nothing was sent.
    Connect(String),
    /// The connection broke before an answer.
    Broken(String),
    /// No answer in time.
    Timeout,
    /// The client sent more than is allowed.
    TooLarge,
}

/// Answers a request; never fails, because every failure is an answer.
pub(super) async fn handle(
    shared: Arc<Shared>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let start = Instant::now();
    let id = request_id(request.headers_mut());
    let logged = shared
        .access
        .as_ref()
        .map(|log| (log, request.method().clone(), request.uri().path().to_owned()));
    let has_connection_headers = request.version() <= Version::HTTP_11;
    let (mut response, target) = match shared.door.enter().await {
        Ok(()) => pass(&shared, peer, request, &id).await,
        Err(closed) => {
            shared.metrics.held.fetch_add(1, Ordering::Relaxed);
            (turned_away(&shared, &closed, request.headers(), &id), None)
        }
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.clone());
    if shared.closing.load(Ordering::Relaxed) && has_connection_headers {
        headers.entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
    }
    let took = start.elapsed();
    let status = response.status().as_u16();
    shared.metrics.answered(status, took);
    if let Some((log, method, path)) = logged {
        let instance = target.map(|target| target.spec.id.clone());
        let request_id = id.to_str().unwrap_or("-").to_owned();
        log.log(&Entry { peer, method, path, status, took, instance, request_id });
    }
    Ok(response)
}

/// The answer to a request that does not come in.
fn turned_away(
    shared: &Shared,
    closed: &Closed,
    headers: &HeaderMap,
    id: &HeaderValue,
) -> Response<ResponseBody> {
    let (message, retry_after) = match closed {
        Closed::HeldTooLong(hold) => {
            (format!("the service is paused; held for {:.1} s", hold.as_secs_f64()), 1)
        }
        Closed::Maintenance { message, retry_after_s } => (message.clone(), *retry_after_s),
    };
    let mut response = own_answer(shared, StatusCode::SERVICE_UNAVAILABLE, &message, id);
    let wants_page = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_page {
        let page = Bytes::from(maintenance_page(&message));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(page.len()));
        *response.body_mut() = ResponseBody::Own(Full::new(page));
    }
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

/// What people see in a browser.
fn maintenance_page(message: &str) -> String {
    let safe = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Maintenance</title>\
         <body style=\"font:16px system-ui;margin:20vh auto;max-width:32em\">\
         <h1>Back soon</h1><p>{safe}</p></body></html>"
    )
}

/// Passes a request on; the answer and the instance that gave it.
async fn pass(
    shared: &Arc<Shared>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
    id: &HeaderValue,
) -> (Response<ResponseBody>, Option<Arc<Target>>) {
    let refuse = |status, message: &str| (own_answer(shared, status, message, id), None);
    if request.method() == Method::CONNECT {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "this is not a forward proxy");
    }
    let declared = request.body().size_hint().lower();
    if declared > shared.limits.max_body_bytes {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large");
    }
    let upgrade = upgrade_wanted(request.headers());
    // Taken before the request is consumed: resolves when this side has changed its protocol.
    let client_side = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (parts, incoming) = request.into_parts();
    let mut headers = parts.headers;
    strip_hop_by_hop(&mut headers);
    add_forwarded(&mut headers, peer, parts.uri.authority().map(http::uri::Authority::as_str));
    let is_upgrade = upgrade.is_some();
    if let Some(protocol) = upgrade {
        set_upgrade(&mut headers, protocol);
    }
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let outgoing = Outgoing {
        repeatable: safe && incoming.is_end_stream() && !is_upgrade,
        method: parts.method,
        is_upgrade,
        path_and_query: parts
            .uri
            .into_parts()
            .path_and_query
            .unwrap_or_else(|| PathAndQuery::from_static("/")),
        headers,
        body: RequestBody::new(incoming, shared.limits.max_body_bytes),
    };
    match try_targets(shared, &outgoing).await {
        Ok((guard, response)) => {
            let target = Arc::clone(guard.target());
            (answer(shared, guard, response, client_side), Some(target))
        }
        Err(None) => {
            let (mut response, target) =
                refuse(StatusCode::SERVICE_UNAVAILABLE, "no instance is deployed");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            (response, target)
        }
        Err(Some(failure)) => {
            let (status, message) = describe(&failure, shared.limits.response_timeout);
            refuse(status, &message)
        }
    }
}

fn describe(failure: &Failure, timeout: Duration) -> (StatusCode, String) {
    match failure {
        Failure::Connect(reason) => {
            (StatusCode::BAD_GATEWAY, format!("the instance cannot be reached: {reason}"))
        }
        Failure::Broken(reason) => (
            StatusCode::BAD_GATEWAY,
            format!("the instance broke off before it answered: {reason}"),
        ),
        Failure::Timeout => (
            StatusCode::GATEWAY_TIMEOUT,
            format!("the instance did not answer within {} s", timeout.as_secs()),
        ),
        Failure::TooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large".to_owned())
        }
    }
}

/// Offers the request to the current target, and once more where that is harmless.
async fn try_targets(
    shared: &Arc<Shared>,
    outgoing: &Outgoing,
) -> Result<(InFlight, Response<Answer>), Option<Failure>> {
    let guard = shared.routes.enter().ok_or(None)?;
    let failure = match send(shared, &guard, outgoing).await {
        Ok(response) => return Ok((guard, response)),
        Err(failure) => failure,
    };
    guard.target().failures.fetch_add(1, Ordering::Relaxed);
    let again = match &failure {
        Failure::Connect(_) => {
            shared.metrics.connect_failures.fetch_add(1, Ordering::Relaxed);
            // The health checks look at once instead of at their next turn.
            shared.routes.changed.notify_waiters();
            outgoing.body.is_untouched()
        }
        Failure::Broken(_) => {
            shared.routes.changed.notify_waiters();
            outgoing.repeatable
        }
        _ => false,
    };
    if !again {
        return Err(Some(failure));
    }
    let failed = Arc::clone(guard.target());
    drop(guard);
    // Either the route has changed already, or the standby is still warm; a repeatable request, and one
    // that found no connection, may also simply be sent again.
    let unsent = matches!(failure, Failure::Connect(_));
    let route = shared.routes.load();
    let other = match (&route.current, &route.standby) {
        (Some(current), _) if !Arc::ptr_eq(current, &failed) => shared.routes.enter(),
        (_, Some(standby)) => Some(standby.enter_standby()),
        (Some(_), None) if outgoing.repeatable || unsent => shared.routes.enter(),
        _ => None,
    };
    let Some(guard) = other else { return Err(Some(failure)) };
    shared.metrics.failovers.fetch_add(1, Ordering::Relaxed);
    match send(shared, &guard, outgoing).await {
        Ok(response) => Ok((guard, response)),
        Err(failure) => {
            guard.target().failures.fetch_add(1, Ordering::Relaxed);
            Err(Some(failure))
        }
    }
}

async fn send(
    shared: &Shared,
    guard: &InFlight,
    outgoing: &Outgoing,
) -> Result<Response<Answer>, Failure> {
    let target = guard.target();
    target.requests.fetch_add(1, Ordering::Relaxed);
    let mut request = Request::new(outgoing.body.clone());
    *request.method_mut() = outgoing.method.clone();
    *request.uri_mut() = Uri::from(outgoing.path_and_query.clone());
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = outgoing.headers.clone();
    let start = Instant::now();
    let sent = async {
        if outgoing.is_upgrade {
            return target.upstream.send_upgrade(request).await;
        }
        target.upstream.send(request).await
    };
    match tokio::time::timeout(shared.limits.response_timeout, sent).await {
        Ok(Ok(response)) => {
            target.answered(response.status().as_u16(), start.elapsed());
            Ok(response)
        }
        Ok(Err(_)) if outgoing.body.is_too_large() => Err(Failure::TooLarge),
        Ok(Err(SendError::Connect(reason))) => Err(Failure::Connect(reason)),
        Ok(Err(SendError::Broken(error))) => Err(Failure::Broken(innermost(&error))),
        Err(_elapsed) => Err(Failure::Timeout),
    }
}

/// The cause that says most.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The instance's answer, made fit for the client's connection.
fn answer(
    shared: &Arc<Shared>,
    guard: InFlight,
    mut response: Response<Answer>,
    client_side: Option<hyper::upgrade::OnUpgrade>,
) -> Response<ResponseBody> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let protocol = upgrade_wanted(response.headers());
        let instance_side = hyper::upgrade::on(&mut response);
        let (mut parts, _empty) = response.into_parts();
        strip_hop_by_hop(&mut parts.headers);
        if let Some(protocol) = protocol {
            set_upgrade(&mut parts.headers, protocol);
        }
        if let Some(client_side) = client_side {
            shared.metrics.upgrades.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(tunnel(guard, client_side, instance_side));
        }
        return Response::from_parts(parts, ResponseBody::Own(Full::new(Bytes::new())));
    }
    let (mut parts, answer) = response.into_parts();
    strip_hop_by_hop(&mut parts.headers);
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, ResponseBody::Passed { answer, in_flight: guard })
}

/// Copies bytes both ways until one side ends. The target counts it as in flight.
async fn tunnel(
    guard: InFlight,
    client: hyper::upgrade::OnUpgrade,
    instance: hyper::upgrade::OnUpgrade,
) {
    let (client, instance) = match tokio::try_join!(client, instance) {
        Ok(sides) => sides,
        Err(error) => {
            tracing::debug!(%error, "the change of protocol failed");
            return;
        }
    };
    let (mut client, mut instance) = (TokioIo::new(client), TokioIo::new(instance));
    // Either side may break off at any time; that is how such connections usually end.
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut instance).await {
        tracing::debug!(%error, "an upgraded connection broke off");
    }
    drop(guard);
}

/// An answer of the gateway itself.
fn own_answer(
    shared: &Shared,
    status: StatusCode,
    message: &str,
    id: &HeaderValue,
) -> Response<ResponseBody> {
    shared.metrics.own_errors.fetch_add(1, Ordering::Relaxed);
    let body = serde_json::json!({
        "error": message,
        "request_id": id.to_str().unwrap_or_default(),
    });
    let body = Bytes::from(body.to_string());
    let mut response = Response::new(ResponseBody::Own(Full::new(body.clone())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}
