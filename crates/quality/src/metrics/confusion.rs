//! Metrics of labels: accuracy, precision, recall, F1, and the confusion matrix behind them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Counts of (true, predicted) label pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// Labels that occur in the truth or the predictions, sorted (numbers by value).
    pub labels: Vec<String>,
    /// `counts[t][p]`: rows of class `t` that were predicted as `p`.
    pub counts: Vec<Vec<u64>>,
}

/// Precision, recall and F1 of one class; 0 where nothing defines them, as scikit-learn does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    /// Rows that are of the class.
    pub support: u64,
}

impl Confusion {
    pub fn new(truth: &[String], predicted: &[String]) -> Self {
        // One by one: collecting would sort all rows first.
        let mut different: BTreeSet<&String> = BTreeSet::new();
        different.extend(truth.iter().chain(predicted));
        let mut labels: Vec<String> = different.into_iter().cloned().collect();
        if labels.iter().all(|label| label.parse::<f64>().is_ok()) {
            let value = |label: &String| label.parse::<f64>().unwrap_or(f64::NAN);
            labels.sort_by(|a, b| value(a).total_cmp(&value(b)));
        }
        let index: std::collections::BTreeMap<&str, usize> =
            labels.iter().enumerate().map(|(index, label)| (label.as_str(), index)).collect();
        let mut counts = vec![vec![0; labels.len()]; labels.len()];
        for (truth, predicted) in truth.iter().zip(predicted) {
            if let (Some(&t), Some(&p)) = (index.get(truth.as_str()), index.get(predicted.as_str()))
            {
                counts[t][p] += 1;
            }
        }
        Self { labels, counts }
    }

    pub fn rows(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.labels.len()).map(|class| self.counts[class][class]).sum();
        right as f64 / self.rows() as f64
    }

    /// Scores of each class, in the order of the labels.
    pub fn scores(&self) -> Vec<ClassScore> {
        (0..self.labels.len())
            .map(|class| {
                let right = self.counts[class][class] as f64;
                let support: u64 = self.counts[class].iter().sum();
                let predicted: u64 = self.counts.iter().map(|row| row[class]).sum();
                ClassScore {
                    precision: ratio(right, predicted as f64),
                    recall: ratio(right, support as f64),
                    f1: ratio(2.0 * right, (support + predicted) as f64),
                    support,
                }
            })
            .collect()
    }

    /// All metrics; those of one class for `positive`, and none of them where neither truth nor predictions
    /// know it.
    pub fn metrics(&self, positive: Option<&str>) -> Vec<(&'static str, f64)> {
        let scores = self.scores();
        let of =
            |pick: fn(&ClassScore) -> f64| (macro_mean(&scores, pick), weighted(&scores, pick));
        let (precision_macro, precision_weighted) = of(|score| score.precision);
        let (recall_macro, recall_weighted) = of(|score| score.recall);
        let (f1_macro, f1_weighted) = of(|score| score.f1);
        let mut metrics = vec![
            ("accuracy", self.accuracy()),
            ("precision_macro", precision_macro),
            ("precision_weighted", precision_weighted),
            ("recall_macro", recall_macro),
            ("recall_weighted", recall_weighted),
            ("f1_macro", f1_macro),
            ("f1_weighted", f1_weighted),
        ];
        let class = positive.and_then(|class| self.labels.iter().position(|label| label == class));
        if let Some(score) = class.and_then(|class| scores.get(class)) {
            metrics.push(("precision", score.precision));
            metrics.push(("recall", score.recall));
            metrics.push(("f1", score.f1));
        }
        metrics
    }

    /// The table that scikit-learn's `classification_report` prints.
    pub fn report(&self) -> String {
        let scores = self.scores();
        let width = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let width = width.max("weighted avg".len());
        let mut text = format!("{:>width$} ", "");
        for heading in ["precision", "recall", "f1-score", "support"] {
            let _ = write!(text, " {heading:>9}");
        }
        text.push_str("\n\n");
        let mut line = |name: &str, values: [Option<f64>; 3], support: u64| {
            let _ = write!(text, "{name:>width$} ");
            for value in values {
                let value = value.map_or_else(String::new, |value| format!("{value:.2}"));
                let _ = write!(text, " {value:>9}");
            }
            let _ = writeln!(text, " {support:>9}");
        };
        for (label, score) in self.labels.iter().zip(&scores) {
            line(label, [Some(score.precision), Some(score.recall), Some(score.f1)], score.support);
        }
        let rows = self.rows();
        line("", [None; 3], rows);
        line("accuracy", [None, None, Some(self.accuracy())], rows);
        for (name, mean) in [
            ("macro avg", macro_mean as fn(&[ClassScore], fn(&ClassScore) -> f64) -> f64),
            ("weighted avg", weighted),
        ] {
            let values = [
                Some(mean(&scores, |score| score.precision)),
                Some(mean(&scores, |score| score.recall)),
                Some(mean(&scores, |score| score.f1)),
            ];
            line(name, values, rows);
        }
        // The line without a name only separates.
        let separator = text.lines().position(|line| line.trim().parse::<u64>().is_ok());
        text.lines()
            .enumerate()
            .map(|(index, line)| if Some(index) == separator { "" } else { line })
            .fold(String::new(), |mut all, line| {
                all.push_str(line.trim_end());
                all.push('\n');
                all
            })
    }
}

fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

fn macro_mean(scores: &[ClassScore], pick: fn(&ClassScore) -> f64) -> f64 {
    scores.iter().map(pick).sum::<f64>() / scores.len() as f64
}

fn weighted(scores: &[ClassScore], pick: fn(&ClassScore) -> f64) -> f64 {
    let total: u64 = scores.iter().map(|score| score.support).sum();
    let sum: f64 = scores.iter().map(|score| pick(score) * score.support as f64).sum();
    sum / total as f64
}
