//! An experiment on its way into the database, which its runs and models follow.

use super::file_store::ExperimentFolder;
use super::locations::Moved;

/// Runs and models that are brought over at a time: their changes are committed together.
pub(super) const AT_A_TIME: usize = 8;
/// Values of a metric in one change.
pub(super) const VALUES_AT_A_TIME: usize = 5_000;
/// An experiment on its way.
pub(super) struct Travelling {
    pub(super) folder: ExperimentFolder,
    /// Its number in the database.
    pub(super) id: i64,
    pub(super) moved: Moved,
}
