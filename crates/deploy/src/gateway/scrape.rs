//! `/metrics` on an address of its own, for Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use trainyard_base::prometheus;
use trainyard_net::{Limits, Paced, Protocols};

use super::{Shared, admin, socket};

/// Scrapers at a time.
const CONNECTIONS: usize = 32;

/// Serves until the gateway ends.
pub(super) async fn serve(address: SocketAddr, shared: Arc<Shared>) {
    let listener = socket::bind_patiently(address, "metrics").await;
    let mut limits = Limits::new(CONNECTIONS);
    limits.per_address_max = CONNECTIONS;
    let service = |_arrival| {
        let shared = Arc::clone(&shared);
        move |request: Request<Paced>| std::future::ready(answer(&shared, &request))
    };
    let never = std::future::pending();
    trainyard_net::accept(listener, &limits, Protocols::Http1, service, never).await;
}

fn answer(shared: &Shared, request: &Request<Paced>) -> Response<Full<Bytes>> {
    let (status, text) = match request.uri().path() {
        "/metrics" => (StatusCode::OK, admin::metrics(shared)),
        _ => (StatusCode::NOT_FOUND, "nothing is here, try /metrics".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(prometheus::MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
