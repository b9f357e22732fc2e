//! Whether what is written to an SQLite file is kept.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::place::Place;
use crate::error::{Error, Result};

/// Where the file is, and how its last commit went.
#[derive(Debug)]
pub(super) struct Condition {
    place: Mutex<Place>,
    /// Why the last commit failed, if it did.
    failure: Mutex<Option<Error>>,
    /// Why nothing is written any more.
    end: OnceLock<Error>,
}

impl Condition {
    /// Of a file that was just opened.
    pub(super) fn of(named: &Path, file: &Path) -> Result<Self> {
        let place = Mutex::new(Place::of(named, file)?);
        Ok(Self { place, failure: Mutex::new(None), end: OnceLock::new() })
    }

    /// Where the file is.
    pub(super) fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses when the file is gone, or the last commit failed.
    pub(super) fn check(&self) -> Result<()> {
        self.check_place()?;
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map_or(Ok(()), |error| Err(copy(error)))
    }

    /// Refuses when the file is gone, or nothing is written any more.
    pub(super) fn check_place(&self) -> Result<()> {
        self.check_end()?;
        self.place().check()
    }

    /// Refuses a write when it would not be kept.
    pub(super) fn check_writing(&self) -> Result<()> {
        self.check_end()?;
        self.place().check_writing()
    }

    /// Ends all writing: what was written last is not on the disk, and nobody can say of what follows that it is
    /// before the log is read anew.
    pub(super) fn give_up(&self, cause: &Error) {
        // The first cause is the one that counts.
        let _known = self.end.set(copy(cause));
    }

    /// Refuses when nothing is written any more.
    pub(super) fn check_end(&self) -> Result<()> {
        self.end.get().map_or(Ok(()), |error| Err(copy(error)))
    }

    /// Remembers how a commit went. That somebody else writes for long is not this file's condition.
    pub(super) fn note(&self, failure: Option<&Error>) {
        let failure = failure.filter(|error| !matches!(error, Error::Busy));
        if let Some(error) = failure {
            tracing::error!(%error, "a change to the tracking store could not be committed");
            if matches!(error, Error::NotKept { .. }) {
                self.give_up(error);
            }
        }
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure.map(copy);
    }
}

/// The same failure for another caller.
pub(super) fn copy(error: &Error) -> Error {
    match error {
        Error::Busy => Error::Busy,
        Error::Full => Error::Full,
        Error::Moved => Error::Moved,
        Error::ReadOnly => Error::ReadOnly,
        Error::NotKept { reason } => Error::NotKept { reason: reason.clone() },
        other => Error::database(other.to_string()),
    }
}
