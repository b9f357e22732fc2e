//! Connections as strangers make them, over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must say where"
)]

mod bodies;
mod crowd;
mod handshake;
mod silence;
mod support;
