//! How far two samples of one population are apart by chance alone: the farther, the fewer values and the more
//! labels there are.
//!
//! Two halves of 1500 values of 300 equally frequent labels have a Jensen–Shannon distance of 0.23, and 100 of 2000
//! normal values are 0.12 standard deviations from the others, which is no drift. What chance brings follows from
//! both sides together: each of a label's values is one of the smaller side with the share of that side, and
//! cumulative distributions are apart as a Brownian bridge is from zero.

use std::collections::BTreeMap;

use super::counts::Frequencies;
use super::distance::integrate;
use crate::values::Pair;

/// Values of a label that are expected on the smaller side from which on their number is nearly normal, and
/// the label's part of the divergence a χ² of one degree of freedom.
const NORMAL_FROM: f64 = 32.0;
/// Values of a label on the smaller side that are looked at where fewer than that are expected; chance does not
/// bring more.
const VALUES_MAX: u64 = 128;
/// Standard errors that are taken for chance: 95 of 100 pairs of samples stay below.
const ERRORS: f64 = 1.645;
/// Times the mean distance of two samples that 95 of 100 distances stay below. The area under a Brownian bridge is
/// 0.498 at most then, and 0.313 in the mean (Johnson and Killeen, 1983); with the values of real columns as widths, the
/// ratio was between 1.3 and 2.1.
const AREAS: f64 = 1.75;

/// The Jensen–Shannon divergence (the square of the distance) that two samples of one population stay below in
/// 95 of 100 cases.
pub(crate) fn jensen_shannon_divergence(frequencies: &Frequencies) -> f64 {
    let (n1, n2) = frequencies.totals();
    let sizes = [n1.min(n2) as f64, n1.max(n2) as f64];
    // Labels with equally many values have equal parts.
    let mut labels: BTreeMap<u64, u64> = BTreeMap::new();
    for count in frequencies.counts() {
        *labels.entry(count.reference + count.current).or_default() += 1;
    }
    let (mut mean, mut variance) = (0.0, 0.0);
    for (values, labels) in labels {
        let (part, spread) = part_of_label(values, sizes);
        mean += labels as f64 * part;
        variance += labels as f64 * spread;
    }
    mean + ERRORS * variance.sqrt()
}

/// The Wasserstein-1 distance, in the unit of the values, that two samples of one population stay below in 95 of
/// 100 cases: the gap between their cumulative distributions is nearly normal, of variance F(1 − F)(1/n + 1/m).
pub(crate) fn wasserstein(pair: &Pair<'_>) -> f64 {
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    // The mean of a normal gap's size is √(2/π) of its deviation.
    let factor = std::f64::consts::FRAC_2_PI * (1.0 / n1 + 1.0 / n2);
    let gap = |reference: f64, current: f64| {
        let pooled = (reference * n1 + current * n2) / (n1 + n2);
        (factor * pooled * (1.0 - pooled)).max(0.0).sqrt()
    };
    AREAS * integrate(pair, gap)
}

/// Mean and variance of a label's part of the divergence, over all ways to share its values out.
fn part_of_label(values: u64, sizes: [f64; 2]) -> (f64, f64) {
    let [small, large] = sizes;
    let share = small / (small + large);
    if values as f64 * share > NORMAL_FROM {
        let mean = (small + large) / (8.0 * small * large);
        return (mean, 2.0 * mean * mean);
    }
    // The logarithm of the binomial probability: itself, it may be too small for a float.
    let mut logarithm = values as f64 * (1.0 - share).ln();
    let (mut mean, mut square) = (0.0, 0.0);
    for on_small in 0..=values.min(VALUES_MAX) {
        let on_large = (values - on_small) as f64;
        let part = divergence(on_small as f64 / small, on_large / large);
        let probability = logarithm.exp();
        mean += probability * part;
        square += probability * part * part;
        logarithm += (on_large / (on_small as f64 + 1.0)).ln() + (share / (1.0 - share)).ln();
    }
    (mean, (square - mean * mean).max(0.0))
}

/// (p ln(p/m) + q ln(q/m)) / 2 with m = (p + q)/2.
fn divergence(p: f64, q: f64) -> f64 {
    let middle = f64::midpoint(p, q);
    let term = |share: f64| if share > 0.0 { share * (share / middle).ln() } else { 0.0 };
    f64::midpoint(term(p), term(q))
}

#[cfg(test)]
mod tests {
    use super::super::counts::frequencies;
    use super::*;
    use crate::values::{Numbers, Sorted};

    #[test]
    fn a_label_that_occurs_once_is_on_one_side() {
        // All parts are certain: whichever side has it, p ln 2 / 2.
        let each_once = frequencies(&[(1, 0), (0, 1)].repeat(50));
        let chance = jensen_shannon_divergence(&each_once);
        assert!((chance - 2_f64.ln()).abs() < 1e-6, "{chance}");
    }

    #[test]
    fn many_values_are_nearly_normal() {
        let exact = part_of_label(60, [1000.0, 1000.0]);
        let normal = part_of_label(70, [1000.0, 1000.0]);
        assert!((exact.0 / normal.0 - 1.0).abs() < 0.02, "{exact:?} {normal:?}");
        assert!((exact.1 / normal.1 - 1.0).abs() < 0.1, "{exact:?} {normal:?}");
        assert_eq!(normal.0, 2000.0 / 8e6);
    }

    #[test]
    fn sides_of_any_size_are_finite() {
        for counts in [[(1_000_000, 0), (0, 1)], [(3, 0), (0, 5)], [(1, 999_999), (0, 1)]] {
            let chance = jensen_shannon_divergence(&frequencies(&counts));
            assert!(chance.is_finite() && chance > 0.0, "{counts:?}: {chance}");
        }
    }

    #[test]
    fn distances_of_numbers_by_chance() {
        let sample = |count: u32| {
            let values = (0..count).map(|row| (f64::from(row) + 0.5) / f64::from(count)).collect();
            Numbers::F64(Sorted::from_ordered(values))
        };
        let (reference, current) = (sample(10_000), sample(100));
        let chance = wasserstein(&Pair::new(&reference, &current));
        // ∫√(F(1 − F)) is π/8 for values spread evenly between 0 and 1.
        let expected = AREAS
            * (std::f64::consts::FRAC_2_PI * (0.0001 + 0.01)).sqrt()
            * std::f64::consts::FRAC_PI_8;
        assert!((chance / expected - 1.0).abs() < 0.01, "{chance} {expected}");
    }
}
