//! Where instances run. A runtime starts, watches and stops them and finds them again by label; what
//! a release does with them is the same for every runtime.

mod addresses;
mod dispatch;
mod docker;
mod instance;
mod oom;
mod process;
mod procfs;
mod replicas;

pub(crate) use dispatch::Runtimes;
pub(crate) use instance::{HealthVerdict, Instance, InstanceSpec, InstanceStatus, Vitals};
pub(crate) use oom::OomWatch;
pub(crate) use procfs::{has_argument, is_stopped, runs, started};
pub(crate) use replicas::Replicas;
