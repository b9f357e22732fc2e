//! What went through a gateway in a stretch of time.

use serde::{Deserialize, Serialize};

/// Classes of statuses that are told apart: 2xx to 5xx.
pub const CLASSES: usize = 4;

/// What went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Requests that ended, one way or another.
    pub requests: u64,
    /// Answers by the class of their status, 2xx first.
    pub by_class: [u64; CLASSES],
    /// Requests without a good answer through no fault of whoever asked.
    pub errors: u64,
    /// Requests whose content does not fit: 4xx that are not about who asks, how often, or for what path. It is not
    /// kept over time.
    pub refused: u64,
    /// Requests that were turned away as the gateway is paused or closed on purpose, likewise.
    pub closed: u64,
    /// Half of the answers began within this time, in microseconds; none where there were none.
    pub p50_us: Option<u64>,
    /// All but one of a hundred did.
    pub p99_us: Option<u64>,
}

/// The share of refused requests from which on somebody should look, and how many they are at least: a fifth of
/// twenty. Clients, or a new version, are then wrong about what is to be asked.
const REFUSED_SHARE: f64 = 0.2;
const REFUSED_MIN: u64 = 4;

impl Traffic {
    /// The share of requests, 0 to 1, that were answered with a 4xx.
    pub fn client_fault_share(&self) -> f64 {
        let [_, _, client_faults, _] = self.by_class;
        self.share(client_faults)
    }

    /// The share of requests, 0 to 1, whose content does not fit, where these are so many that somebody should look.
    pub fn much_refused(&self) -> Option<f64> {
        let share = self.share(self.refused);
        (self.refused >= REFUSED_MIN && share >= REFUSED_SHARE).then_some(share)
    }

    /// The share of requests, 0 to 1, that were turned away on purpose.
    pub fn closed_share(&self) -> f64 {
        self.share(self.closed)
    }

    fn share(&self, count: u64) -> f64 {
        if self.requests == 0 { 0.0 } else { (count as f64 / self.requests as f64).min(1.0) }
    }

    /// The share of requests, 0 to 1, without a good answer.
    pub fn error_share(&self) -> f64 {
        self.share(self.errors)
    }

    /// That of several stretches: counts are added, and of the times the middle p50 and the longest p99 are kept, as
    /// percentiles cannot be added.
    pub fn sum<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        let mut middles = Vec::new();
        for part in parts {
            sum.requests = sum.requests.saturating_add(part.requests);
            sum.errors = sum.errors.saturating_add(part.errors);
            sum.refused = sum.refused.saturating_add(part.refused);
            sum.closed = sum.closed.saturating_add(part.closed);
            for (all, one) in sum.by_class.iter_mut().zip(part.by_class) {
                *all = all.saturating_add(one);
            }
            sum.p99_us = sum.p99_us.max(part.p99_us);
            middles.extend(part.p50_us);
        }
        middles.sort_unstable();
        sum.p50_us = middles.get(middles.len() / 2).copied();
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_the_longest_time() {
        let part = |requests, p50_us, p99_us| Traffic {
            requests,
            by_class: [requests, 0, 0, 1],
            errors: 1,
            p50_us,
            p99_us,
            ..Traffic::default()
        };
        let parts =
            [part(10, Some(3), Some(9)), part(0, None, None), part(u64::MAX, Some(5), Some(7))];
        let sum = Traffic::sum(parts.iter());
        assert_eq!((sum.requests, sum.by_class[3], sum.errors), (u64::MAX, 3, 3));
        assert_eq!((sum.p50_us, sum.p99_us), (Some(5), Some(9)));
        assert_eq!(Traffic::sum([].iter()), Traffic::default());
        assert_eq!(Traffic::default().error_share(), 0.0);
        let refusing =
            |requests, refused| Traffic { requests, refused, ..Traffic::default() }.much_refused();
        assert_eq!((refusing(20, 4), refusing(4, 4)), (Some(0.2), Some(1.0)));
        assert_eq!((refusing(21, 4), refusing(3, 3), refusing(0, 0)), (None, None, None));
        assert_eq!(Traffic { requests: 4, errors: 9, ..Traffic::default() }.error_share(), 1.0);
    }
}
