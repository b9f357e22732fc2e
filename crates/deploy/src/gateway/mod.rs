//! The gateway: holds the listening address across deployments and passes requests to the current
//! instance. It is a process of its own, so that neither a deployer nor an instance takes it down.

mod access_log;
mod balance;
mod budget;
mod candidate;
mod comparison;
pub(crate) mod control;
mod copies;
mod drain;
mod error_response;
mod evidence;
mod failover;
mod failure;
mod handover;
mod headers;
mod health;
mod judge;
mod listeners;
mod log_rotation;
mod metrics;
mod mirror;
mod options;
mod paths;
mod pause;
mod predictions;
mod process;
mod proxy;
mod random;
mod record;
mod replica;
mod request_body;
mod response_body;
mod route;
mod route_table;
mod shared;
mod smuggling;
mod split;
mod tap;
mod target;
mod trial;
mod tryout;
mod upstream;

pub use candidate::{CandidateState, Gets, SideSeen, StepSeen};
pub(crate) use headers::REQUEST_ID;
pub use mirror::CopiesSeen;
pub use options::{GatewayOptions, Limits};
pub use paths::check_rule;
pub use pause::Mode;
pub use process::run;
pub use route::{RouteState, WentBack};
#[cfg(fuzzing)]
pub use smuggling::passes_on;
pub use split::check_header;
pub use target::TargetSpec;
pub(crate) use tryout::ABANDONED;
