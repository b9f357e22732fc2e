//! What an instance did lately.
//!
//! Shares over a lifetime would let old errors excuse new ones, and a long good hour hide a bad minute.
//! The counters only grow; what they said before is noted once a second, and a share is the difference.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What counts as lately, where that is enough requests: long enough to smooth a hiccup, short enough to
/// be about now.
const WINDOW: Duration = Duration::from_secs(30);

/// Time between two notes.
const NOTE: Duration = Duration::from_secs(1);

/// Notes kept: for services that need minutes for enough requests.
const NOTES_MAX: usize = 600;

/// What a target's counters said at some time. Only requests that say something about it are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counted {
    /// Requests that were its to answer.
    pub(super) requests: u64,
    /// Those answered with 5xx or not at all.
    pub(super) errors: u64,
    /// Those answered late.
    pub(super) late: u64,
}

impl Counted {
    /// What has been counted since then.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            errors: self.errors.saturating_sub(before.errors),
            late: self.late.saturating_sub(before.late),
        }
    }
}

/// What a target's counters said before, oldest first.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<VecDeque<(Instant, Counted)>>);

impl Record {
    /// Takes a note if the last one is old enough.
    pub(super) fn note(&self, now: Instant, counted: Counted) {
        let mut notes = self.lock();
        if notes.back().is_some_and(|(at, _)| now.saturating_duration_since(*at) < NOTE) {
            return;
        }
        if notes.len() >= NOTES_MAX {
            notes.pop_front();
        }
        notes.push_back((now, counted));
    }

    /// Begins anew: what was counted so far is not what is judged.
    pub(super) fn begin(&self, now: Instant, counted: Counted) {
        let mut notes = self.lock();
        notes.clear();
        notes.push_back((now, counted));
    }

    /// What the counters said where the stretch begins that counts as lately before `now`: the window, or
    /// as much more as has `enough` requests, or all that was noted.
    pub(super) fn base(&self, now: Instant, counted: Counted, enough: u64) -> Counted {
        let notes = self.lock();
        let long_ago = |at: &Instant| now.saturating_duration_since(*at) >= WINDOW;
        let mut stretch = notes.iter().rev();
        let found =
            stretch.find(|(at, then)| long_ago(at) && counted.requests >= then.requests + enough);
        found.or(notes.front()).map(|(_, then)| *then).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, Counted)>> {
        // The notes are whole between any two operations.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(requests: u64, errors: u64, late: u64) -> Counted {
        Counted { requests, errors, late }
    }

    #[test]
    fn only_what_was_lately_counts() {
        let record = Record::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        record.begin(start, counted(0, 0, 0));
        // An hour of errors, then a good minute, a note each second.
        for second in 1..=400 {
            let errors = second.min(300) * 10;
            record.note(at(second), counted(second * 10, errors, 0));
        }
        let now = counted(4000, 3000, 0);
        assert_eq!(now.since(record.base(at(400), now, 20)), counted(300, 0, 0));
        // Where the window has too few requests, it reaches further back.
        assert_eq!(now.since(record.base(at(400), now, 1000)), counted(1000, 0, 0));
        // Never further than the beginning.
        assert_eq!(record.base(at(400), now, 1_000_000), counted(0, 0, 0));
        record.begin(at(400), now);
        assert_eq!(record.base(at(401), now, 20), now);
    }
}
