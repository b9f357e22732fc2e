//! Summaries of a prediction log, which stay when its rows are removed: an hour or day and version each, small and mergeable.

mod all;
mod building;
mod covered;
mod days;
mod disclosure;
mod file;
mod gather;
mod hour;
mod keeper;
mod part;
mod removal;
mod sketch;
mod summariser;
#[cfg(test)]
mod testing;

pub use all::LogSummaries;
pub(super) use covered::Covered;
pub use file::LogSummary;
pub(super) use summariser::Summariser;
