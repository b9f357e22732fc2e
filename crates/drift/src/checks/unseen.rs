//! Values that have no like on the other side: how many of them chance alone brings.
//!
//! Of two halves of one sample, each has values and labels that the other has not. Were both sides one sample, then
//! the k values without a like on the other side compete with what only just has one: of n + 1 values in random
//! order each is the largest with a chance of 1 / (n + 1), so beyond one end of n values lie k with the chance of
//! k successes before the first failure, beyond both ends before the second; and labels that were not seen weigh as
//! much as those that were seen once (I. J. Good, "The population frequencies of species and the estimation of
//! population parameters", 1953). All three are P(X ≥ k) for X binomial of k + (failures − 1) draws.

use crate::finding::Severity;
use crate::statistics::special::chance_of_as_many;

/// Share of the values from which on a finding about them is worth a look.
const WARNING_SHARE_MIN: f64 = 0.01;
/// Chance of such a finding on a column that is as it was.
const CHANCE_MAX: f64 = 0.001;

/// How much it matters that `count` of `own` values have no like among the `other` values of the other side, which
/// has `beside` that only just have one.
pub(super) fn severity(count: u64, beside: u64, [own, other]: [u64; 2]) -> Severity {
    let share = count as f64 / own as f64;
    let is_chance = || chance_of_as_many(count, beside, [own, other]) > CHANCE_MAX;
    if share < WARNING_SHARE_MIN || is_chance() { Severity::Note } else { Severity::Warning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_brings_is_a_note() {
        // Beyond both ends of 30 rows two more are expected; twenty are not.
        assert_eq!(severity(2, 1, [30, 30]), Severity::Note);
        assert_eq!(severity(20, 1, [30, 30]), Severity::Warning);
        // Labels of which most are seen once, and a new one among labels that are all frequent.
        assert_eq!(severity(160, 150, [1000, 1000]), Severity::Note);
        assert_eq!(severity(160, 0, [1000, 1000]), Severity::Warning);
        // Few of many.
        assert_eq!(severity(90, 0, [10_000, 10_000]), Severity::Note);
    }
}
