//! Distances between two cumulative distributions.

use crate::values::{CompensatedSum, Pair, Precision};

/// A reference that hardly varies is divided by this instead of its standard deviation.
const SMALLEST_SCALE: f64 = 0.001;

/// Standard deviations below this share of the mean may be rounding: single precision has seven digits.
const SMALLEST_SHARE: f64 = 1e-6;

/// Σ height(F_r, F_c)·Δz over the pooled values.
pub(super) fn integrate(pair: &Pair<'_>, height: impl Fn(f64, f64) -> f64) -> f64 {
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    let (mut below1, mut below2) = (0_u64, 0_u64);
    let mut previous: Option<f64> = None;
    let mut sum = CompensatedSum::default();
    pair.for_each(|step| {
        if let Some(previous) = previous {
            sum.add(height(below1 as f64 / n1, below2 as f64 / n2) * (step.value - previous));
        }
        below1 += step.reference;
        below2 += step.current;
        previous = Some(step.value);
    });
    sum.value()
}

/// Standard deviation of the reference, population form, rounded to the reference's own precision,
/// whatever the current side is in: numpy computes it from the reference alone.
pub(crate) fn reference_deviation(pair: &Pair<'_>) -> f64 {
    let (_, variance) = pair.reference().moments();
    match pair.reference_precision() {
        Precision::Integer | Precision::Double => variance.sqrt(),
        Precision::Single | Precision::Half => f64::from((variance as f32).sqrt()),
    }
}

/// Wasserstein-1 distance in the unit of the values.
pub(crate) fn wasserstein(pair: &Pair<'_>) -> f64 {
    integrate(pair, |reference, current| (reference - current).abs())
}

/// Wasserstein-1 distance in standard deviations of the reference.
pub(crate) fn wasserstein_normed(pair: &Pair<'_>) -> f64 {
    wasserstein(pair) / scale(pair)
}

/// What Evidently divides by.
pub(crate) fn scale(pair: &Pair<'_>) -> f64 {
    let deviation = reference_deviation(pair);
    // Python's max(nan, 0.001) is nan, and so is the score.
    if deviation < SMALLEST_SCALE { SMALLEST_SCALE } else { deviation }
}

/// The standard deviation of a reference that varies by less than Evidently divides by: a column of millionths
/// can move by ten of them and stay below any threshold otherwise. `None` where it varies by more, or by
/// hardly more than rounding does.
pub(crate) fn small_scale(pair: &Pair<'_>) -> Option<f64> {
    let reference = pair.reference();
    // A quarter of the values on either side of the quartiles make the deviation an eighth of what lies between
    // them at least, whatever else there is: nearly all columns need no further look.
    let between = reference.quantile(0.75)? - reference.quantile(0.25)?;
    if between / 8.0 > SMALLEST_SCALE {
        return None;
    }
    let deviation = reference_deviation(pair);
    let (mean, _) = reference.moments();
    let is_small = deviation < SMALLEST_SCALE && deviation > SMALLEST_SHARE * mean.abs();
    is_small.then_some(deviation)
}

/// Energy distance √2·√(Σ (F_r − F_c)²·Δz).
pub(crate) fn energy(pair: &Pair<'_>) -> f64 {
    (2.0 * integrate(pair, |reference, current| (reference - current).powi(2))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Numbers, Sorted};

    #[test]
    fn the_scale_is_in_the_references_precision_whatever_current_is() {
        let mut single = [0.1_f32, 0.2, 0.7, 1.3, 5.9, 2.2];
        single.sort_by(f32::total_cmp);
        let reference = Numbers::F32(Sorted::from_ordered(single.to_vec()));
        let current = Numbers::F64(Sorted::from_ordered(vec![0.3, 0.4, 1.1, 9.5]));
        // scipy.stats.wasserstein_distance(reference, current) / numpy.std(reference)
        let score = wasserstein_normed(&Pair::new(&reference, &current));
        assert!((score / 0.7230460010888919 - 1.0).abs() < 1e-9, "{score}");
    }

    #[test]
    fn small_values_have_a_scale_of_their_own() {
        let scale_of = |scale: f64, start: f64| {
            let values = (0..100).map(|row| scale * (f64::from(row) / 50.0 + start)).collect();
            let numbers = Numbers::F64(Sorted::from_ordered(values));
            small_scale(&Pair::new(&numbers, &numbers))
        };
        // The standard deviation of 0, 1, … 99 is √((100² − 1) / 12).
        let expected = 1e-6 / 50.0 * (9999.0_f64 / 12.0).sqrt();
        let small = scale_of(1e-6, 0.0).unwrap();
        assert!((small / expected - 1.0).abs() < 1e-9, "{small} {expected}");
        // It is true as it is, or nothing but rounding.
        assert_eq!(scale_of(1.0, 0.0), None);
        assert_eq!(scale_of(1e-9, 1e9), None);
        assert_eq!(scale_of(0.0, 0.0), None);
    }
}
