//! Whether what is written to an SQLite file is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::error::{Error, Result};
use crate::metrics::{StoreState, Watched};

/// A disk that takes nothing for so long is said to hang: a slow one takes a write within a second or two.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Where the file is, how its last commit went, and since when its disk is waited for.
#[derive(Debug)]
pub(super) struct Condition {
    place: Mutex<Place>,
    /// Why the last commit failed, if it did.
    failure: Mutex<Option<Error>>,
    /// Why nothing is written any more.
    end: Mutex<Option<Error>>,
    waits: Mutex<Waits>,
}

/// Since when whoever waits for the disk does, by a number of its own.
#[derive(Debug, Default)]
struct Waits {
    last: u64,
    since: BTreeMap<u64, Instant>,
}

/// Somebody who waits for the disk.
#[derive(Debug)]
pub(super) struct AtDisk<'a> {
    condition: &'a Condition,
    number: u64,
}

impl Drop for AtDisk<'_> {
    fn drop(&mut self) {
        whole(&self.condition.waits).since.remove(&self.number);
    }
}

impl Condition {
    /// Of a file that was just opened.
    pub(super) fn of(named: &Path, file: &Path) -> Result<Self> {
        Ok(Self {
            place: Mutex::new(Place::of(named, file)?),
            failure: Mutex::default(),
            end: Mutex::default(),
            waits: Mutex::default(),
        })
    }

    /// Where the file is.
    pub(super) fn place(&self) -> MutexGuard<'_, Place> {
        whole(&self.place)
    }

    /// Refuses when the disk hangs, the file is gone, or the last commit failed.
    pub(super) fn check(&self) -> Result<()> {
        // First: to look at the file may hang as well.
        if let Some(seconds) = self.stalled() {
            return Err(Error::Stalled { seconds });
        }
        self.check_place()?;
        whole(&self.failure).as_ref().map_or(Ok(()), |error| Err(copy(error)))
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
    /// before the log was [mended](super::sqlite_mend), or is read anew.
    pub(super) fn give_up(&self, cause: &Error) {
        // The first cause is the one that counts.
        whole(&self.end).get_or_insert_with(|| copy(cause));
    }

    /// Writes are taken again: all of the log is on the disk.
    pub(super) fn resume(&self) {
        *whole(&self.failure) = None;
        *whole(&self.end) = None;
    }

    /// Refuses when nothing is written any more.
    pub(super) fn check_end(&self) -> Result<()> {
        whole(&self.end).as_ref().map_or(Ok(()), |error| Err(copy(error)))
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
        *whole(&self.failure) = failure.map(copy);
    }

    /// To be held while the disk is waited for.
    pub(super) fn at_disk(&self) -> AtDisk<'_> {
        let mut waits = whole(&self.waits);
        waits.last += 1;
        let number = waits.last;
        waits.since.insert(number, Instant::now());
        AtDisk { condition: self, number }
    }

    /// For how many seconds the disk took nothing, if that is too long.
    pub(super) fn stalled(&self) -> Option<u64> {
        let waited = self.waited();
        (waited >= STALLED_AFTER).then_some(waited.as_secs())
    }

    /// For how long the disk is waited for.
    fn waited(&self) -> Duration {
        // Whoever began first has the lowest number.
        let waits = whole(&self.waits);
        waits.since.first_key_value().map(|(_number, since)| since.elapsed()).unwrap_or_default()
    }
}

impl Watched for Condition {
    fn state(&self) -> StoreState {
        let waits = self.waited();
        // A disk that hangs is not asked for more.
        let log_bytes = if self.stalled().is_some() { None } else { self.place().log_bytes() };
        StoreState { is_writable: self.check().is_ok(), waits, log_bytes }
    }
}

/// What is guarded here is whole between any two operations, so a panic elsewhere is no harm.
fn whole<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
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
