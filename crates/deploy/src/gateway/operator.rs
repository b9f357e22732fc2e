//! A listener of its own for operators: all paths of the instance, for whoever may reach it.

use std::net::SocketAddr;
use std::sync::Arc;

use trainyard_net::Protocols;

use super::proxy::{self, Client, Way};
use super::{Shared, socket};

/// Connections at a time: people and their tools, not clients.
const CONNECTIONS: usize = 64;

/// Serves until the gateway ends.
pub(super) async fn serve(address: SocketAddr, shared: Arc<Shared>) {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "operators' paths are open to whoever reaches this address");
    }
    let listener = socket::bind_patiently(address, "operators' paths").await;
    let mut limits = shared.limits.of_clients();
    limits.connections_max = CONNECTIONS;
    limits.per_address_max = CONNECTIONS;
    let service = |arrival| {
        let client = Client::new(&shared, Way::Operator, arrival);
        move |request| proxy::handle(Arc::clone(&client), request)
    };
    let never = std::future::pending();
    trainyard_net::accept(listener, &limits, Protocols::Both, service, never).await;
}
