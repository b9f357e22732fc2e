//! Memory for copies of requests and answers, bounded in sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of one body that is looked at. Predictions for people are smaller; what is larger is passed on and
/// no more.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;

/// Bytes of all of them at a time: four hundred large ones, or many thousands of the usual size.
const ALL_BYTES_MAX: usize = 32 << 20;

/// Memory that may be taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget {
    taken: Arc<AtomicUsize>,
}

/// Some of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// Memory for a body of a known length, if there is some; none for one that is too long.
    pub(super) fn reserve(&self, bytes: Option<u64>) -> Option<Reserved> {
        let bytes = usize::try_from(bytes?).ok().filter(|bytes| *bytes <= BODY_BYTES_MAX)?;
        let fits = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= ALL_BYTES_MAX);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Reserved { budget: self.clone(), bytes })
    }
}

impl Reserved {
    /// How many bytes it is for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_there_is() {
        let budget = Budget::default();
        assert!(budget.reserve(None).is_none());
        assert!(budget.reserve(Some(BODY_BYTES_MAX as u64 + 1)).is_none());
        let large = Some(BODY_BYTES_MAX as u64);
        let mut all: Vec<Reserved> = std::iter::from_fn(|| budget.reserve(large)).collect();
        assert_eq!(all.iter().map(Reserved::bytes).sum::<usize>(), ALL_BYTES_MAX);
        assert!(budget.reserve(Some(1)).is_none());
        all.pop();
        assert!(budget.reserve(Some(1)).is_some());
    }
}
