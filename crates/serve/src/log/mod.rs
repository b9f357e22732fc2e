//! The prediction log: what was asked and answered, as Parquet segments.

mod age_clock;
mod entry;
mod failure;
mod journal;
mod lock;
mod logged;
mod prediction_log;
mod reading;
mod recovery;
mod retention;
mod segment;
mod summary;
mod upload;
mod writer;

pub(crate) use entry::Entry;
pub(crate) use logged::Logged;
pub(crate) use prediction_log::PredictionLog;
pub use reading::LogReading;
pub use segment::logged;
pub use summary::{LogSummaries, LogSummary};
