//! The monitor step: production data against reference data.

mod bytes;
mod comparison;
mod fail_on;
mod job;
mod log;
mod profile;
mod record;
mod remote;
mod segments;
mod served;
mod settings;
mod source;
mod starter;

pub use bytes::Bytes;
pub use comparison::Monitored;
pub use fail_on::FailOn;
pub use job::MonitorJob;
pub use profile::{profile_of, write_profile};
pub use settings::{COMPARISON_FLAGS, Settings};

pub(crate) use log::LogFilter;
pub(crate) use served::wait_for_log;
