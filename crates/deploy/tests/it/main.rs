//! Deployments with real processes and real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod client;
mod crash;
mod disk;
mod docker;
mod failures;
mod gateway;
mod operating;
mod registry;
mod releases;
mod stage;
mod yard;
