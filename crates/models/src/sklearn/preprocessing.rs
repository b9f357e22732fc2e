//! Scalers and other transformers of numeric columns.

use super::data::{Matrix, Table};
use super::estimator::{Estimator, Fields};
use crate::{Error, Result};

/// A transformer of matrices, by a function of each row.
pub(super) trait Rows: Send + Sync + std::fmt::Debug {
    /// Columns it takes.
    fn width(&self) -> Option<usize>;
    /// Columns it gives for `width` of the input.
    fn columns(&self, width: usize) -> usize {
        width
    }
    /// Fills the result of one row.
    fn row(&self, from: &[f64], to: &mut [f64]);
}

/// A [`Rows`] as an estimator.
#[derive(Debug)]
pub(super) struct ByRow<T>(pub(super) T);

impl<T: Rows> Estimator for ByRow<T> {
    fn transform(&self, x: Table) -> Result<Table> {
        let x = x.matrix()?;
        if let Some(width) = self.0.width() {
            x.check_width(width)?;
        }
        let mut result = Matrix::zeros(x.rows, self.0.columns(x.columns))?;
        for (from, to) in x.each_row().zip(result.each_row_mut()) {
            self.0.row(from, to);
        }
        Ok(Table::Matrix(result))
    }
}

/// `x - a`, then `/ b`, then `* c`, then `+ d`, each if it is there, then clipped.
#[derive(Debug, Default)]
struct Affine {
    minus: Option<Vec<f64>>,
    over: Option<Vec<f64>>,
    times: Option<Vec<f64>>,
    plus: Option<Vec<f64>>,
    clip: Option<(f64, f64)>,
}

impl Rows for Affine {
    fn width(&self) -> Option<usize> {
        [&self.minus, &self.over, &self.times, &self.plus]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .next()
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        for (at, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            let part = |values: &Option<Vec<f64>>, none: f64| {
                values.as_ref().and_then(|values| values.get(at)).copied().unwrap_or(none)
            };
            let mut x = from;
            if self.minus.is_some() {
                x -= part(&self.minus, 0.0);
            }
            if self.over.is_some() {
                x /= part(&self.over, 1.0);
            }
            if self.times.is_some() {
                x *= part(&self.times, 1.0);
            }
            if self.plus.is_some() {
                x += part(&self.plus, 0.0);
            }
            if let Some((low, high)) = self.clip {
                x = if x < low {
                    low
                } else if x > high {
                    high
                } else {
                    x
                };
            }
            *to = x;
        }
    }
}

pub(super) fn scaler(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let when = |flag: &str, name: &str| {
        if fields.flag(flag, true) { fields.optional_numbers(name) } else { Ok(None) }
    };
    Ok(Box::new(ByRow(match fields.name() {
        "StandardScaler" => Affine {
            minus: when("with_mean", "mean_")?,
            over: when("with_std", "scale_")?,
            ..Affine::default()
        },
        "RobustScaler" => Affine {
            minus: when("with_centering", "center_")?,
            over: when("with_scaling", "scale_")?,
            ..Affine::default()
        },
        "MaxAbsScaler" => Affine {
            over: Some(fields.numbers("scale_")?),
            clip: fields.flag("clip", false).then_some((-1.0, 1.0)),
            ..Affine::default()
        },
        _ => {
            let range = fields.numbers("feature_range")?;
            let clip = match range.as_slice() {
                [low, high] if fields.flag("clip", false) => Some((*low, *high)),
                _ => None,
            };
            Affine {
                times: Some(fields.numbers("scale_")?),
                plus: Some(fields.numbers("min_")?),
                clip,
                ..Affine::default()
            }
        }
    })))
}

/// `Normalizer`
#[derive(Debug, Clone, Copy)]
enum Norm {
    L1,
    L2,
    Max,
}

impl Rows for Norm {
    fn width(&self) -> Option<usize> {
        None
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        let norm = match self {
            Self::L1 => from.iter().map(|x| x.abs()).sum(),
            Self::L2 => from.iter().map(|x| x * x).sum::<f64>().sqrt(),
            Self::Max => from.iter().map(|x| x.abs()).fold(0.0, f64::max),
        };
        let norm = if norm == 0.0 { 1.0 } else { norm };
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from / norm);
    }
}

