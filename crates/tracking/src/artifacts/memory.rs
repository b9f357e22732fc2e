//! What uploads and listings hold of the memory that all requests share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trainyard_base::{Budget, Full, Share};
use trainyard_mlflow::{Error, ErrorCode, Result};

/// Bytes that are not counted: small files and folders pass also when the memory is used up.
const UNCOUNTED: u64 = 16 << 10;

/// Listings at a time: each keeps the disk and a thread busy for as long as the folder is large.
const LISTINGS_MAX: usize = 8;

/// The memory of one storage.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    budget: Arc<Budget>,
    listings: Arc<Semaphore>,
}

impl Memory {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, listings: Arc::new(Semaphore::new(LISTINGS_MAX)) }
    }

    /// Bytes of all of it.
    pub(super) fn bytes_max(&self) -> u64 {
        self.budget.bytes_max()
    }

    /// Waits until a listing may begin; the next one may when this is dropped.
    pub(super) async fn turn_to_list(&self) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.listings).acquire_owned().await;
        turn.map_err(|closed| Error::internal(format!("listing of artifacts: {closed}")))
    }

    /// What one call holds: nothing yet.
    pub(super) fn hold(&self) -> Result<Held> {
        Ok(Held { share: self.budget.take(0).map_err(no_memory)? })
    }
}

/// What one call holds, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    share: Share,
}

impl Held {
    /// Holds so many bytes from now on.
    pub(super) fn resize(&mut self, bytes: u64) -> Result<()> {
        self.share.resize(bytes.saturating_sub(UNCOUNTED)).map_err(no_memory)
    }
}

fn no_memory(full: Full) -> Error {
    // What would never fit need not be tried again.
    let code = if full.never { ErrorCode::BadRequest } else { ErrorCode::TemporarilyUnavailable };
    Error::api(code, format!("no memory is left for artifacts: {full}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_passes_and_what_is_not_is_counted() {
        let budget = Budget::new(1 << 20);
        let memory = Memory::new(Arc::clone(&budget));
        let all = budget.take(1 << 20).unwrap();
        let mut held = memory.hold().unwrap();
        held.resize(UNCOUNTED).unwrap();
        let error = held.resize(UNCOUNTED + 1).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable);
        assert_eq!(held.resize(2 << 20).unwrap_err().code(), ErrorCode::BadRequest);
        drop(all);
        held.resize(1 << 20).unwrap();
        held.resize(UNCOUNTED + 5).unwrap();
        assert_eq!(budget.used(), 5);
        drop(held);
        assert_eq!(budget.used(), 0);
    }
}
