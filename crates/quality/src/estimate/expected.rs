//! What a metric is expected to be, if each row is of the class with its probability.
//!
//! As NannyML 0.13.1 computes it (`estimate_roc_auc` and its like in
//! `nannyml/performance_estimation/confidence_based/metrics.py`), with its rounding of expected counts to five
//! digits. Of rows with equal scores those that come later count first: NannyML leaves that to its sorting.

/// Expected counts of what was said and what is true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ExpectedCounts {
    true_positive: f64,
    false_positive: f64,
    false_negative: f64,
    true_negative: f64,
}

impl ExpectedCounts {
    /// From rows: the probability of the class, and whether it was said.
    pub(super) fn new(rows: impl Iterator<Item = (f64, bool)>) -> Self {
        let mut counts = Self {
            true_positive: 0.0,
            false_positive: 0.0,
            false_negative: 0.0,
            true_negative: 0.0,
        };
        for (probability, is_said) in rows {
            if is_said {
                counts.true_positive += probability;
                counts.false_positive += 1.0 - probability;
            } else {
                counts.false_negative += probability;
                counts.true_negative += 1.0 - probability;
            }
        }
        counts
    }

    pub(super) fn f1(&self) -> f64 {
        let errors = self.false_positive + self.false_negative;
        share(self.true_positive, self.true_positive + 0.5 * errors)
    }

    pub(super) fn precision(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    pub(super) fn recall(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_negative)
    }

    pub(super) fn specificity(&self) -> f64 {
        share(self.true_negative, self.true_negative + self.false_positive)
    }

    pub(super) fn accuracy(&self) -> f64 {
        let right = self.true_positive + self.true_negative;
        right / (right + self.false_positive + self.false_negative)
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// Rows in the order of their scores from the highest on: the probabilities.
fn ordered(rows: &[(f64, f64)]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| rows[*a].0.total_cmp(&rows[*b].0));
    order.into_iter().rev().map(|row| rows[row].1).collect()
}

fn rounded(value: f64) -> f64 {
    (value * 1e5).round_ties_even() / 1e5
}

/// Expected (false, true) positives after each row.
fn positives(rows: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut found = 0.0;
    let after = |(number, probability): (usize, f64)| {
        found += probability;
        (rounded(1.0 + number as f64 - found), rounded(found))
    };
    ordered(rows).into_iter().enumerate().map(after).collect()
}

/// The area under the ROC curve of rows, each with its score and its probability; NaN without both kinds.
pub(super) fn roc_auc(rows: &[(f64, f64)]) -> f64 {
    let points = positives(rows);
    let Some(&(all_false, all_true)) = points.last() else { return f64::NAN };
    let (mut before, mut area) = ((0.0, 0.0), 0.0);
    for (false_positives, true_positives) in points {
        let point = (false_positives / all_false, true_positives / all_true);
        area += (point.0 - before.0) * (point.1 + before.1) / 2.0;
        before = point;
    }
    area
}

/// The average precision of rows, each with its score and its probability; NaN without a row of the class.
pub(super) fn average_precision(rows: &[(f64, f64)]) -> f64 {
    let points = positives(rows);
    let Some(&(_, all_true)) = points.last() else { return f64::NAN };
    let (mut before, mut sum) = (0.0, 0.0);
    for (number, (_, true_positives)) in points.into_iter().enumerate() {
        let recall = true_positives / all_true;
        sum += (recall - before) * true_positives / (number as f64 + 1.0);
        before = recall;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certain_rows_have_the_metrics_of_labels() {
        let rows = [(0.9, 1.0), (0.8, 0.0), (0.7, 1.0), (0.1, 0.0)];
        assert_eq!(roc_auc(&rows), 0.75);
        assert!((average_precision(&rows) - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-15);
        let counts = ExpectedCounts::new(rows.iter().map(|row| (row.1, row.0 > 0.5)));
        assert_eq!((counts.accuracy(), counts.recall(), counts.specificity()), (0.75, 1.0, 0.5));
        assert!((counts.precision() - 2.0 / 3.0).abs() < 1e-15);
        assert!((counts.f1() - 0.8).abs() < 1e-15);
    }

    #[test]
    fn nothing_is_undefined() {
        assert!(roc_auc(&[]).is_nan() && average_precision(&[]).is_nan());
        assert!(roc_auc(&[(0.5, 1.0), (0.4, 1.0)]).is_nan());
    }
}
