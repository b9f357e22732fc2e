//! Direct loss estimation: how large the errors of a regression are expected to be, before there are labels.
//!
//! A second model learns from a reference with labels how large the loss of a row is, by its columns and by what was
//! predicted; its mean over rows without labels is the estimate. As in NannyML 0.13.1 (`DLE`): the same losses, the
//! same sampling errors. The second model is LightGBM there and [`Boosted`] here, with the same settings; estimates
//! differ by what two such models differ by, which is little beside the sampling error.

use super::cbpe::Estimate;
use super::sampling_error::{Spread, deviation};
use crate::boosting::Boosted;
use crate::{Error, Result};

/// Losses that are estimated, by name.
pub const LOSSES: [&str; 6] = ["mae", "mape", "mse", "msle", "rmse", "rmsle"];

/// Rows that the second model learns from at most: more tell it nothing that a sampling error would not hide.
const ROWS_MAX: usize = 100_000;
/// Rows below which nothing can be learned: two leaves of a tree.
const ROWS_MIN: usize = 40;

/// What is lost on one row: of what is true and what was said.
type Loss = fn(f64, f64) -> f64;

/// A loss of rows, and the metrics that are means of it, or their root.
struct Family {
    loss: Loss,
    mean: &'static str,
    root: Option<&'static str>,
    /// Whether it is defined for negative values.
    takes_negative: bool,
}

const FAMILIES: [Family; 4] = [
    Family { loss: absolute, mean: "mae", root: None, takes_negative: true },
    Family { loss: relative, mean: "mape", root: None, takes_negative: true },
    Family { loss: squared, mean: "mse", root: Some("rmse"), takes_negative: true },
    Family { loss: squared_log, mean: "msle", root: Some("rmsle"), takes_negative: false },
];

fn absolute(truth: f64, said: f64) -> f64 {
    (truth - said).abs()
}

fn relative(truth: f64, said: f64) -> f64 {
    (truth - said).abs() / truth.abs().max(f64::EPSILON)
}

fn squared(truth: f64, said: f64) -> f64 {
    (truth - said) * (truth - said)
}

fn squared_log(truth: f64, said: f64) -> f64 {
    let difference = (1.0 + truth).ln() - (1.0 + said).ln();
    difference * difference
}

/// What was learned of one loss.
#[derive(Debug, Clone)]
struct Learned {
    mean: &'static str,
    root: Option<&'static str>,
    model: Boosted,
    /// Of a mean of the loss.
    spread: Spread,
    /// The loss of the reference.
    mean_loss: f64,
}

/// An estimator that has seen a reference.
#[derive(Debug, Clone)]
pub struct Dle {
    learned: Vec<Learned>,
    columns: usize,
}

impl Dle {
    /// Learns from rows with labels: columns of numbers (labels as numbers of their own, NaN where one is missing),
    /// what was true and what was predicted. Losses of logarithms are left out where a value is negative.
    pub fn fit(columns: &[Vec<f64>], truth: &[f64], predicted: &[f64]) -> Result<Self> {
        let rows = truth.len();
        if predicted.len() != rows {
            return Err(Error::Lengths { truth: rows, predictions: predicted.len() });
        }
        if rows < ROWS_MIN {
            return Err(Error::TooFewRows { rows, least: ROWS_MIN });
        }
        finite("truth", truth)?;
        finite("prediction", predicted)?;
        let features = with_prediction(columns, predicted, rows.div_ceil(ROWS_MAX));
        let has_negative = truth.iter().chain(predicted).any(|value| *value < 0.0);
        let learn = |family: &Family| {
            let losses: Vec<f64> =
                truth.iter().zip(predicted).map(|(t, p)| (family.loss)(*t, *p)).collect();
            let target: Vec<f64> =
                losses.iter().step_by(rows.div_ceil(ROWS_MAX)).copied().collect();
            let deviation = match family.mean {
                // There the size of the true value is not taken without its sign.
                "mape" => {
                    let signed = |(t, p): (&f64, &f64)| (t - p).abs() / t;
                    deviation(&truth.iter().zip(predicted).map(signed).collect::<Vec<f64>>())
                }
                _ => deviation(&losses),
            };
            Learned {
                mean: family.mean,
                root: family.root,
                model: Boosted::fit(&features, &target),
                spread: Spread { deviation, share: 1.0 },
                mean_loss: losses.iter().sum::<f64>() / rows as f64,
            }
        };
        let is_defined = |family: &&Family| family.takes_negative || !has_negative;
        let learned = FAMILIES.iter().filter(is_defined).map(learn).collect();
        Ok(Self { learned, columns: columns.len() })
    }

    /// The expected losses of rows without labels, given the same columns as the reference's.
    pub fn estimate(&self, columns: &[Vec<f64>], predicted: &[f64]) -> Result<Vec<Estimate>> {
        if columns.len() != self.columns {
            return Err(Error::OtherColumns { found: columns.len(), expected: self.columns });
        }
        finite("prediction", predicted)?;
        let rows = predicted.len();
        let positive = (0.0, f64::INFINITY);
        let mut estimates = Vec::new();
        for learned in &self.learned {
            let loss = |row: usize| {
                let value =
                    |place: usize| columns.get(place).map_or(predicted[row], |column| column[row]);
                learned.model.predict(value).max(0.0)
            };
            let mean = (0..rows).map(loss).sum::<f64>() / rows as f64;
            let error = learned.spread.error(rows);
            estimates.push(Estimate::new(learned.mean, mean, error, positive));
            if let Some(root) = learned.root {
                // Of a root by the delta method, as there.
                let error = error / (2.0 * learned.mean_loss.sqrt());
                estimates.push(Estimate::new(root, mean.sqrt(), error, positive));
            }
        }
        Ok(estimates)
    }
}

/// The columns and behind them the prediction, every so manieth row of them.
fn with_prediction(columns: &[Vec<f64>], predicted: &[f64], step: usize) -> Vec<Vec<f64>> {
    let thin = |column: &[f64]| column.iter().step_by(step.max(1)).copied().collect::<Vec<f64>>();
    columns.iter().map(|column| thin(column)).chain(std::iter::once(thin(predicted))).collect()
}

/// Refuses what cannot be computed with.
fn finite(column: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => Err(Error::NotFinite {
            column: column.to_owned(),
            row: place + 1,
            value: values[place],
        }),
    }
}
