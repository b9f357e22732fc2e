//! One metric of one model as a function of how often each row counts: what a bootstrap asks thousands of times.

use std::collections::BTreeMap;

use super::ranked::Ranked;
use super::{Confusion, Judged, Probabilities, ranking};
use crate::Result;

/// Metrics that labels alone do not decide.
const OF_PROBABILITIES: [&str; 4] = ["average_precision", "brier", "log_loss", "roc_auc"];

/// What a metric needs of the rows.
#[derive(Debug, Clone)]
pub enum Scorer {
    /// Of labels: (true, predicted) of each row, as positions in the names.
    Labels { metric: String, positive: Option<String>, names: Vec<String>, cells: Vec<(u32, u32)> },
    /// The mean of one loss a row, or its root.
    Mean { losses: Vec<f64>, is_root: bool },
    /// R²: true values and squared errors.
    Determination { truth: Vec<f64>, squared: Vec<f64> },
    /// Area under ROC curves, the mean over classes.
    Areas(Vec<Ranked>),
    /// Average precision.
    Precision(Ranked),
}

impl Scorer {
    /// Of predictions; none if the metric is not defined for them.
    pub fn new(metric: &str, judged: &Judged<'_>) -> Result<Option<Self>> {
        judged.rows()?;
        match *judged {
            Judged::Quantities { truth, predicted } => Ok(of_quantities(metric, truth, predicted)),
            Judged::Classes { truth, predicted, probabilities, positive } => match probabilities {
                Some(probabilities) if OF_PROBABILITIES.contains(&metric) => {
                    of_probabilities(metric, positive, truth, probabilities)
                }
                _ => Ok(of_labels(metric, positive, truth, predicted)),
            },
        }
    }

    /// The metric, each row counted as often as its weight says; NaN where that is not defined.
    pub fn score(&self, weights: &[u32]) -> f64 {
        match self {
            Self::Labels { metric, positive, .. } => {
                let metrics =
                    self.confusion(weights).map(|found| found.metrics(positive.as_deref()));
                let metrics = metrics.unwrap_or_default();
                let found = metrics.iter().find(|(name, _)| name == metric);
                found.map_or(f64::NAN, |(_, value)| *value)
            }
            Self::Mean { losses, is_root } => {
                let mean = mean(losses, weights);
                if *is_root { mean.sqrt() } else { mean }
            }
            Self::Determination { truth, squared } => {
                let centre = mean(truth, weights);
                let spread: Vec<f64> = truth.iter().map(|t| (t - centre) * (t - centre)).collect();
                1.0 - mean(squared, weights) / mean(&spread, weights)
            }
            Self::Areas(areas) => {
                let sum: f64 = areas.iter().map(|ranked| ranked.roc_auc(weights)).sum();
                sum / areas.len() as f64
            }
            Self::Precision(ranked) => ranked.average_precision(weights),
        }
    }

    /// Counts of true and predicted labels, each row counted as often as its weight says; none where the metric is
    /// not one of labels.
    pub fn confusion(&self, weights: &[u32]) -> Option<Confusion> {
        let Self::Labels { names, cells, .. } = self else { return None };
        let mut counts = vec![vec![0_u64; names.len()]; names.len()];
        for (&(truth, predicted), &weight) in cells.iter().zip(weights) {
            counts[truth as usize][predicted as usize] += u64::from(weight);
        }
        Some(Confusion { labels: names.clone(), counts })
    }

    /// On how many rows two models differ in what this metric looks at.
    pub fn differing(&self, other: &Self) -> usize {
        let count =
            |differ: &mut dyn Iterator<Item = bool>| differ.filter(|differ| *differ).count();
        match (self, other) {
            (
                Self::Labels { cells, names, .. },
                Self::Labels { cells: others, names: other, .. },
            ) => {
                let both = cells.iter().zip(others);
                count(&mut both.map(|(a, b)| predicted(names, *a) != predicted(other, *b)))
            }
            (Self::Mean { losses: a, .. }, Self::Mean { losses: b, .. })
            | (Self::Determination { squared: a, .. }, Self::Determination { squared: b, .. }) => {
                count(&mut a.iter().zip(b).map(|(a, b)| a != b))
            }
            // Ranks have no rows of their own: each score takes part in all.
            (Self::Areas(_) | Self::Precision(_), _) => usize::MAX,
            _ => 0,
        }
    }

