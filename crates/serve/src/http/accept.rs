//! Connections: the house's way to take them, with this server's limits and counts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;
use trainyard_net::{Arrival, Listener, Protocols};

use super::handle::handle;
use crate::server::Server;

/// Serves connections until `stop`, then lets requests in flight finish.
pub(crate) async fn serve(listener: Listener, server: Arc<Server>, stop: CancellationToken) {
    let limits = server.options.limits.connections();
    let service_of = |arrival: Arrival| {
        let connection = Arc::new(Connection::new(&server, arrival.is_crowded));
        move |request| {
            let connection = Arc::clone(&connection);
            async move { handle(&connection.server, connection.is_crowded, request).await }
        }
    };
    let open =
        trainyard_net::accept(listener, &limits, Protocols::Http1, service_of, stop.cancelled())
            .await;
    let limit = server.options.limits.drain_timeout;
    let left = open.finish(limit).await;
    if left > 0 {
        tracing::warn!(left, seconds = limit.as_secs_f64(), "connections did not end in time");
    }
}

/// A connection, counted as long as it is open.
#[derive(Debug)]
struct Connection {
    server: Arc<Server>,
    is_crowded: bool,
}

impl Connection {
    fn new(server: &Arc<Server>, is_crowded: bool) -> Self {
        server.metrics.connections.fetch_add(1, Ordering::Relaxed);
        Self { server: Arc::clone(server), is_crowded }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.server.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
