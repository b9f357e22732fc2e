//! Summaries of a prediction log, which stay when its rows are removed: an hour and version each, small and mergeable.

mod building;
mod file;
mod gather;
mod keeper;
mod part;
mod sketch;

pub use file::LogSummary;
pub(super) use keeper::{Covered, Summariser};