    /// Whether the metric is between 0 and 1.
    pub fn is_share(&self) -> bool {
        matches!(self, Self::Labels { .. } | Self::Areas(_) | Self::Precision(_))
    }
}

fn predicted(names: &[String], (_, position): (u32, u32)) -> Option<&str> {
    names.get(position as usize).map(String::as_str)
}

fn mean(values: &[f64], weights: &[u32]) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (value, &weight) in values.iter().zip(weights) {
        sum += value * f64::from(weight);
        total += f64::from(weight);
    }
    sum / total
}

fn of_probabilities(
    metric: &str,
    positive: Option<&str>,
    truth: &[String],
    probabilities: &Probabilities,
) -> Result<Option<Scorer>> {
    let Some(labels) = ranking::labels(truth, probabilities)? else { return Ok(None) };
    let ranked = |class| Ranked::new(&ranking::scores(class, &labels, probabilities));
    let positive = positive.and_then(|class| probabilities.position(class));
    let classes = probabilities.classes.len();
    Ok(match (metric, positive) {
        ("log_loss", _) => {
            let losses = ranking::log_losses(&labels, probabilities);
            Some(Scorer::Mean { losses, is_root: false })
        }
        ("brier", Some(class)) => {
            let losses = ranking::brier_losses(class, &labels, probabilities);
            Some(Scorer::Mean { losses, is_root: false })
        }
        ("roc_auc", _) if classes == 2 => Some(Scorer::Areas(vec![ranked(1)])),
        ("roc_auc", _) => Some(Scorer::Areas((0..classes).map(ranked).collect())),
        ("average_precision", Some(class)) => Some(Scorer::Precision(ranked(class))),
        _ => None,
    })
}

fn of_quantities(metric: &str, truth: &[f64], predicted: &[f64]) -> Option<Scorer> {
    let losses = |loss: fn(f64, f64) -> f64| -> Vec<f64> {
        truth.iter().zip(predicted).map(|(truth, predicted)| loss(*truth, *predicted)).collect()
    };
    let mean = |loss| Scorer::Mean { losses: losses(loss), is_root: false };
    match metric {
        "mae" => Some(mean(|t, p| (t - p).abs())),
        "mape" => Some(mean(|t, p| (p - t).abs() / t.abs().max(f64::EPSILON))),
        "bias" => Some(mean(|t, p| p - t)),
        "rmse" => Some(Scorer::Mean { losses: losses(|t, p| (t - p) * (t - p)), is_root: true }),
        "r2" => {
            let squared = losses(|t, p| (t - p) * (t - p));
            Some(Scorer::Determination { truth: truth.to_vec(), squared })
        }
        _ => None,
    }
}

fn of_labels(
    metric: &str,
    positive: Option<&str>,
    truth: &[String],
    predicted: &[String],
) -> Option<Scorer> {
    let confusion = Confusion::new(truth, predicted);
    confusion.metrics(positive).iter().find(|(name, _)| *name == metric)?;
    let names = confusion.labels;
    let position: BTreeMap<&str, u32> =
        names.iter().zip(0..).map(|(name, position)| (name.as_str(), position)).collect();
    let of = |label: &String| position.get(label.as_str()).copied();
    let cells = truth.iter().zip(predicted).map(|(t, p)| Some((of(t)?, of(p)?)));
    let cells = cells.collect::<Option<Vec<_>>>()?;
    let positive = positive.map(str::to_owned);
    Some(Scorer::Labels { metric: metric.to_owned(), positive, cells, names })
}
