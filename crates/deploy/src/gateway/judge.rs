//! Whether a new version is worse for clients than the one before, by what each did lately.
//!
//! Shares over a lifetime would let old errors excuse new ones, and a long good hour hide a bad minute.
//! The counters only grow; what they said before is noted once a second, and a share is the difference.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::target::Target;
use crate::spec::BakeLimits;

/// What counts as lately, where that is enough requests: long enough to smooth a hiccup, short enough to
/// be about now.
const WINDOW: Duration = Duration::from_secs(30);

/// Time between two notes.
const NOTE: Duration = Duration::from_secs(1);

/// Notes kept: for services that need minutes for enough requests.
const NOTES: usize = 600;

/// Share of answers that may be late: the limit is about 95 of a hundred.
const LATE_SHARE: f64 = 0.05;

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
    fn since(self, before: Self) -> Self {
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
        if notes.len() >= NOTES {
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
    fn base(&self, now: Instant, counted: Counted, enough: u64) -> Counted {
        let notes = self.lock();
        let long_ago = |at: &Instant| now.saturating_duration_since(*at) >= WINDOW;
        let mut stretch = notes.iter().rev();
        let found =
            stretch.find(|(at, then)| long_ago(at) && counted.requests >= then.requests + enough);
        found.or(notes.front()).map(|(_, then)| *then).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Instant, Counted)>> {
        // The notes are whole between any two operations.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new version beside the one before.
#[derive(Debug)]
pub(super) struct Trial {
    limits: BakeLimits,
    /// What the standby's counters said where its recent past began when requests left it.
    standby_base: Counted,
}

impl Trial {
    /// Begins when `current` takes over from `standby`.
    pub(super) fn begin(current: &Target, standby: &Target, limits: BakeLimits) -> Self {
        let now = Instant::now();
        current.record.begin(now, current.counted());
        let enough = limits.min_requests.max(1);
        Self { limits, standby_base: standby.record.base(now, standby.counted(), enough) }
    }

    /// What clients get from the current target that they would not get from the standby.
    pub(super) fn too_bad(&self, current: &Target, standby: &Target) -> Option<String> {
        let (now, counted) = (Instant::now(), current.counted());
        current.record.note(now, counted);
        let base = current.record.base(now, counted, self.limits.min_requests.max(1));
        let before = standby.counted().since(self.standby_base);
        too_bad(counted.since(base), before, &self.limits)
    }
}

fn too_bad(now: Counted, before: Counted, limits: &BakeLimits) -> Option<String> {
    let enough = limits.min_requests.max(1);
    if now.requests < enough {
        return None;
    }
    // What the standby failed at as well is not the new version's doing. One error of one request is no
    // share: with fewer requests than are judged, those that are missing count as answered.
    let usual = before.errors as f64 / before.requests.max(enough) as f64;
    let share = now.errors as f64 / now.requests as f64;
    if share > usual + f64::from(limits.errors_percent) / 100.0 {
        return Some(format!(
            "{} of {} requests got an error ({:.1} % before)",
            now.errors,
            now.requests,
            usual * 100.0
        ));
    }
    match limits.latency {
        Some(limit) if now.late as f64 > LATE_SHARE * now.requests as f64 => Some(format!(
            "{} of {} answers took longer than {} ms",
            now.late,
            now.requests,
            limit.as_millis()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(requests: u64, errors: u64, late: u64) -> Counted {
        Counted { requests, errors, late }
    }

    #[test]
    fn errors_and_waits_count_from_enough_requests_on() {
        let limits = BakeLimits { latency: Some(Duration::from_millis(50)), ..Default::default() };
        let judged = |now| too_bad(now, Counted::default(), &limits);
        assert_eq!(judged(counted(19, 19, 0)), None);
        assert_eq!(judged(counted(100, 10, 5)), None);
        assert_eq!(
            judged(counted(100, 11, 0)).unwrap(),
            "11 of 100 requests got an error (0.0 % before)"
        );
        assert_eq!(judged(counted(100, 0, 6)).unwrap(), "6 of 100 answers took longer than 50 ms");
        // The standby failed as often: going back would change nothing.
        assert_eq!(too_bad(counted(100, 35, 0), counted(1000, 300, 0), &limits), None);
        assert!(too_bad(counted(100, 45, 0), counted(1000, 300, 0), &limits).is_some());
        // One error of the standby's only request is no excuse.
        assert!(too_bad(counted(100, 20, 0), counted(1, 1, 0), &limits).is_some());
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
