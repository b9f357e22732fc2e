//! Connections: what each may take is the net room's; here are what is served on them, what is answered
//! when there are too many, and an orderly end.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Request, StatusCode, header};
use tower::ServiceExt as _;
use trainyard_net::{Arrival, Listener, Paced, Protocols};

use super::options::ServerOptions;
use super::slashes::mend;
use crate::metrics::METRICS;

/// The other side of a request's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves `app` on every connection until `shutdown` completes; until it is there, those who ask are told to wait.
/// Connections beyond the limits are only answered for `probes`.
pub(super) async fn accept(
    listener: Listener,
    app: Arc<OnceLock<Router>>,
    probes: [String; 3],
    options: &ServerOptions,
    shutdown: impl Future<Output = ()> + Send,
) {
    let probes = Arc::new(probes);
    let service_of = |arrival: Arrival| {
        let (app, probes) = (Arc::clone(&app), Arc::clone(&probes));
        let counted = Arc::new(Counted::new());
        move |mut request: Request<Paced>| {
            mend(&mut request);
            let app = app.get().cloned();
            let counted = Arc::clone(&counted);
            let has_room = !arrival.is_crowded
                || probes.iter().any(|probe| probe.as_str() == request.uri().path());
            request.extensions_mut().insert(Peer(arrival.peer));
            async move {
                let answer = match app {
                    _ if !has_room => crowded(),
                    Some(app) => answer(app, request).await,
                    None => not_yet(request.uri().path()),
                };
                drop(counted);
                answer
            }
        }
    };
    let limits = &options.connections;
    let open = trainyard_net::accept(listener, limits, Protocols::Both, service_of, shutdown).await;
    let left = open.finish(options.shutdown_grace).await;
    if left > 0 {
        tracing::warn!(
            left,
            grace = ?options.shutdown_grace,
            "some requests did not finish before the server stopped"
        );
    }
}

async fn answer(app: Router, request: Request<Paced>) -> Response {
    match app.oneshot(request.map(Body::new)).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// What those are told for whom there is no room. Clients try it again.
fn crowded() -> Response {
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("close")),
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
    ];
    let message = "too many connections are open, in all or from this address; try again\n";
    (StatusCode::SERVICE_UNAVAILABLE, headers, message).into_response()
}

/// What is answered before there is a database: the process lives, and is not ready. Clients try it again.
fn not_yet(path: &str) -> Response {
    if path.ends_with("/livez") {
        return "OK".into_response();
    }
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::RETRY_AFTER, "1")];
    let message = "{\"error_code\":\"TEMPORARILY_UNAVAILABLE\",\"message\":\"the server waits for its \
                   tracking database; try again\"}";
    (StatusCode::SERVICE_UNAVAILABLE, headers, message).into_response()
}

/// Counts a connection as long as it is there.
struct Counted;

impl Counted {
    fn new() -> Self {
        METRICS.connections.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        METRICS.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
