//! What went through in the last minute: how many requests, with which status, whose fault the bad ones were, how long
//! answers took.
//!
//! The counters only grow, so a request costs one addition (two if it went wrong), without a lock. What they said
//! is noted every few seconds, and the last minute is what they say now without what they said then.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::failure::{Fault, is_refusal};

/// Time between two notes.
pub(super) const STEP: Duration = Duration::from_secs(5);

/// What is told: long enough for a service with little traffic, short enough to be about now.
const SPAN: Duration = Duration::from_mins(1);

/// Notes kept: one at each end of the span, and those between.
const NOTES_MAX: usize = (SPAN.as_secs() / STEP.as_secs()) as usize + 1;

/// Each bound is half as large again as the one before, so a percentile is at most half too large; with so many they
/// reach from 0.1 ms beyond the two minutes that an instance may take.
const BOUNDS: [u64; 36] = bounds();

/// One for each bound, and one for what is beyond the last.
const BUCKETS: usize = BOUNDS.len() + 1;

/// Classes of statuses: 1xx to 5xx.
const CLASSES: usize = 5;

/// Upper bounds in microseconds.
const fn bounds() -> [u64; 36] {
    let mut bounds = [0; 36];
    let mut bound = 100;
    let mut index = 0;
    while index < bounds.len() {
        bounds[index] = bound;
        bound += bound / 2;
        index += 1;
    }
    bounds
}

/// What went through lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lately {
    /// How long that is, in milliseconds: a minute, or less where counting began later.
    pub span_ms: u64,
    /// Requests that ended, one way or another.
    pub requests: u64,
    /// Those that were the clients' own fault: malformed, too large, given up, answered with 4xx.
    pub client_faults: u64,
    /// Those whose content does not fit, of these: without what is about who asks, how often, and for what path.
    #[serde(default)]
    pub refused: u64,
    /// Those that were turned away because somebody paused or closed the gateway; no errors.
    #[serde(default)]
    pub closed: u64,
    /// Those that the gateway or its operator is to blame for: nothing deployed, too many connections.
    pub gateway_faults: u64,
    /// Those that an instance did not answer, or with 5xx.
    pub instance_faults: u64,
    /// Answers by the class of their status, 1xx first. What was never answered is in none; all are 0 where a gateway
    /// of an earlier version says it.
    #[serde(default)]
    pub by_class: [u64; CLASSES],
    /// Half of the answers began within this time, in microseconds; none where there were none.
    pub p50_us: Option<u64>,
    /// All but one of a hundred did.
    pub p99_us: Option<u64>,
}

impl Lately {
    /// Requests in a minute.
    pub fn per_minute(&self) -> f64 {
        if self.span_ms == 0 { 0.0 } else { self.requests as f64 * 60_000.0 / self.span_ms as f64 }
    }

    /// The share of requests, 0 to 1, that clients got no good answer to through no fault of theirs.
    pub fn error_share(&self) -> f64 {
        let errors = self.gateway_faults + self.instance_faults;
        // An answer that breaks off after it was counted is one error more.
        if self.requests == 0 { 0.0 } else { (errors as f64 / self.requests as f64).min(1.0) }
    }
}

/// Counters of requests, and what they said in the last minute.
#[derive(Debug)]
pub(super) struct Window {
    took: [AtomicU64; BUCKETS],
    /// In the order of [`Fault::ALL`].
    faults: [AtomicU64; Fault::ALL.len()],
    classes: [AtomicU64; CLASSES],
    /// Answers that are refusals.
    refused: AtomicU64,
    /// Oldest first.
    notes: Mutex<VecDeque<(Instant, Counts)>>,
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    took: [u64; BUCKETS],
    faults: [u64; Fault::ALL.len()],
    classes: [u64; CLASSES],
    refused: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self::begin(Instant::now())
    }
}

impl Window {
    fn begin(now: Instant) -> Self {
        let nothing = Counts {
            took: [0; BUCKETS],
            faults: [0; Fault::ALL.len()],
            classes: [0; CLASSES],
            refused: 0,
        };
        Self {
            took: [const { AtomicU64::new(0) }; BUCKETS],
            faults: [const { AtomicU64::new(0) }; Fault::ALL.len()],
            classes: [const { AtomicU64::new(0) }; CLASSES],
            refused: AtomicU64::new(0),
            notes: Mutex::new(VecDeque::from([(now, nothing)])),
        }
    }

