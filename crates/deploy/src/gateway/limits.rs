//! What clients of a gateway may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trainyard_net::descriptors;

/// Descriptors that a connection of a client takes: its own, and one to the instance.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;

/// What clients may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Connections at a time, as far as there are descriptors for them; on further ones only the health
    /// of the service is answered.
    pub max_connections: usize,
    /// Connections of one address at a time; half of all if none. A proxy in front is one address.
    pub max_per_address: Option<usize>,
    /// Bytes of a request's head, and of the buffer of a connection.
    pub max_header_bytes: usize,
    /// Header lines of a request.
    pub max_headers: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: u64,
    /// How long a client may say nothing: before a request, within its head, or while an answer waits to
    /// be read.
    pub idle_timeout: Duration,
    /// How long connecting to an instance may take.
    pub connect_timeout: Duration,
    /// How long an instance may take to begin its answer once it has the whole request.
    pub response_timeout: Duration,
    /// How long requests may take to finish when the gateway ends.
    pub shutdown_limit: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 8192,
            max_per_address: None,
            max_header_bytes: 64 << 10,
            max_headers: 128,
            max_body_bytes: 256 << 20,
            idle_timeout: Duration::from_mins(1),
            // The kernel sends a lost or unwelcome first packet again after 1, 3 and 7 s. An instance that
            // is not there refuses at once, so patience costs only where it helps.
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_mins(2),
            shutdown_limit: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// What the descriptors of this process allow of them.
    pub(super) fn possible(mut self) -> Self {
        self.max_connections =
            descriptors::connections(self.max_connections, DESCRIPTORS_PER_CONNECTION);
        self
    }

    /// What connections of clients may take.
    pub(super) fn of_clients(&self) -> trainyard_net::Limits {
        let mut limits = trainyard_net::Limits::new(self.max_connections);
        if let Some(max) = self.max_per_address {
            limits.per_address_max = max;
        }
        limits.idle = self.idle_timeout;
        limits.head_bytes_max = self.max_header_bytes;
        limits.headers_max = self.max_headers;
        limits.is_strict = true;
        // Between a crowd that says nothing and a client that asks, the client is served.
        limits.silent_give_way = true;
        limits
    }
}
