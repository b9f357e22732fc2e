//! The gateway: holds the listening address across deployments and passes requests to the current
//! instance. It is a process of its own, so that neither a deployer nor an instance takes it down.

mod access_log;
pub(crate) mod control;
mod drain;
mod error_response;
mod failover;
mod failure;
mod handover;
mod headers;
mod judge;
mod listeners;
mod log_rotation;
mod metrics;
mod options;
mod paths;
mod pause;
mod process;
mod proxy;
mod record;
mod request_body;
mod response_body;
mod route;
mod shared;
mod smuggling;
mod target;
mod trial;
mod upstream;

pub(crate) use headers::REQUEST_ID;
pub use options::{GatewayOptions, Limits};
pub use paths::check_rule;
pub use pause::Mode;
pub use process::run;
pub use route::{RouteState, WentBack};
#[cfg(fuzzing)]
pub use smuggling::passes_on;
pub use target::TargetSpec;
