//! What a connection has done: counted by those who do it, looked at by the clock of the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Counters of a connection.
#[derive(Debug)]
pub(crate) struct Marks {
    accepted: Instant,
    /// When the last request was answered, in milliseconds since then.
    last_ms: AtomicU64,
    /// When bytes were last taken by the other side.
    last_write_ms: AtomicU64,
    /// Requests that are being answered, and tunnels.
    busy: AtomicUsize,
    /// Bytes that the other side has taken.
    written: AtomicU64,
    /// Whether bytes wait to be taken.
    is_stuck: AtomicBool,
    /// Its protocol has changed: what comes is no request any more.
    is_tunnel: AtomicBool,
    /// Requests that came.
    asked: AtomicU64,
    /// The number of the last request while its body is not read to its end, else 0. Of HTTP/1: requests of HTTP/2 have
    /// no order.
    unread: AtomicU64,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            accepted: Instant::now(),
            last_ms: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            last_write_ms: AtomicU64::new(0),
            is_stuck: AtomicBool::new(false),
            written: AtomicU64::new(0),
            is_tunnel: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            unread: AtomicU64::new(0),
        }
    }
}

impl Marks {
    /// A request came, or something else goes on.
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
        self.last_write_ms.store(self.age_ms(), Ordering::Relaxed);
    }

    pub(crate) fn stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Relaxed);
    }

    /// A request came, with a body or without: its number.
    pub(crate) fn asked(&self, has_body: bool) -> u64 {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.unread.store(if has_body { number } else { 0 }, Ordering::Relaxed);
        number
    }

    /// The body of this request was read to its end. Whoever reads may come to it when the next request is there, whose
    /// body this says nothing of.
    pub(crate) fn read(&self, number: u64) {
        let _next = self.unread.compare_exchange(number, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// How long the connection has been between two requests: all that was asked is answered, the answer is with the
    /// other side, and what comes next is a head. None where it is not, or is not known to be.
    pub(crate) fn rest(&self) -> Option<Duration> {
        if self.unread.load(Ordering::Relaxed) > 0 || self.is_tunnel() {
            return None;
        }
        self.quiet()
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn since(&self, ms: &AtomicU64) -> Duration {
        Duration::from_millis(self.age_ms().saturating_sub(ms.load(Ordering::Relaxed)))
    }

    /// How long nothing has been asked and nothing is being answered; none while something is.
    pub(crate) fn silence(&self) -> Option<Duration> {
        if self.busy.load(Ordering::Relaxed) > 0 {
            return None;
        }
        Some(self.since(&self.last_ms))
    }

    /// The same, but as long as the other side takes an answer it is not silent either.
    pub(crate) fn quiet(&self) -> Option<Duration> {
        if self.is_stuck.load(Ordering::Relaxed) {
            return None;
        }
        Some(self.silence()?.min(self.since(&self.last_write_ms)))
    }

    pub(crate) fn look(&self) -> Look {
        Look {
            age: self.accepted.elapsed(),
            silence: self.silence(),
            is_stuck: self.is_stuck.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
        }
    }
}

/// What the counters said at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Look {
    /// How long the connection has been there.
    pub(crate) age: Duration,
    /// How long no request has come; none while one is being answered.
    pub(crate) silence: Option<Duration>,
    /// Whether bytes wait to be taken by the other side.
    pub(crate) is_stuck: bool,
    pub(crate) written: u64,
}

/// Keeps a connection from counting as idle.
#[derive(Debug)]
pub struct Busy(Arc<Marks>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.last_ms.store(self.0.age_ms(), Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_body_is_not_that_of_the_next_one() {
        let marks = Marks::default();
        let (first, second) = (marks.asked(true), marks.asked(true));
        marks.read(first);
        assert_eq!(marks.rest(), None);
        marks.read(second);
        assert!(marks.rest().is_some());
        marks.asked(true);
        marks.asked(false);
        assert!(
            marks.rest().is_some(),
            "a request without a body comes after the end of the last one"
        );
    }
}
