//! Deployments with real processes and real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod acme;
#[path = "../../examples/part/alias_file.rs"]
mod alias_file;
mod bake;
mod canary;
mod client;
mod crash;
mod crowd;
mod disk;
mod docker;
mod door;
mod encrypted;
mod failures;
mod faults;
mod gateway;
mod kept_up;
mod operating;
mod paths;
mod registry;
mod releases;
mod replicas;
mod rollbacks;
mod shadow;
mod silence;
mod smuggling;
mod stage;
mod status;
mod swarm;
mod transaction;
mod yard;
