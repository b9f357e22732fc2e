//! Rare labels that are much more or much less frequent now.
//!
//! Distances between distributions hardly see them: a class that goes from 0.5 % to 2 % moves 1.5 % of the
//! values, and may be the one that matters.

use std::fmt::Write as _;

use super::numbers::{distinguished, percent};
use crate::finding::{Finding, FindingKind, Severity};
use crate::labels::for_each_label;
use crate::sides::Sides;
use crate::statistics::special::normal_sf;

/// Share of the reference up to which a label is rare; others move the distances.
const RARE_MAX: f64 = 0.05;
/// How many times as frequent a label has to be, or one over it.
const RATIO_MIN: f64 = 2.0;
/// Chance of any such finding on a column whose labels are as frequent as they were.
const CHANCE_MAX: f64 = 0.001;
/// Occurrences expected on each side from which on counts are nearly normal (Cochran, 1954).
const EXPECTED_MIN: f64 = 5.0;
/// Standard errors of a 95 % interval.
const INTERVAL_ERRORS: f64 = 1.96;
/// Labels that the message names.
const NAMED_MAX: usize = 3;

struct Rate {
    label: String,
    shares: [f64; 2],
    errors: f64,
    ratio: f64,
    interval: [f64; 2],
}

/// Finding on labels of both sides that occur at another rate.
pub(crate) fn on_rare_labels(sides: &Sides<'_>) -> Option<Finding> {
    let totals = sides.frequencies().totals();
    let [n1, n2] = [totals.0 as f64, totals.1 as f64];
    let (mut rates, mut tested) = (Vec::new(), 0_u32);
    for_each_label(sides.reference, sides.current, sides.compat, |before, after, label| {
        let [k1, k2] = [before as f64, after as f64];
        let pooled = (k1 + k2) / (n1 + n2);
        if before == 0 || after == 0 || k1 > RARE_MAX * n1 || pooled * n1.min(n2) < EXPECTED_MIN {
            return;
        }
        tested += 1;
        let shares = [k1 / n1, k2 / n2];
        let ratio = shares[1] / shares[0];
        let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
        let errors = (shares[1] - shares[0]).abs() / error;
        if ratio.max(1.0 / ratio) >= RATIO_MIN && 2.0 * normal_sf(errors) < CHANCE_MAX {
            // Katz's interval of a ratio of proportions (1978).
            let log_error = (1.0 / k1 - 1.0 / n1 + 1.0 / k2 - 1.0 / n2).sqrt();
            let interval =
                [-1.0, 1.0].map(|sign| ratio * (sign * INTERVAL_ERRORS * log_error).exp());
            rates.push(Rate { label: label(), shares, errors, ratio, interval });
        }
    });
    // As many labels as were tested had the chance to be found.
    rates.retain(|rate: &Rate| 2.0 * normal_sf(rate.errors) * f64::from(tested) < CHANCE_MAX);
    rates.sort_by(|a, b| b.errors.total_cmp(&a.errors));
    if rates.is_empty() {
        return None;
    }
    let mut message = String::from("rare labels occur at another rate: ");
    for (place, rate) in rates.iter().take(NAMED_MAX).enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        let [low, ratio, high] =
            distinguished([rate.interval[0], rate.ratio, rate.interval[1]].map(two_digits));
        // Writing to a String cannot fail.
        let _infallible = write!(
            message,
            "{separator}{:?} {ratio} times as often ({} → {}; 95 % interval {low} to {high})",
            rate.label,
            percent(rate.shares[0]),
            percent(rate.shares[1])
        );
    }
    if rates.len() > NAMED_MAX {
        let _infallible = write!(message, " and {} more", rates.len() - NAMED_MAX);
    }
    Some(Finding::new(FindingKind::RareLabelRate, Severity::Warning, message))
}

/// A ratio is not known better.
fn two_digits(ratio: f64) -> f64 {
    format!("{ratio:.1e}").parse().unwrap_or(ratio)
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;
    use crate::Compat;
    use crate::column::Column;

    #[test]
    fn a_rare_class_four_times_as_often_is_said() {
        let column = |fraud: usize| {
            let labels = (0..10_000).map(|row| if row < fraud { "fraud" } else { "fine" });
            Column::new(&[&StringArray::from_iter_values(labels)])
        };
        let found = |before: usize, after: usize| {
            let (reference, current) = (column(before), column(after));
            on_rare_labels(&Sides::new(&reference, &current, Compat::Trainyard))
        };
        let message = found(50, 200).unwrap().message;
        assert!(
            message
                .ends_with("\"fraud\" 4 times as often (0.5 % → 2.0 %; 95 % interval 2.9 to 5.4)"),
            "{message}"
        );
        assert!(found(200, 50).is_some());
        for (before, after) in [(50, 60), (5, 12), (0, 100), (1000, 3000)] {
            assert_eq!(found(before, after), None, "{before} {after}");
        }
    }
}
