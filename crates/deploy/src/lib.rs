//! Blue/green deployment: runtimes, the gateway, the release state machine.
//!
//! A [`Service`] has one address, held by its [`gateway`], a process of its own. [`release`] starts the
//! new instance (green) beside the serving one (blue), waits until it is healthy and has answered a real
//! prediction, switches the gateway atomically, keeps blue warm while it finishes its requests and green
//! proves itself, and stops blue last. If green dies while blue is warm, the gateway goes back by itself.
//! A deployer may be killed at any step: the next one finds out from the gateway where traffic goes and
//! removes everything else.
//!
//! What an instance runs is its [`Workload`]: a plain process, or a container of a Docker Engine.

#![expect(unexpected_cfgs, reason = "`cargo xtask fuzz` sets `fuzzing`")]

mod clock;
mod deployment;
mod environment;
mod error;
mod exchange;
pub mod gateway;
mod gateway_process;
mod instance_token;
mod probe;
mod release;
mod runtime;
mod service;
mod state;
mod status;
mod stop;
mod workload;

pub use deployment::Progress;
pub use environment::service_environment;
pub use error::{Dropped, Error, Result, Unhealthy};
pub use gateway::control::GatewayStatus;
pub use gateway_process::{metrics, set_mode, upgrade};
pub use instance_token::InstanceToken;
pub use probe::Probe;
pub use release::{
    BakeLimits, CanaryStep, Cause, GoneBack, Kind, NoStep, Refusal, ReleaseEvent, ReleaseSpec,
    Released, Review, Rollback, Share, Side, Sides, Unreviewed, release, rollback, settle, spec_at,
};
pub use service::Service;
pub use state::history::{HistoryEntry, Outcome, history};
pub use state::lock::Holder;
pub use status::{
    Health, InstanceReport, Role, ServiceStatus, Serving, logs, served_last, serving, status,
};
pub use stop::stop;
pub use workload::{BindMount, ContainerSpec, Network, ProcessSpec, Pull, RuntimeKind, Workload};
