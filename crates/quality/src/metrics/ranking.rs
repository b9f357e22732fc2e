//! Metrics of probabilities: log loss, the area under the ROC curve, average precision, the Brier score.

use super::Probabilities;
use super::ranked::Ranked;
use crate::{Error, Result};

/// Log loss and ROC AUC, and of the positive class average precision and Brier score. All are left out when a
/// row is of a class the model does not know, areas when a class has no row.
pub fn evaluate(
    truth: &[String],
    probabilities: &Probabilities,
    positive: Option<&str>,
) -> Result<Vec<(&'static str, f64)>> {
    let mut metrics = Vec::new();
    if let Some(labels) = labels(truth, probabilities)? {
        metrics.push(("log_loss", mean(&log_losses(&labels, probabilities))));
        metrics.push(("roc_auc", roc_auc(&labels, probabilities)));
        if let Some(class) = positive.and_then(|class| probabilities.position(class)) {
            let ranked = Ranked::new(&scores(class, &labels, probabilities));
            metrics.push(("average_precision", ranked.average_precision(&vec![1; labels.len()])));
            metrics.push(("brier", mean(&brier_losses(class, &labels, probabilities))));
        }
    }
    Ok(metrics)
}

/// Each row's class as a position among those of the model; none if it does not know one of them.
pub fn labels(truth: &[String], probabilities: &Probabilities) -> Result<Option<Vec<usize>>> {
    let classes = probabilities.classes.len();
    if probabilities.values.len() != truth.len() * classes || classes < 2 {
        let probabilities = probabilities.values.len();
        return Err(Error::Probabilities { probabilities, rows: truth.len(), classes });
    }
    if let Some(position) =
        probabilities.values.iter().position(|value| !(0.0..=1.0).contains(value))
    {
        let value = probabilities.values[position];
        return Err(Error::NotAProbability { row: position / classes + 1, value });
    }
    Ok(truth.iter().map(|label| probabilities.position(label)).collect())
}

/// Minus the logarithm of what was said of the true class, a row.
pub fn log_losses(labels: &[usize], probabilities: &Probabilities) -> Vec<f64> {
    let classes = probabilities.classes.len();
    let epsilon = probabilities.epsilon;
    let rows = labels.iter().zip(probabilities.values.chunks(classes));
    rows.map(|(&label, row)| -row[label].clamp(epsilon, 1.0 - epsilon).ln()).collect()
}

/// The squared distance of a class' probability from what is true, a row (`sklearn.metrics.brier_score_loss`).
pub fn brier_losses(class: usize, labels: &[usize], probabilities: &Probabilities) -> Vec<f64> {
    let distance = |(score, is_class): (f64, bool)| score - f64::from(u8::from(is_class));
    let scores = scores(class, labels, probabilities);
    scores.into_iter().map(|row| distance(row).powi(2)).collect()
}

/// The probability of a class and whether it is true, a row.
pub fn scores(class: usize, labels: &[usize], probabilities: &Probabilities) -> Vec<(f64, bool)> {
    let rows = labels.iter().zip(probabilities.values.chunks(probabilities.classes.len()));
    rows.map(|(&label, row)| (row[class], label == class)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Area under the curve of the second class, or the mean over the classes, each against the rest.
/// NaN if a class has no row.
fn roc_auc(labels: &[usize], probabilities: &Probabilities) -> f64 {
    let classes = probabilities.classes.len();
    let area = |class: usize| Curve::new(scores(class, labels, probabilities)).area();
    if classes == 2 { area(1) } else { (0..classes).map(area).sum::<f64>() / classes as f64 }
}

/// A ROC curve: rates of true and false positives as the threshold falls.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// (false positives, true positives) after each different score, from (0, 0).
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// From scores and whether each row is of the class.
    pub fn new(mut scores: Vec<(f64, bool)>) -> Self {
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut points = vec![(0.0, 0.0)];
        let (mut negatives, mut positives) = (0.0, 0.0);
        for (index, &(score, positive)) in scores.iter().enumerate() {
            if positive {
                positives += 1.0;
            } else {
                negatives += 1.0;
            }
            if scores.get(index + 1).is_none_or(|next| next.0 != score) {
                points.push((negatives, positives));
            }
        }
        Self { points }
    }

    /// Area under the curve, between 0 and 1; NaN if all rows are of one kind.
    pub fn area(&self) -> f64 {
        let Some(&(negatives, positives)) = self.points.last() else { return f64::NAN };
        let doubled: f64 = self
            .points
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1))
            .sum();
        // 0/0 is NaN: without both kinds there is no area.
        doubled / 2.0 / (negatives * positives)
    }

    /// The points as rates, for drawing.
    pub fn rates(&self) -> Vec<(f64, f64)> {
        let Some(&(negatives, positives)) = self.points.last() else { return Vec::new() };
        self.points.iter().map(|(x, y)| (x / negatives, y / positives)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_counts_ties_half() {
        let area = |scores: &[(f64, bool)]| Curve::new(scores.to_vec()).area();
        assert_eq!(area(&[(0.9, true), (0.1, false)]), 1.0);
        assert_eq!(area(&[(0.5, true), (0.5, false)]), 0.5);
        assert_eq!(area(&[(0.1, true), (0.9, false), (0.9, true), (0.1, false)]), 0.5);
        assert!(area(&[(0.1, true)]).is_nan());
    }

    #[test]
    fn impossible_probabilities_are_refused() {
        let truth = ["a".to_owned()];
        let with = |values: Vec<f64>| {
            let classes = vec!["a".to_owned(), "b".to_owned()];
            evaluate(&truth, &Probabilities { classes, values, epsilon: f64::EPSILON }, None)
        };
        assert!(with(vec![1.1, -0.1]).is_err());
        assert!(with(vec![f64::NAN, 0.5]).is_err());
        assert!(with(vec![1.0]).is_err());
    }
}
