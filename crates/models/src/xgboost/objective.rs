//! How sums become predictions.

use super::fields::{count, malformed};
use crate::document::Document;
use crate::{Error, Result};

/// XGBoost's `kRtEps`: outputs that must ascend do so by this at least.
const EPSILON: f32 = 1e-6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Objective {
    Identity,
    Logistic,
    /// Margins of a probability: `binary:logitraw` before 1.3.
    RawLogistic,
    Hinge,
    Exp,
    SoftProb,
    SoftMax,
    /// Each output is the one before and a soft plus of its sum: expectiles, since XGBoost 3.3.
    Ascending,
    /// The outputs in order: quantiles, since XGBoost 3.4.
    Sorted,
}

impl Objective {
    /// Reads the objective of a learner with so many classes and targets. What a version of XGBoost changed
    /// is as in the version that wrote the file.
    pub(super) fn read(
        objective: Option<&Document>,
        classes: usize,
        targets: usize,
        version: (usize, usize),
    ) -> Result<Self> {
        let get = |name: &str| objective.and_then(|objective| objective.get(name));
        let name = get("name").and_then(Document::text).unwrap_or_default();
        let levels = |group: &str, name: &str| {
            let text = get(group).and_then(|group| group.get(name)).and_then(Document::text);
            let count = text.map_or(1, |text| text.split(',').count());
            if count == targets {
                return Ok(());
            }
            Err(malformed(format!("{name} holds {count} levels for {targets} outputs")))
        };
        if name.starts_with("multi:") {
            let said = get("softmax_multiclass_param").map(|group| count(group, "num_class"));
            if said.transpose().map_err(malformed)?.is_some_and(|said| said.max(1) != classes) {
                return Err(malformed(format!("the objective is not of {classes} classes")));
            }
        }
        Ok(match name {
            "reg:quantileerror" => {
                levels("quantile_loss_param", "quantile_alpha")?;
                if version >= (3, 4) { Self::Sorted } else { Self::Identity }
            }
            "reg:expectileerror" => {
                levels("expectile_loss_param", "expectile_alpha")?;
                Self::Ascending
            }
            "binary:logitraw" if version < (1, 3) => Self::RawLogistic,
            "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:absoluteerror"
            | "reg:pseudohubererror"
            | "binary:logitraw"
            | "rank:pairwise"
            | "rank:ndcg"
            | "rank:map" => Self::Identity,
            "reg:logistic" | "binary:logistic" => Self::Logistic,
            "binary:hinge" => Self::Hinge,
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => {
                Self::Exp
            }
            "multi:softprob" => Self::SoftProb,
            "multi:softmax" => Self::SoftMax,
            _ => {
                return Err(Error::Unsupported {
                    what: format!("XGBoost's objective {name:?}"),
                    hint: "the built-in objectives are; serve the model with Python workers"
                        .to_owned(),
                });
            }
        })
    }

    /// What the sums of the outputs start from, for base scores as users give them.
    pub(super) fn margins(self, scores: &[f32]) -> Vec<f32> {
        let each = |at: usize, &score: &f32| match self {
            Self::Logistic | Self::RawLogistic => -(1.0 / score - 1.0).ln(),
            Self::Exp => score.ln(),
            Self::Ascending => match at.checked_sub(1).and_then(|before| scores.get(before)) {
                Some(before) => inverse_soft_plus(score - before - EPSILON),
                None => score,
            },
            _ => score,
        };
        scores.iter().enumerate().map(|(at, score)| each(at, score)).collect()
    }

    /// Makes predictions of the sums, row by row of so many outputs.
    pub(super) fn apply(self, sums: &mut [f32], outputs: usize) {
        match self {
            Self::Identity | Self::RawLogistic | Self::SoftMax => {}
            Self::Logistic => {
                for x in sums.iter_mut() {
                    *x = 1.0 / ((-*x).min(88.7).exp() + 1.0);
                }
            }
            Self::Hinge => sums.iter_mut().for_each(|x| *x = if *x > 0.0 { 1.0 } else { 0.0 }),
            Self::Exp => sums.iter_mut().for_each(|x| *x = x.exp()),
            Self::SoftProb => {
                for row in sums.chunks_exact_mut(outputs.max(1)) {
                    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let mut sum = 0.0_f64;
                    for x in row.iter_mut() {
                        *x = (*x - max).exp();
                        sum += f64::from(*x);
                    }
                    for x in row.iter_mut() {
                        *x /= sum as f32;
                    }
                }
            }
            Self::Ascending => {
                for row in sums.chunks_exact_mut(outputs.max(1)) {
                    let mut last = row.first().copied().unwrap_or_default();
                    for x in row.iter_mut().skip(1) {
                        last += EPSILON + soft_plus(*x);
                        *x = last;
                    }
                }
            }
            Self::Sorted => {
                sums.chunks_exact_mut(outputs.max(1)).for_each(|row| row.sort_by(f32::total_cmp));
            }
        }
    }
}

/// `log(1 + exp(x))`, in the steps of XGBoost.
fn soft_plus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn inverse_soft_plus(y: f32) -> f32 {
    let y = y.max(EPSILON);
    y + (-(-y).exp_m1()).ln()
}
