//! Blue/green deployment: runtimes, the gateway, the release state machine.
//!
//! A [`Service`] has one address, held by its [`gateway`], a process of its own. [`release`] starts the
//! new instance (green) beside the serving one (blue), waits until it is healthy and has answered a real
//! prediction, switches the gateway atomically, keeps blue warm while it finishes its requests and green
//! proves itself, and stops blue last. If green dies while blue is warm, the gateway goes back by itself.
//! A deployer may be killed at any step: the next one finds out from the gateway where traffic goes and
//! removes everything else.
//!
//! Where instances run is behind [`Runtime`]: plain processes are [`ProcessRuntime`], containers
//! [`DockerRuntime`]. A release says which by having a [`ContainerSpec`] or none.

mod bake;
mod control;
mod deployment;
mod error;
mod event;
pub mod gateway;
mod layout;
mod lock;
mod manage;
mod probe;
mod release;
pub mod runtime;
mod spec;
mod verify;

pub use control::GatewayStatus;
pub use deployment::Progress;
pub use error::{Error, Result, Unhealthy};
pub use event::{HistoryEntry, Outcome, ReleaseEvent};
pub use lock::Holder;
pub use manage::{
    Health, InstanceReport, Role, ServiceStatus, history, logs, metrics, rollback, set_mode,
    status, stop, upgrade,
};
pub use release::{Released, release, release_on};
pub use runtime::docker::DockerRuntime;
pub use runtime::process::ProcessRuntime;
pub use runtime::{
    HealthVerdict, Instance, InstanceSpec, InstanceStatus, Runtime, RuntimeHealth, RuntimeKind,
};
pub use spec::{BakeLimits, BindMount, ContainerSpec, Network, Probe, Pull, ReleaseSpec, Service};
