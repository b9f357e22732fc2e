//! What happens around every request: identity, the security checks, headers, log and metrics.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use trainyard_base::Budget;
use trainyard_mlflow::{Error, Result};
use uuid::Uuid;

use super::actor::{Actor, acting_as};
use super::allowed_hosts::AllowedHosts;
use super::connections::Peer;
use super::cors::{Cors, plain};
use super::options::{Authorize, ServerOptions};
use super::request_origin::request_origin;
use super::{acting_body, answer_memory, live, workspace};
use crate::metrics::METRICS;

/// Names one request, in answers and logs. A client's own is kept.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id taken from a client.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The checks of one server.
pub(super) struct Guard {
    /// None when the checks are turned off.
    hosts: Option<AllowedHosts>,
    cors: Option<Cors>,
    frame_options: Option<HeaderValue>,
    authorize: Option<Arc<dyn Authorize>>,
    /// Prometheus asks by a service's name, and what it is told is no secret of anybody's.
    metrics_path: String,
    /// Those below the prefix that load balancers ask by address.
    open_paths: [String; 3],
    memory: Arc<Budget>,
}

impl Guard {
    pub(super) fn new(options: &ServerOptions, prefix: &str, loopback: bool) -> Result<Self> {
        let hosts = match &options.allowed_hosts {
            Some(listed) => AllowedHosts::Listed(listed.clone()),
            None => AllowedHosts::Private,
        };
        let frame_options = options
            .x_frame_options
            .as_deref()
            .filter(|value| !value.eq_ignore_ascii_case("none"))
            .map(|value| {
                HeaderValue::from_str(&value.to_ascii_uppercase()).map_err(|_not_a_header| {
                    Error::invalid(format!("X-Frame-Options cannot be {value:?}"))
                })
            })
            .transpose()?;
        Ok(Self {
            hosts: (!options.disable_security).then_some(hosts),
            cors: (!options.disable_security)
                .then(|| Cors::new(&options.cors_allowed_origins, loopback)),
            frame_options: frame_options.filter(|_| !options.disable_security),
            authorize: options.authorize.clone(),
            metrics_path: format!("{prefix}/metrics"),
            open_paths: probes(prefix),
            memory: Arc::clone(&options.memory),
        })
    }

    /// The answer of a check that does not let the request pass, or the request.
    async fn check(&self, request: Request) -> std::result::Result<Request, Box<Response>> {
        let open = self.open_paths.iter().any(|path| path == request.uri().path());
        if open {
            return Ok(request);
        }
        if let Some(hosts) = &self.hosts
            && self.metrics_path != request.uri().path()
        {
            let host = host_of(&request);
            if !hosts.allows(host) {
                tracing::warn!(host, "rejected a request with an invalid Host header");
                return Err(Box::new(plain(
                    StatusCode::FORBIDDEN,
                    "Invalid Host header - possible DNS rebinding attack detected. The names by which this server is \
                     asked are to be listed by its --allowed-hosts (MLFLOW_SERVER_ALLOWED_HOSTS)\n",
                )));
            }
        }
        let blocked =
            self.cors.as_ref().and_then(|cors| cors.intercept(request.method(), request.headers()));
        if let Some(answer) = blocked {
            return Err(Box::new(answer));
        }
        let (mut parts, body) = request.into_parts();
        if let Some(answer) = workspace::refused(&parts) {
            return Err(Box::new(answer));
        }
        let actor = match &self.authorize {
            Some(authorize) => authorize.check(&parts).await?,
            None => Actor::anonymous(),
        };
        if let Some(checked) = live::checked(&parts) {
            parts.extensions.insert(checked);
        }
        parts.extensions.insert(actor);
        Ok(Request::from_parts(parts, body))
    }

    fn add_headers(&self, origin: Option<&HeaderValue>, host: &str, headers: &mut HeaderMap) {
        if self.hosts.is_some() {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        if let Some(value) = &self.frame_options {
            headers.insert(header::X_FRAME_OPTIONS, value.clone());
        }
        if let (Some(cors), Some(origin)) = (&self.cors, origin) {
            cors.annotate(origin, host, headers);
        }
    }
}

/// What load balancers ask, by address and without signing in: paths below the prefix.
pub(super) fn probes(prefix: &str) -> [String; 3] {
    ["health", "livez", "version"].map(|name| format!("{prefix}/{name}"))
}

/// The middleware.
pub(super) async fn watch(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let id = request_id(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let host = if origin.is_some() { host_of(&request).to_owned() } else { String::new() };

    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
    let is_read = reads(&method, &path);

    // Who signs in by this request changes something, too.
    let unknown = request_origin(&request, id.clone());
    let response = match unknown.scope(guard.check(request)).await {
        Ok(request) => {
            // Probes have no sender.
            let actor = request.extensions().get::<Actor>().cloned();
            let actor = actor.unwrap_or_else(Actor::anonymous);
            let origin = request_origin(&request, id.clone());
            let answer = origin.scope(next.run(request));
            let answer = acting_as(actor.clone(), answer).await;
            acting_body::made_for(actor, answer)
        }
        Err(answer) => *answer,
    };
    let mut response = answer_memory::hold(&guard.memory, response, is_read);

    guard.add_headers(origin.as_ref(), &host, response.headers_mut());
    response.headers_mut().insert(REQUEST_ID, id.clone());
    let elapsed = start.elapsed();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    METRICS.answered(&method, route, response.status(), elapsed);
    tracing::info!(
        target: "trainyard_tracking::http",
        %method,
        path,
        status = response.status().as_u16(),
        ms = elapsed.as_secs_f64() * 1000.0,
        request_id = id.to_str().unwrap_or_default(),
        peer,
        "request"
    );
    response
}

/// Whether a request changes nothing: searches are posted.
fn reads(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        || ["/search", "/count", "/graphql"].iter().any(|end| path.ends_with(end))
}

/// HTTP/1 has the address in `Host`, HTTP/2 in the URI.
fn host_of(request: &Request) -> &str {
    let header = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    header
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .unwrap_or_default()
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(&REQUEST_ID).filter(|value| {
        value.len() <= REQUEST_ID_BYTES_MAX
            && !value.is_empty()
            && value.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        let mut buffer = Uuid::encode_buffer();
        let id = Uuid::new_v4().simple().encode_lower(&mut buffer);
        HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("unknown"))
    })
}
