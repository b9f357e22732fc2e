//! From raw scores to what a classifier or regressor of ai.onnx.ml answers.

use crate::onnx::attributes::Attributes;
use crate::onnx::kernel::Value;
use crate::onnx::tensor::{Data, Outcome, Tensor};

/// `post_transform` of the classical operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostTransform {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

impl PostTransform {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Self> {
        Ok(match attributes.string("post_transform", "NONE")?.as_str() {
            "NONE" => Self::None,
            "SOFTMAX" => Self::Softmax,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            other => return Err(format!("post_transform {other:?}")),
        })
    }

    /// Transforms the scores of one row.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|x| *x = logistic(*x)),
            Self::Probit => scores.iter_mut().for_each(|x| *x = probit(*x)),
            Self::Softmax | Self::SoftmaxZero => {
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let zero = (-max).exp();
                for x in scores.iter_mut() {
                    // SOFTMAX_ZERO keeps scores that are zero at zero.
                    let keep_zero = self == Self::SoftmaxZero && x.abs() <= 1e-7;
                    *x = if keep_zero { *x * zero } else { (*x - max).exp() };
                }
                let sum: f32 = scores.iter().sum();
                for x in scores.iter_mut() {
                    *x /= sum;
                }
            }
        }
    }
}

/// `1 / (1 + exp(-x))` without overflow.
pub(crate) fn logistic(x: f32) -> f32 {
    let v = 1.0 / (1.0 + (-x.abs()).exp());
    if x < 0.0 { 1.0 - v } else { v }
}

/// Inverse of the normal distribution by Winitzki's approximation, as ONNX Runtime computes it.
fn probit(x: f32) -> f32 {
    let x = 2.0 * x - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (std::f32::consts::PI * 0.147) + 0.5 * log;
    let root = (-v + (v * v - log / 0.147).sqrt()).sqrt();
    std::f32::consts::SQRT_2 * if x < 0.0 { -root } else { root }
}

/// Labels of a classifier.
#[derive(Debug, Clone)]
pub(crate) enum Labels {
    Integers(Vec<i64>),
    Text(Vec<String>),
}

/// A class has one label, and a label one class.
fn check_distinct<T: Ord>(labels: &[T]) -> Outcome<()> {
    let distinct: std::collections::BTreeSet<&T> = labels.iter().collect();
    if distinct.len() == labels.len() {
        return Ok(());
    }
    Err("a class label is there twice".into())
}

impl Labels {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Self> {
        let mut text = attributes.strings("classlabels_strings")?;
        if text.is_empty() {
            text = attributes.strings("classlabels_string")?;
        }
        if !text.is_empty() {
            check_distinct(&text)?;
            return Ok(Self::Text(text));
        }
        let mut integers = attributes.ints("classlabels_int64s");
        if integers.is_empty() {
            integers = attributes.ints("classlabels_ints");
        }
        check_distinct(integers)?;
        Ok(Self::Integers(integers.to_vec()))
    }

    /// The labels as text.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Integers(labels) => labels.iter().map(ToString::to_string).collect(),
            Self::Text(labels) => labels.clone(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Integers(labels) => labels.len(),
            Self::Text(labels) => labels.len(),
        }
    }

    /// The labels with these numbers, and the scores of all rows: the two outputs of a classifier.
    pub(crate) fn answer(
        &self,
        chosen: &[usize],
        width: usize,
        scores: Vec<f32>,
    ) -> Outcome<Vec<Value>> {
        let chosen = chosen.iter().copied();
        let labels = match self {
            Self::Integers(labels) => Data::I64(labels.clone()),
            Self::Text(labels) => Data::Text(labels.clone()),
        };
        let rows = scores.len() / width.max(1);
        Ok(vec![
            Value::Tensor(Tensor::vector(labels.take(chosen)?)),
            Value::Tensor(Tensor::new(vec![rows, width], Data::F32(scores))?),
        ])
    }
}

/// Place of the largest score; of equals the first.
pub(crate) fn arg_max(scores: &[f32]) -> usize {
    let mut best = 0;
    for (at, x) in scores.iter().enumerate() {
        if scores.get(best).is_some_and(|best| x > best) {
            best = at;
        }
    }
    best
}
