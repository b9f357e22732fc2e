//! What a connection has done: counted by those who do it, looked at by the clock of the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters of a connection.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Requests that are being answered, and tunnels.
    busy: AtomicUsize,
    /// Requests that ever came.
    begun: AtomicU64,
    /// Bytes that the other side has taken.
    written: AtomicU64,
}

impl Marks {
    /// A request came.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.hold()
    }

    /// Something goes on without a request.
    pub(crate) fn hold(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn look(&self) -> Look {
        Look {
            is_busy: self.busy.load(Ordering::Relaxed) > 0,
            begun: self.begun.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
        }
    }
}

/// What the counters said at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Look {
    pub(crate) is_busy: bool,
    pub(crate) begun: u64,
    pub(crate) written: u64,
}

/// Keeps a connection from counting as idle.
#[derive(Debug)]
pub struct Busy(Arc<Marks>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
