//! Scores that decide instead of Evidently's, where that one misleads.

use crate::kind::Kind;
use crate::method::Method;
use crate::sides::Sides;
use crate::statistics::{chance, counts, distance};

/// 1/n + 1/m below which chance brings no distance that matters: 20,000 values on both sides.
const SPREAD_MIN: f64 = 1e-4;

/// Distinct numbers up to which Evidently's default rule counts values.
const FEW_VALUES: usize = 5;

/// What decides in the place of this score; `None` where the score does. Whoever asks for a method or a threshold
/// means the distance as it is.
pub(super) fn adjusted_score(
    method: Method,
    kind: Kind,
    (score, threshold): (f64, f64),
    is_asked: bool,
    sides: &Sides<'_>,
) -> Option<f64> {
    let is_drift = |score: f64| method.is_drift(score, threshold);
    // Numbers of so few values are counted by value, as labels are.
    let is_few = || sides.distinct_up_to(FEW_VALUES) <= FEW_VALUES;
    match method {
        // The reference is a sample as current is.
        Method::ChiSquare => Some(counts::chi_square_of_two_samples(sides.frequencies())),
        // So it is for distances, which are large by chance where values are few or labels many.
        Method::JensenShannon
            if !is_asked && is_drift(score) && (kind == Kind::Categorical || is_few()) =>
        {
            let chance = chance::jensen_shannon_divergence(sides.frequencies());
            Some(beyond(score, chance.sqrt())).filter(|score| !is_drift(*score))
        }
        Method::Wasserstein => {
            let pair = sides.numbers().ok()?;
            let small = distance::small_scale(pair);
            let scaled = small.map(|scale| distance::wasserstein(pair) / scale);
            let decisive = scaled.unwrap_or(score);
            let spread = 1.0 / pair.reference_len() as f64 + 1.0 / pair.current_len() as f64;
            if is_asked || spread < SPREAD_MIN || !is_drift(decisive) {
                return scaled;
            }
            let scale = small.unwrap_or_else(|| distance::scale(pair));
            let beyond = beyond(decisive, chance::wasserstein(pair) / scale);
            if is_drift(beyond) { scaled } else { Some(beyond) }
        }
        _ => None,
    }
}

/// What is left of a distance beyond that of chance: their squares add up, as those of errors do.
fn beyond(distance: f64, chance: f64) -> f64 {
    (distance * distance - chance * chance).max(0.0).sqrt()
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
        assert!(fewer.drifted && fewer.adjusted_score.is_none(), "{fewer:?}");
        let few = verdict(&labels(0, 5), &labels(5000, 5), Compat::Trainyard);
        assert_eq!((few.adjusted_score, few.drifted), (None, false));
    }

    #[test]
    fn few_values_are_apart_by_chance() {
        // Sixty of 2000 values, a little above the middle, and those of one end.
        let reference = Float64Array::from_iter_values((0..2000).map(f64::from));
        let sample = |values: fn(u32) -> u32| {
            Float64Array::from_iter_values((0..60).map(|row| f64::from(values(row))))
        };
        let by_chance = sample(|row| row * 28 + 300);
        let chance = verdict(&reference, &by_chance, Compat::Trainyard);
        let evidently = verdict(&reference, &by_chance, Compat::Evidently);
        assert!(evidently.drifted && !chance.drifted, "{chance:?}");
        assert_eq!(evidently.score, chance.score);
        let moved = verdict(&reference, &sample(|row| 1000 + row), Compat::Trainyard);
        assert!(moved.drifted && moved.adjusted_score.is_none(), "{moved:?}");
    }

    #[test]
    fn whoever_asks_for_a_method_means_its_distance() {
        let reference = Float64Array::from_iter_values((0..2000).map(f64::from));
        let few = Float64Array::from_iter_values((0..60).map(|row| f64::from(row * 28 + 300)));
        for asked in [
            Options { method: Some(Method::Wasserstein), ..Options::default() },
            Options { threshold: Some(0.1), ..Options::default() },
        ] {
            let verdict = compare_arrays("x", &reference, &few, &asked).verdict().unwrap().clone();
            assert!(verdict.drifted && verdict.adjusted_score.is_none(), "{verdict:?}");
        }
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
