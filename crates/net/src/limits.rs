//! What connections may take.

use std::time::Duration;

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/1.0 and 1.1.
    Http1,
    /// HTTP/1.x and HTTP/2 with prior knowledge, told apart by the first bytes; and upgrades.
    Both,
}

/// What connections may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at a time; further ones are only asked for probes.
    pub connections_max: usize,
    /// Connections of one address (one /64 of IPv6) at a time. A proxy in front is one address.
    pub per_address_max: usize,
    /// How long a connection may say nothing: before its first request, between requests, while a head
    /// comes, and while an answer is not read.
    pub idle: Duration,
    /// Whether, when all places are taken, whoever has been silent for longest makes room.
    pub silent_give_way: bool,
    /// Bytes of a request's head, and of the buffer of a connection.
    pub head_bytes_max: usize,
    /// Whether heads are refused that the parser would mend: for servers with other programs behind them.
    pub is_strict: bool,
    /// Header lines of a request.
    pub headers_max: usize,
    /// A body may take [`Limits::body_grace`] and, beyond that, a second for so many bytes.
    pub body_rate_min: u64,
    /// How long a body may take however small it is.
    pub body_grace: Duration,
}

impl Limits {
    /// Limits for so many connections, of which one address may have half.
    pub fn new(connections_max: usize) -> Self {
        let connections_max = connections_max.max(1);
        Self {
            connections_max,
            per_address_max: connections_max.div_ceil(2),
            idle: Duration::from_mins(1),
            silent_give_way: false,
            // Names, a token, a cookie and what proxies add; other servers stop at 8 to 64 KiB.
            head_bytes_max: 64 << 10,
            is_strict: false,
            headers_max: 128,
            // A telephone line of the nineties had four times as much.
            body_rate_min: 1 << 10,
            body_grace: Duration::from_secs(15),
        }
    }
}
