//! The gateway's other listeners: `/metrics` for Prometheus, and all paths of the instance for operators.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use trainyard_base::prometheus;
use trainyard_net::{Limits, Paced, Protocols};

use super::paths::Audience;
use super::proxy::{self, Client};
use super::shared::Shared;

/// Scrapers at a time.
const SCRAPERS_MAX: usize = 32;

/// Connections of operators at a time: people and their tools, not clients.
const OPERATORS_MAX: usize = 64;

/// How often an address that a predecessor still has is tried.
const RETRY: Duration = Duration::from_millis(250);

/// Answers `/metrics` until the gateway ends.
pub(super) async fn metrics(address: SocketAddr, shared: Arc<Shared>) {
    let listener = bind_patiently(address, "metrics").await;
    let mut limits = Limits::new(SCRAPERS_MAX);
    limits.per_address_max = SCRAPERS_MAX;
    let service = |_arrival| {
        let shared = Arc::clone(&shared);
        move |request: Request<Paced>| std::future::ready(page(&shared, &request))
    };
    let never = std::future::pending();
    trainyard_net::accept(listener, &limits, Protocols::Http1, service, never).await;
}

/// Passes all paths of the instance on, for whoever may reach the address, until the gateway ends.
pub(super) async fn operators(address: SocketAddr, shared: Arc<Shared>) {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "operators' paths are open to whoever reaches this address");
    }
    let listener = bind_patiently(address, "operators' paths").await;
    let mut limits = shared.limits.of_clients();
    limits.connections_max = OPERATORS_MAX;
    limits.per_address_max = OPERATORS_MAX;
    let service = |arrival| {
        let client = Client::new(&shared, Audience::Operators, arrival);
        move |request| proxy::handle(Arc::clone(&client), request)
    };
    let never = std::future::pending();
    trainyard_net::accept(listener, &limits, Protocols::Both, service, never).await;
}

fn page(shared: &Shared, request: &Request<Paced>) -> Response<Full<Bytes>> {
    let (status, text) = match request.uri().path() {
        "/metrics" => (StatusCode::OK, shared.metrics_page()),
        _ => (StatusCode::NOT_FOUND, "nothing is here, try /metrics".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(prometheus::MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Listens on an address that a predecessor may still have, as soon as it is free.
async fn bind_patiently(address: SocketAddr, what: &str) -> TcpListener {
    let mut is_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if !is_told => {
                tracing::warn!(%address, %error, "no {what} there yet");
                is_told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}
