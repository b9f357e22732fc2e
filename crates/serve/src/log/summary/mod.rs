//! Summaries of a prediction log, which stay when its rows are removed: an hour or day and version each, small and mergeable.

mod all;
mod building;
mod days;
mod disclosure;
mod file;
mod gather;
mod hour;
mod keeper;
mod part;
mod removal;
mod sketch;

pub use all::LogSummaries;
pub use file::LogSummary;
pub(super) use keeper::{Covered, Summariser};
