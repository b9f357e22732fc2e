//! Turns to draw curves: what a page of them holds is bounded, and so is what all of them hold together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pages of curves that are drawn at once. Each holds up to a million values, some eighty megabytes.
const AT_ONCE: usize = 4;

/// Turns of all pages of a server.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Waits for a turn, which ends with the value. Who asked and is gone waits no more; work on another thread, which
    /// goes on without whoever asked, has to have the value with it.
    pub(crate) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        // None if nobody may wait any more, which never comes: it is not closed.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn no_more_than_a_few_have_a_turn() {
        let turns = Turns::new();
        let mut taken: Vec<_> = (0..AT_ONCE).map(|_| turns.take().now_or_never()).collect();
        assert_eq!(taken.iter().flatten().flatten().count(), AT_ONCE);
        assert!(turns.take().now_or_never().is_none());
        drop(taken.pop());
        assert!(turns.take().now_or_never().flatten().is_some());
    }
}
