//! What a connection has done: counted by those who do it, looked at by the clock of the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Counters of a connection.
#[derive(Debug)]
pub(crate) struct Marks {
    accepted: Instant,
    /// When the last request came or was answered, in milliseconds since then.
    last_ms: AtomicU64,
    /// Requests that are being answered, and tunnels.
    busy: AtomicUsize,
    /// Requests that ever came.
    begun: AtomicU64,
    /// Bytes that the other side has taken.
    written: AtomicU64,
    /// Its protocol has changed: what comes is no request any more.
    is_tunnel: AtomicBool,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            accepted: Instant::now(),
            last_ms: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            written: AtomicU64::new(0),
            is_tunnel: AtomicBool::new(false),
        }
    }
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

    /// The protocol changes.
    pub(crate) fn tunnel(self: &Arc<Self>) -> Busy {
        self.is_tunnel.store(true, Ordering::SeqCst);
        self.hold()
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        self.is_tunnel.load(Ordering::SeqCst)
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How long nothing has been asked and nothing is being answered; none while something is.
    pub(crate) fn silence(&self) -> Option<Duration> {
        if self.busy.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        Some(self.accepted.elapsed().saturating_sub(last))
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
        let age = self.0.accepted.elapsed().as_millis();
        self.0.last_ms.store(u64::try_from(age).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
