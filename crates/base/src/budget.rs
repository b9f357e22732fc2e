//! A budget of bytes that all requests of a process may hold together.
//!
//! A limit on each request says nothing about a thousand of them. What a request is about to take, it
//! takes from the budget first; when that is empty the request gets an answer ("try again"), and the
//! process stays. Nobody waits for a share: a queue of large requests would hold what it waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::memory;

/// The part of a process' memory that requests may hold: the rest is the models', the caches' and the
/// allocator's.
const PART_OF_MEMORY: u64 = 4;

/// No budget is smaller: one request of the usual size must fit.
const BYTES_MIN: u64 = 32 << 20;

/// No budget is larger unless it is asked for: more at once would only wait for the processor.
const BYTES_MAX: u64 = 4 << 30;

/// What is left for requests. Clones of the `Arc` share it.
#[derive(Debug)]
pub struct Budget {
    bytes_max: u64,
    used: AtomicU64,
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "all requests together may hold {bytes_max} bytes, which is used up; try again in a second"
)]
pub struct Full {
    /// Bytes of the whole budget.
    pub bytes_max: u64,
    /// Whether the share would not fit into the empty budget either: trying again is of no use.
    pub never: bool,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { bytes_max, used: AtomicU64::new(0) })
    }

    /// A quarter of what this process may take, by the machine, its control groups and `limit` (bytes).
    pub fn of_process(limit: Option<u64>) -> Arc<Self> {
        let total = memory::total(limit).unwrap_or(BYTES_MAX * PART_OF_MEMORY);
        Self::new((total / PART_OF_MEMORY).clamp(BYTES_MIN, BYTES_MAX))
    }

    /// Bytes of the whole budget.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Bytes that are held now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes so many bytes until the share is dropped.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Result<Share, Full> {
        let mut share = Share { budget: Arc::clone(self), bytes: 0 };
        share.grow(bytes)?;
        Ok(share)
    }
}

/// Bytes taken from a budget; given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Share {
    /// Bytes of this share.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more; at the limit the share stays as it is.
    pub fn grow(&mut self, bytes: u64) -> Result<(), Full> {
        let max = self.budget.bytes_max;
        let added = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| *used <= max)
        });
        match added {
            Ok(_before) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(_used) => {
                Err(Full { bytes_max: max, never: self.bytes.saturating_add(bytes) > max })
            }
        }
    }

    /// Takes or gives back, so that the share is of so many bytes.
    pub fn resize(&mut self, bytes: u64) -> Result<(), Full> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back() {
        let budget = Budget::new(100);
        let mut first = budget.take(60).unwrap();
        assert_eq!(budget.take(50).unwrap_err(), Full { bytes_max: 100, never: false });
        assert!(budget.take(101).unwrap_err().never);
        assert!(budget.take(u64::MAX).unwrap_err().never);
        first.grow(40).unwrap();
        first.grow(1).unwrap_err();
        assert_eq!((first.bytes(), budget.used()), (100, 100));
        first.resize(10).unwrap();
        let second = budget.take(90).unwrap();
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn threads_never_hold_more_than_there_is() {
        let budget = Budget::new(1000);
        std::thread::scope(|scope| {
            for _thread in 0..4 {
                scope.spawn(|| {
                    for bytes in 0..2000 {
                        let _share = budget.take(bytes % 700);
                        assert!(budget.used() <= 1000);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_process_keeps_most_of_its_memory() {
        assert_eq!(Budget::of_process(Some(1 << 30)).bytes_max(), 256 << 20);
        assert_eq!(Budget::of_process(Some(1)).bytes_max(), BYTES_MIN);
    }
}
