//! The times that the store notes.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; 0 for a clock that stands before it.
pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time at which something is made, in milliseconds: later for each call, so that what is
/// listed by the time of its creation keeps its order however fast it was made.
pub(crate) fn creation_millis() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    /// How far this may run ahead of the clock: a burst, not a habit (or a clock that was set back).
    const AHEAD_MAX: i64 = 1000;

    let now = now_millis();
    let next = |last: i64| if (now..now + AHEAD_MAX).contains(&last) { last + 1 } else { now };
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    next(last.unwrap_or_else(|last| last))
}