pub(super) fn normalizer(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    Ok(Box::new(ByRow(match fields.text("norm", "l2") {
        "l1" => Norm::L1,
        "l2" => Norm::L2,
        "max" => Norm::Max,
        other => return Err(fields.unsupported(format!("norm {other:?}"))),
    })))
}

/// `Binarizer`
#[derive(Debug)]
struct Threshold(f64);

impl Rows for Threshold {
    fn width(&self) -> Option<usize> {
        None
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = f64::from(u8::from(from > self.0)));
    }
}

pub(super) fn binarizer(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    Ok(Box::new(ByRow(Threshold(fields.float("threshold")?))))
}

/// Columns that are kept, by number.
#[derive(Debug)]
struct Select {
    from: usize,
    columns: Vec<usize>,
}

impl Estimator for Select {
    fn transform(&self, x: Table) -> Result<Table> {
        if x.width() != self.from {
            return Err(Error::Input(format!(
                "the model takes {} columns, the input has {}",
                self.from,
                x.width()
            )));
        }
        x.select(&self.columns)
    }
}

/// `VarianceThreshold`, `SelectKBest` and their like, as which columns they keep.
pub(super) fn selector(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let keep: Vec<bool> = match fields.name() {
        "VarianceThreshold" => {
            let threshold = fields.float("threshold")?;
            fields.numbers("variances_")?.into_iter().map(|variance| variance > threshold).collect()
        }
        "SelectKBest" | "SelectPercentile" => {
            let scores: Vec<f64> = fields
                .numbers("scores_")?
                .into_iter()
                .map(|x| if x.is_nan() { f64::MIN } else { x })
                .collect();
            if fields.name() == "SelectKBest" {
                best(fields, &scores)?
            } else {
                percentile(fields, &scores)?
            }
        }
        "RFE" | "RFECV" | "SequentialFeatureSelector" => {
            fields.numbers("support_")?.into_iter().map(|x| x != 0.0).collect()
        }
        _ => {
            let p_values = fields.numbers("pvalues_")?;
            let alpha = fields.float("alpha")?;
            match fields.name() {
                "SelectFpr" => p_values.iter().map(|&p| p < alpha).collect(),
                "SelectFwe" => {
                    p_values.iter().map(|&p| p < alpha / p_values.len() as f64).collect()
                }
                _ => return Err(fields.unsupported("the rule")),
            }
        }
    };
    let columns = keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(at, _)| at).collect();
    Ok(Box::new(Select { from: keep.len(), columns }))
}

fn best(fields: Fields<'_>, scores: &[f64]) -> Result<Vec<bool>> {
    let k = match fields.value("k")?.text() {
        Some("all") => scores.len(),
        _ => fields.count("k")?,
    };
    // A stable ascending sort whose last k are kept, so of equals the later ones.
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let score = |at: usize| scores.get(at).copied().unwrap_or(f64::MIN);
    order.sort_by(|&a, &b| score(a).total_cmp(&score(b)));
    let mut keep = vec![false; scores.len()];
    for &at in order.iter().rev().take(k) {
        if let Some(keep) = keep.get_mut(at) {
            *keep = true;
        }
    }
    Ok(keep)
}

