//! A lock for each key: whose turn it is to check what several requests present at once.
//!
//! A job starts with dozens of workers that all send the same password before the first of them is
//! answered. One of them computes the hash, and the others wait for what comes out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

/// Held by the request that checks; the next one's turn comes when it is dropped.
pub(crate) type KeyedGuard = OwnedMutexGuard<()>;

/// One queue for each digest that is being checked.
#[derive(Debug, Default)]
pub(crate) struct KeyedLock(Mutex<HashMap<[u8; 32], Weak<Queue<()>>>>);

impl KeyedLock {
    /// Waits until nobody else checks what has this digest.
    pub(crate) async fn lock(&self, digest: [u8; 32]) -> KeyedGuard {
        self.queue(digest).lock_owned().await
    }

    fn queue(&self, digest: [u8; 32]) -> Arc<Queue<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(&digest).and_then(Weak::upgrade) {
            return queue;
        }
        // Those that nobody is in any more.
        queues.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(Queue::new(()));
        queues.insert(digest, Arc::downgrade(&queue));
        queue
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_checks_at_a_time_and_nothing_is_left_behind() {
        let lock = KeyedLock::default();
        let first = lock.lock([1; 32]).await;
        assert!(lock.lock([1; 32]).now_or_never().is_none());
        assert!(lock.lock([2; 32]).now_or_never().is_some(), "another digest waits for nobody");
        drop(first);
        assert!(lock.lock([1; 32]).now_or_never().is_some());
        let _third = lock.lock([3; 32]).await;
        assert_eq!(lock.0.lock().unwrap().len(), 1);
    }
}
