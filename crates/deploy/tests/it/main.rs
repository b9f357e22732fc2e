//! Deployments with real processes and real sockets.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod client;
mod crash;
mod failures;
mod gateway;
mod releases;
mod stage;
