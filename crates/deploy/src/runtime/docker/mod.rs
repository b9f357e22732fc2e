//! Instances as containers of a Docker Engine.
//!
//! An instance answers at an address that stays the same when its container is started again: one of the
//! service's own network, a port that the program takes itself on the host's, or a port of the loopback
//! that is published from a network of somebody else's.
//! Labels on container and network are how they are found again, whoever created them and however far
//! that got.

mod auth;
mod container;
mod create;
mod engine;
mod follow;
mod image;
mod labels;
mod network;
mod output;
mod runtime;
mod swarm;
mod vitals;

pub(super) use runtime::DockerRuntime;
pub(super) use swarm::SwarmRuntime;