    /// Counts a request that ended after so long: the status of its answer if it got one, and whose fault it was if it
    /// ended badly.
    pub(super) fn count(&self, status: Option<u16>, fault: Option<Fault>, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(counter) = self.took.get(bucket) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let class = status.and_then(|status| usize::from(status / 100).checked_sub(1));
        if let Some(counter) = class.and_then(|class| self.classes.get(class)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if status.is_some_and(is_refusal) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(fault) = fault {
            self.blame(fault);
        }
    }

    /// Counts a fault of a request that was counted before, as a good one.
    pub(super) fn blame(&self, fault: Fault) {
        if let Some(counter) = self.faults.get(fault as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes what the counters say. To be called each [`STEP`].
    pub(super) fn note(&self, now: Instant) {
        let counts = self.counts();
        let mut notes = self.notes();
        if notes.len() >= NOTES_MAX {
            notes.pop_front();
        }
        notes.push_back((now, counts));
    }

    /// What was counted in the last minute.
    pub(super) fn lately(&self, now: Instant) -> Lately {
        let counts = self.counts();
        let notes = self.notes();
        let long_ago = |at: &Instant| now.saturating_duration_since(*at) >= SPAN;
        let base = notes.iter().rev().find(|(at, _)| long_ago(at)).or(notes.front());
        let Some((at, before)) = base else { return Lately::default() };
        let took = difference(&counts.took, &before.took);
        let [client, gateway, instance, closed] = difference(&counts.faults, &before.faults);
        let span = now.saturating_duration_since(*at);
        Lately {
            span_ms: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            requests: took.iter().sum(),
            client_faults: client,
            refused: counts.refused.saturating_sub(before.refused),
            closed,
            gateway_faults: gateway,
            instance_faults: instance,
            by_class: difference(&counts.classes, &before.classes),
            p50_us: percentile(&took, 0.5),
            p99_us: percentile(&took, 0.99),
        }
    }

    fn counts(&self) -> Counts {
        // Faults first: they are counted last, so there are hardly ever more of them than requests.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let faults = self.faults.each_ref().map(read);
        let classes = self.classes.each_ref().map(read);
        let refused = read(&self.refused);
        Counts { faults, classes, refused, took: self.took.each_ref().map(read) }
    }

    fn notes(&self) -> MutexGuard<'_, VecDeque<(Instant, Counts)>> {
        // The notes are whole between any two operations.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn difference<const N: usize>(now: &[u64; N], before: &[u64; N]) -> [u64; N] {
    let mut difference = *now;
    for (value, before) in difference.iter_mut().zip(before) {
        *value = value.saturating_sub(*before);
    }
    difference
}

/// The time within which a share of the answers began, in microseconds, as if those of a bucket were spread evenly
/// over it.
fn percentile(took: &[u64; BUCKETS], share: f64) -> Option<u64> {
    let total: u64 = took.iter().sum();
    if total == 0 {
        return None;
    }
    let rank = ((share * total as f64).ceil() as u64).clamp(1, total);
    let (mut below, mut lower) = (0, 0);
    // What is beyond the last bound is only known to be.
    for (count, upper) in took.iter().zip(BOUNDS.iter().chain(BOUNDS.last())) {
        if below + count >= rank {
            let within = (rank - below) as f64 / *count as f64;
            return Some(lower + ((upper - lower) as f64 * within) as u64);
        }
        below += count;
        lower = *upper;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_minute_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let window = Window::begin(start);
        assert_eq!(window.lately(start), Lately::default());
        // Ten minutes of errors, then ten good ones.
        for second in 1..=1200_u64 {
            let fault = (second <= 600).then_some(Fault::Instance);
            window.count(Some(200), fault, Duration::from_millis(3));
            if second.is_multiple_of(STEP.as_secs()) {
                window.note(at(second));
            }
            if second == 7 {
                let lately = window.lately(at(7));
                assert_eq!((lately.span_ms, lately.requests, lately.instance_faults), (7000, 7, 7));
                assert_eq!((lately.per_minute(), lately.error_share()), (60.0, 1.0));
            }
        }
        let lately = window.lately(at(1200));
        assert_eq!((lately.span_ms, lately.requests, lately.instance_faults), (60_000, 60, 0));
        // Between two notes it reaches a little further back, never less far.
        let lately = window.lately(at(1204));
        assert_eq!((lately.span_ms, lately.requests), (64_000, 60));
        assert!(window.notes().len() <= NOTES_MAX);
        // Silence.
        let lately = window.lately(at(1300));
        assert_eq!((lately.requests, lately.p50_us), (0, None));
    }

    #[test]
    fn faults_are_told_apart() {
        let start = Instant::now();
        let window = Window::begin(start);
        let faults = Fault::ALL.map(Some);
        for fault in [None, None].into_iter().chain(faults) {
            let status = match fault {
                None => Some(200),
                Some(Fault::Client) => Some(422),
                // The connection broke.
                Some(Fault::Gateway) => None,
                Some(Fault::Instance) => Some(500),
                Some(Fault::Closed) => Some(503),
            };
            window.count(status, fault, Duration::ZERO);
        }
        // What is no status is in no class.
        window.count(Some(999), None, Duration::ZERO);
        window.blame(Fault::Instance);
        // Nobody's content was looked at.
        window.count(Some(401), Some(Fault::Client), Duration::ZERO);
        let lately = window.lately(start + Duration::from_secs(1));
        assert_eq!((lately.refused, lately.closed), (1, 1));
        assert_eq!(
            (lately.client_faults, lately.gateway_faults, lately.instance_faults),
            (2, 1, 2)
        );
        // What was closed on purpose is no error.
        assert_eq!((lately.requests, lately.error_share()), (8, 0.375));
        assert_eq!(lately.by_class, [0, 2, 0, 2, 2]);
    }

    #[test]
    fn percentiles_are_right_within_their_bucket() {
        assert_eq!(BOUNDS[0], 100);
        assert!(BOUNDS[35] > 120_000_000, "{}", BOUNDS[35]);
        let start = Instant::now();
        for micros in [50, 800, 3_000, 45_000, 2_000_000, 110_000_000] {
            let window = Window::begin(start);
            for _ in 0..1000 {
                window.count(None, None, Duration::from_micros(micros));
            }
            let p50 = window.lately(start).p50_us.unwrap();
            let is_near = p50 as f64 >= micros as f64 / 1.5 && p50 as f64 <= micros as f64 * 1.5;
            assert!(is_near, "{micros}: {p50}");
        }
        let window = Window::begin(start);
        for number in 0..1000_u64 {
            let millis = if number < 985 { 2 } else { 900 };
            window.count(None, None, Duration::from_millis(millis));
        }
        let lately = window.lately(start);
        assert!(lately.p50_us.unwrap() < 3_000, "{lately:?}");
        assert!(lately.p99_us.unwrap() > 500_000, "{lately:?}");
        // An answer that took an hour is not lost.
        let window = Window::begin(start);
        window.count(None, None, Duration::from_hours(1));
        assert_eq!(window.lately(start).p50_us, Some(BOUNDS[35]));
    }
}