fn percentile(fields: Fields<'_>, scores: &[f64]) -> Result<Vec<bool>> {
    let percentile = fields.float("percentile")?;
    if percentile == 100.0 || percentile == 0.0 {
        return Ok(vec![percentile == 100.0; scores.len()]);
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (100.0 - percentile) / 100.0 * (sorted.len().max(1) - 1) as f64;
    let (low, high) = (sorted.get(place.floor() as usize), sorted.get(place.ceil() as usize));
    let (Some(low), Some(high)) = (low, high) else { return Err(fields.malformed("no scores")) };
    let threshold = low + (high - low) * place.fract();
    let mut keep: Vec<bool> = scores.iter().map(|&score| score > threshold).collect();
    let wanted = (scores.len() as f64 * percentile / 100.0) as usize;
    let mut open = wanted.saturating_sub(keep.iter().filter(|keep| **keep).count());
    for (keep, _) in keep.iter_mut().zip(scores).filter(|(_, score)| **score == threshold) {
        if open > 0 {
            *keep = true;
            open -= 1;
        }
    }
    Ok(keep)
}

/// `PolynomialFeatures`: products of columns, by which columns each takes.
#[derive(Debug)]
struct Polynomial {
    from: usize,
    products: Vec<Vec<usize>>,
}

/// Terms of one expansion.
const MAX_TERMS: usize = 1_000_000;

pub(super) fn polynomial(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let from = fields.count("n_features_in_")?;
    let (low, high) = match fields.optional_numbers("degree")?.as_deref() {
        Some(&[degree]) => (0, degree as usize),
        Some(&[low, high]) => (low as usize, high as usize),
        _ => return Err(fields.malformed("degree is no number or pair")),
    };
    let interaction_only = fields.flag("interaction_only", false);
    let mut products: Vec<Vec<usize>> = Vec::new();
    if fields.flag("include_bias", true) {
        products.push(Vec::new());
    }
    let mut level: Vec<Vec<usize>> = vec![Vec::new()];
    for degree in 1..=high {
        let mut next = Vec::new();
        for product in &level {
            let first = product.last().map_or(0, |&last| last + usize::from(interaction_only));
            for column in first..from {
                next.push(product.iter().copied().chain([column]).collect());
            }
            if next.len() > MAX_TERMS {
                return Err(fields.malformed(format!("more than {MAX_TERMS} terms")));
            }
        }
        level = next;
        if degree >= low.max(1) {
            products.extend(level.iter().cloned());
        }
    }
    Ok(Box::new(ByRow(Polynomial { from, products })))
}

impl Rows for Polynomial {
    fn width(&self) -> Option<usize> {
        Some(self.from)
    }

    fn columns(&self, _width: usize) -> usize {
        self.products.len()
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        for (to, product) in to.iter_mut().zip(&self.products) {
            *to = product.iter().filter_map(|&at| from.get(at)).product();
        }
    }
}

/// `PowerTransformer`, with the scaling that follows.
#[derive(Debug)]
struct Power {
    lambdas: Vec<f64>,
    box_cox: bool,
    mean: Vec<f64>,
    scale: Vec<f64>,
}

pub(super) fn power(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let scaler = if fields.flag("standardize", true) {
        fields.optional("_scaler").map(Fields)
    } else {
        None
    };
    let part = |name: &str| scaler.map_or(Ok(None), |scaler| scaler.optional_numbers(name));
    Ok(Box::new(ByRow(Power {
        lambdas: fields.numbers("lambdas_")?,
        box_cox: fields.text("method", "yeo-johnson") == "box-cox",
        mean: part("mean_")?.unwrap_or_default(),
        scale: part("scale_")?.unwrap_or_default(),
    })))
}

impl Rows for Power {
    fn width(&self) -> Option<usize> {
        Some(self.lambdas.len())
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        for (at, ((to, &x), &lambda)) in to.iter_mut().zip(from).zip(&self.lambdas).enumerate() {
            let y = if self.box_cox { box_cox(x, lambda) } else { yeo_johnson(x, lambda) };
            *to = (y - self.mean.get(at).copied().unwrap_or(0.0))
                / self.scale.get(at).copied().unwrap_or(1.0);
        }
    }
}

fn box_cox(x: f64, lambda: f64) -> f64 {
    if lambda == 0.0 { x.ln() } else { (lambda * x.ln()).exp_m1() / lambda }
}

fn yeo_johnson(x: f64, lambda: f64) -> f64 {
    if lambda.is_nan() {
        return x;
    }
    if x >= 0.0 {
        if lambda.abs() < f64::EPSILON {
            x.ln_1p()
        } else {
            ((x + 1.0).powf(lambda) - 1.0) / lambda
        }
    } else if (lambda - 2.0).abs() > f64::EPSILON {
        -((1.0 - x).powf(2.0 - lambda) - 1.0) / (2.0 - lambda)
    } else {
        -(-x).ln_1p()
    }
}
