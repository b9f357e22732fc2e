//! The monitor step: production data against reference data.

mod by_quantiles;
mod bytes;
mod comparison;
mod engine;
mod fail_on;
mod job;
mod last;
mod log;
mod over_time;
mod profile;
mod quality;
mod read_as;
mod record;
mod rules;
mod segments;
mod served;
mod settings;
mod settings_file;
mod settings_meaning;
mod settings_words;
mod source;
mod starter;
mod text_options;
mod windows;

pub use bytes::Bytes;
pub use comparison::Monitored;
pub use fail_on::FailOn;
pub use job::MonitorJob;
pub use last::{LastVerdict, last_verdict};
pub use over_time::{History, KeptWindow, OverTime, tried};
pub use profile::{Profiled, profile_of, write_profile};
pub use rules::MaxAge;
pub use settings::{COMPARISON_FLAGS, Settings};
pub use text_options::{Delimiter, ShortRows};
pub use trainyard_drift::WindowLength;

pub(crate) use log::{LogFilter, last as last_logged};
pub(crate) use served::wait_for_log;
