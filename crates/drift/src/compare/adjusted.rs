//! Scores that decide instead of Evidently's, where that one misleads.

use crate::kind::Kind;
use crate::method::Method;
use crate::sides::Sides;
use crate::statistics::{chance, counts, distance};

/// The Jensen–Shannon distance that chance brings from which on it is taken off: half of the default threshold.
/// What is less decides nothing.
const CHANCE_MIN: f64 = 0.05;

/// What decides in the place of this score; `None` where the score does.
pub(super) fn adjusted_score(
    method: Method,
    kind: Kind,
    score: f64,
    sides: &Sides<'_>,
) -> Option<f64> {
    match method {
        // The reference is a sample as current is.
        Method::ChiSquare => Some(counts::chi_square_of_two_samples(sides.frequencies())),
        // So it is here: where labels are many, two halves of one table are far apart.
        Method::JensenShannon if kind == Kind::Categorical => {
            let chance = chance::jensen_shannon_divergence(sides.frequencies());
            (chance >= CHANCE_MIN * CHANCE_MIN).then(|| (score * score - chance).max(0.0).sqrt())
        }
        Method::Wasserstein => distance::wasserstein_of_small_values(sides.numbers().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Float64Array, StringArray};

    use crate::{Compat, Method, Options, Verdict, compare_arrays};

    fn verdict(before: &dyn Array, after: &dyn Array, compat: Compat) -> Verdict {
        let options = Options { compat, ..Options::default() };
        compare_arrays("x", before, after, &options).verdict().unwrap().clone()
    }

    /// 1500 of so many equally frequent labels, as chance has them (SplitMix64).
    fn labels(seed: u64, count: u64) -> StringArray {
        let random = |row: u64| {
            let mixed = (seed + row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        StringArray::from_iter_values((0..1500).map(|row| format!("l{}", random(row) % count)))
    }

    #[test]
    fn many_labels_are_apart_by_chance() {
        let before = labels(0, 600);
        let same = verdict(&before, &labels(5000, 600), Compat::Trainyard);
        assert_eq!(same.method, Method::JensenShannon);
        assert!(same.score > 0.2 && !same.drifted, "{same:?}");
        let evidently = verdict(&before, &labels(5000, 600), Compat::Evidently);
        assert!(evidently.drifted && evidently.score == same.score, "{evidently:?}");
        let fewer = verdict(&before, &labels(5000, 400), Compat::Trainyard);
        assert!(fewer.drifted && fewer.score > fewer.decisive_score(), "{fewer:?}");
        // Few labels are judged by the score alone.
        let few = verdict(&labels(0, 5), &labels(5000, 5), Compat::Trainyard);
        assert_eq!((few.adjusted_score, few.drifted), (None, false));
    }

    #[test]
    fn millionths_drift_as_units_do() {
        let values = |shift: f64| {
            let value = |row: u32| 1e-6 * (f64::from(row % 997) / 500.0 + shift);
            Float64Array::from_iter_values((0..1500).map(value))
        };
        let moved = verdict(&values(0.0), &values(1.0), Compat::Trainyard);
        assert_eq!(moved.method, Method::Wasserstein);
        assert!(moved.drifted && moved.score < 0.01, "{moved:?}");
        assert!(!verdict(&values(0.0), &values(0.0), Compat::Trainyard).drifted);
        assert!(!verdict(&values(0.0), &values(1.0), Compat::Evidently).drifted);
    }
}
