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
mod logs;
mod probe;
mod release;
mod replica_id;
mod runtime;
mod service;
mod state;
mod status;
mod stop;
pub mod tokens;
mod workload;

pub use deployment::Progress;
pub use environment::service_environment;
pub use error::{Dropped, Error, Result, Unhealthy};
pub use gateway::control::GatewayStatus;
pub use gateway_process::{is_reload_due, metrics, reload, set_mode, upgrade};
pub use instance_token::InstanceToken;
pub use logs::{LogLine, LogOf, LogOptions, logs};
pub use probe::Probe;
pub use release::{
    BakeLimits, CanaryStep, Cause, Condition, GoneBack, Ills, Keeper, Kind, NoStep, Post, Refusal,
    ReleaseEvent, ReleaseSpec, Released, Review, Revived, Rollback, Share, Side, Sides, Standing,
    Unreviewed, release, returns_to, rollback, settle, should_serve, spec_at, tidy, was_stopped,
};
pub use replica_id::REPLICAS_MAX;
pub use service::Service;
pub use state::history::{HistoryEntry, Outcome, history};
pub use state::lock::Holder;
pub use state::restarts::Restarts;
pub use state::supervisor::{
    HEARTBEAT, Supervision, SupervisorSeen, end_supervisor, log_line, supervisor,
};
pub use status::{
    CertificateSeen, Health, InstanceReport, Role, ServiceStatus, Serving, State, Wanted,
    served_last, serving, status,
};
pub use stop::stop;
pub use workload::{
    BindMount, ContainerSpec, Network, ProcessSpec, Pull, RuntimeKind, SwarmSpec, Workload,
};
