//! Drain: how an instance gets no new request and finishes those it has.
//!
//! A request that enters is counted in the same atomic word that closes the gate, so a closed gate with
//! nobody inside has no request and never gets one: only then may its instance be stopped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The top bit closes; the others count.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// The way in to an instance, open at first.
#[derive(Debug, Default)]
pub(super) struct Gate {
    word: AtomicUsize,
    idle: Notify,
}

impl Gate {
    /// Counts a request in; whether the gate is open. Whoever enters must leave, either way.
    pub(super) fn enter(&self) -> bool {
        self.word.fetch_add(1, Ordering::SeqCst) & CLOSED == 0
    }

    pub(super) fn leave(&self) {
        let before = self.word.fetch_sub(1, Ordering::SeqCst);
        if before & !CLOSED == 1 {
            self.idle.notify_waiters();
        }
    }

    pub(super) fn close(&self) {
        self.word.fetch_or(CLOSED, Ordering::SeqCst);
    }

    pub(super) fn open(&self) {
        self.word.fetch_and(!CLOSED, Ordering::SeqCst);
    }

    /// Requests that have not left.
    pub(super) fn inside(&self) -> usize {
        self.word.load(Ordering::SeqCst) & !CLOSED
    }

    /// Waits until no request is left, up to a limit; how many are left then.
    pub(super) async fn drained(&self, limit: Duration) -> usize {
        let wait = async {
            loop {
                let idle = self.idle.notified();
                tokio::pin!(idle);
                // Registered before looking, so that a change in between is not missed.
                idle.as_mut().enable();
                if self.inside() == 0 {
                    return;
                }
                idle.await;
            }
        };
        // What is left is counted anew, whether the limit was reached or not.
        let _elapsed = tokio::time::timeout(limit, wait).await;
        self.inside()
    }
}
