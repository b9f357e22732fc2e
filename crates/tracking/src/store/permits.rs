//! Who may read at a time.
//!
//! What a search costs is said by its text, so searches never take all that reads may have: while
//! the slowest of them run, histories and lists are read, and what is looked up by its id is not
//! even counted.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// What a read of any size does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Lists what is there.
    Listing,
    /// Compares with what a client wrote.
    Searching,
}

impl Reading {
    /// What a search with this filter does.
    pub(crate) fn of(filter: &str) -> Self {
        if filter.trim().is_empty() { Self::Listing } else { Self::Searching }
    }
}

/// Reads that may run at a time.
#[derive(Debug)]
pub(crate) struct Permits {
    all: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

/// Held while a read runs, whether somebody waits for it or not.
#[derive(Debug)]
pub(crate) struct Permit {
    _all: OwnedSemaphorePermit,
    _search: Option<OwnedSemaphorePermit>,
}

impl Permits {
    /// So many reads, of which half may be searches.
    pub(crate) fn new(all: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            searches: Arc::new(Semaphore::new((all / 2).max(1))),
        }
    }

    /// Waits until it is this read's turn, but not beyond `end`.
    pub(crate) async fn take(&self, reading: Reading, end: Option<Instant>) -> Result<Permit> {
        let search = match reading {
            Reading::Listing => None,
            Reading::Searching => Some(one(&self.searches, end).await?),
        };
        Ok(Permit { _all: one(&self.all, end).await?, _search: search })
    }
}

async fn one(semaphore: &Arc<Semaphore>, end: Option<Instant>) -> Result<OwnedSemaphorePermit> {
    let permit = Arc::clone(semaphore).acquire_owned();
    let permit = match end {
        None => permit.await,
        Some(end) => {
            tokio::time::timeout_at(end.into(), permit).await.map_err(|_elapsed| Error::Crowded)?
        }
    };
    permit.map_err(|_closed| Error::Stopped)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn searches_leave_room_for_others() {
        let permits = Permits::new(4);
        let soon = || Instant::now().checked_add(Duration::from_millis(20));
        let _searches = [
            permits.take(Reading::Searching, None).await.unwrap(),
            permits.take(Reading::Searching, None).await.unwrap(),
        ];
        let third = permits.take(Reading::Searching, soon()).await;
        assert!(matches!(third, Err(Error::Crowded)), "{third:?}");
        let listing = permits.take(Reading::Listing, None).await.unwrap();
        let _another = permits.take(Reading::Listing, None).await.unwrap();
        permits.take(Reading::Listing, soon()).await.unwrap_err();
        drop(listing);
        permits.take(Reading::Listing, None).await.unwrap();
    }
}
