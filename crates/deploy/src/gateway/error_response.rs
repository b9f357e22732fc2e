//! Answers of the gateway itself.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::failure::Failure;
use super::pause::Closed;
use super::response_body::ResponseBody;
use super::shared::Shared;

/// Why there is no instance's answer.
pub(super) fn failed(
    shared: &Shared,
    failure: &Failure,
    id: &HeaderValue,
) -> Response<ResponseBody> {
    if let Some(reason) = failure.reason() {
        tracing::info!(request_id = ?id, reason, "{}", failure.message());
    }
    let mut response = answer(shared, failure.status(), &failure.message(), id);
    if let Some(seconds) = failure.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        // RFC 6750: how to say who one is.
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The answer to a request that does not come in.
pub(super) fn turned_away(
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
    let mut response = answer(shared, StatusCode::SERVICE_UNAVAILABLE, &message, id);
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

fn answer(
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
