//! A new version beside the one before, by what clients get from each: errors and waits.

use std::time::Instant;

use super::record::Counted;
use super::target::Target;
use crate::release::BakeLimits;

/// Share of answers that may be late: the limit is about 95 of a hundred.
const LATE_SHARE: f64 = 0.05;

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
    use std::time::Duration;

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
}
