//! Instances as services of a Docker Swarm: the same containers, on whichever host has room for them.
//!
//! An instance is a service with one task, so that the gateway sees, balances and judges each of them, and Swarm alone
//! decides where it runs and brings it back when it ends or its node leaves. It answers at a port of the node that its
//! task is on: the same one wherever that is, and the address of the node changes only when the task moves.
//!
//! Names and labels carry the id of the deployment, not its folder alone: two machines that deploy to one swarm may have
//! the same folder.

mod judge;
mod network;
mod node;
mod owner;
mod ports;
mod runtime;
mod secrets;
mod service;
mod spec;
mod task;
mod volume;

pub(in crate::runtime) use runtime::SwarmRuntime;
