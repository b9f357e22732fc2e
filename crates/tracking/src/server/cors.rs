//! Pages of other origins: which may call the API, and what their browsers are told.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::allowed_hosts::{glob, is_local_host, is_local_origin, is_own_origin};

const METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS, PATCH";
/// Seconds a browser may remember a preflight, as upstream's library answers.
const MAX_AGE: &str = "600";

/// The rules for foreign pages.
#[derive(Debug, Clone)]
pub(super) struct Cors {
    allowed: Vec<String>,
    /// `*` is listed: everyone may call, nobody with credentials.
    anyone: bool,
    /// Only this machine reaches the server.
    loopback: bool,
}

impl Cors {
    pub(super) fn new(allowed: &[String], loopback: bool) -> Self {
        let anyone = allowed.iter().any(|origin| origin == "*");
        Self { allowed: allowed.to_vec(), anyone, loopback }
    }

    fn allows(&self, origin: &str, host: &str) -> bool {
        self.anyone
            // Of a server that others reach, "localhost" is the machine of whoever asks: what runs
            // there must not act with what their browser keeps for this server.
            || (self.loopback && is_local_host(host) && is_local_origin(origin))
            || is_own_origin(origin, host)
            || self.allowed.iter().any(|allowed| glob(allowed, origin))
    }

    /// The answer to a preflight, or to a change that a foreign page asks for.
    pub(super) fn intercept(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let origin = text(headers, &header::ORIGIN)?;
        let host = text(headers, &header::HOST).unwrap_or_default();
        let allowed = self.allows(origin, host);
        if *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return Some(if allowed { Self::preflight(headers) } else { refused_preflight() });
        }
        let changes =
            matches!(*method, Method::POST | Method::PUT | Method::DELETE | Method::PATCH);
        (changes && !allowed).then(|| {
            tracing::warn!(origin, "blocked a cross-origin request");
            plain(StatusCode::FORBIDDEN, "Cross-origin request blocked")
        })
    }

    /// Tells the browser of an allowed page that it may hand over the answer.
    pub(super) fn annotate(&self, origin: &HeaderValue, host: &str, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if !self.allows(origin.to_str().unwrap_or_default(), host) {
            return;
        }
        if self.anyone {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    }

    fn preflight(headers: &HeaderMap) -> Response {
        // 204 and the common headers; the origin is added like to every answer.
        let mut response = StatusCode::NO_CONTENT.into_response();
        let answer = response.headers_mut();
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        if let Some(asked) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        response
    }
}

fn refused_preflight() -> Response {
    let mut response = plain(StatusCode::BAD_REQUEST, "Disallowed CORS origin");
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A short answer in words.
pub(super) fn plain(status: StatusCode, words: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain")], words).into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
