//! Mixtures of normal distributions: which of them a row is of, and how probable each is.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, numbers};
use super::reader::{Boxed, Reader};
use crate::Result;
use crate::numeric::distribution::digamma;

pub(super) const READERS: &[Reader] =
    &[Reader::new("GaussianMixture BayesianGaussianMixture", |fields, _| Mixture::read(fields))];

/// `GaussianMixture`, `BayesianGaussianMixture`.
#[derive(Debug)]
struct Mixture(Vec<Component>);

/// One of the distributions.
#[derive(Debug)]
struct Component {
    mean: Vec<f64>,
    axes: Axes,
    /// What its logarithm of the likelihood has for every row alike.
    constant: f64,
}

/// What differences to the mean are multiplied by, so that their squares add up to the distance.
#[derive(Debug)]
enum Axes {
    /// One a row.
    Turned(Matrix),
    /// Those of the columns, each with its own factor.
    Straight(Vec<f64>),
}

impl Axes {
    /// Logarithm of the determinant.
    fn log_volume(&self) -> f64 {
        match self {
            Self::Turned(axes) => {
                let diagonal = axes.values.iter().step_by(axes.columns + 1);
                diagonal.map(|x| x.ln()).sum()
            }
            Self::Straight(factors) => factors.iter().map(|x| x.ln()).sum(),
        }
    }
}

impl Mixture {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let means = fields.matrix("means_")?;
        let axes = axes(fields, means.rows, means.columns)?;
        let constants = if fields.name() == "GaussianMixture" {
            fields.numbers("weights_")?.into_iter().map(f64::ln).collect()
        } else {
            bayesian_constants(fields, means.rows, means.columns)?
        };
        fields.check_length("weights_", constants.len(), means.rows)?;
        let of_all = -0.5 * means.columns as f64 * std::f64::consts::TAU.ln();
        let components = means.each_row().zip(axes).zip(constants).map(|((mean, axes), own)| {
            Component { mean: mean.to_vec(), constant: of_all + axes.log_volume() + own, axes }
        });
        Ok(Box::new(Self(components.collect())))
    }

    /// The logarithm of how likely each component made each row.
    fn likelihoods(&self, x: &Table) -> Result<Matrix> {
        let x = x.finite()?;
        x.check_width(self.0.first().map_or(0, |component| component.mean.len()))?;
        let mut result = Matrix::zeros(x.rows, self.0.len())?;
        for (row, likelihoods) in x.each_row().zip(result.each_row_mut()) {
            for (likelihood, component) in likelihoods.iter_mut().zip(&self.0) {
                *likelihood = component.constant - 0.5 * component.distance(row);
            }
        }
        Ok(result)
    }
}

impl Component {
    fn distance(&self, row: &[f64]) -> f64 {
        let differences = row.iter().zip(&self.mean).map(|(x, mean)| x - mean);
        match &self.axes {
            Axes::Straight(factors) => {
                differences.zip(factors).map(|(x, factor)| (x * factor) * (x * factor)).sum()
            }
            Axes::Turned(axes) => {
                let differences: Vec<f64> = differences.collect();
                let along =
                    |axis: &[f64]| axis.iter().zip(&differences).map(|(a, x)| a * x).sum::<f64>();
                axes.each_row().map(|axis| along(axis).powi(2)).sum()
            }
        }
    }
}

/// `precisions_cholesky_` for each component; its columns are the axes.
fn axes(fields: Fields<'_>, components: usize, width: usize) -> Result<Vec<Axes>> {
    let shape = fields.array("precisions_cholesky_")?.shape.as_slice();
    let values = fields.numbers("precisions_cholesky_")?;
    let (kind, expected) = match fields.text("covariance_type", "full") {
        "full" => ("full", vec![components, width, width]),
        "tied" => ("tied", vec![width, width]),
        "diag" => ("diag", vec![components, width]),
        "spherical" => ("spherical", vec![components]),
        other => return Err(fields.unsupported(format!("covariance_type {other:?}"))),
    };
    let cells = expected.iter().try_fold(1_usize, |cells, size| cells.checked_mul(*size));
    if shape != expected || cells != Some(values.len()) {
        return Err(fields.malformed(format!("precisions_cholesky_ of shape {shape:?}")));
    }
    let turned = |values: &[f64]| {
        let column = |at: usize| values.iter().skip(at).step_by(width).copied();
        Axes::Turned(Matrix::new(width, width, (0..width).flat_map(column).collect()))
    };
    Ok(match kind {
        "full" => values.chunks_exact((width * width).max(1)).map(turned).collect(),
        "tied" => (0..components).map(|_| turned(&values)).collect(),
        "diag" => {
            values.chunks_exact(width.max(1)).map(|row| Axes::Straight(row.to_vec())).collect()
        }
        _ => values.iter().map(|factor| Axes::Straight(vec![*factor; width])).collect(),
    })
}

/// What a Bayesian mixture expects of the logarithms of its weights and precisions.
fn bayesian_constants(fields: Fields<'_>, components: usize, width: usize) -> Result<Vec<f64>> {
    let mut freedom = fields.numbers("degrees_of_freedom_")?;
    if let ("tied", &[of_all]) = (fields.text("covariance_type", "full"), freedom.as_slice()) {
        freedom = vec![of_all; components];
    }
    let precisions = fields.numbers("mean_precision_")?;
    fields.check_length("degrees_of_freedom_", freedom.len(), components)?;
    fields.check_length("mean_precision_", precisions.len(), components)?;
    let width = width as f64;
    let of_precision = freedom.iter().zip(&precisions).map(|(freedom, precision)| {
        let columns = (0..width as usize).map(|at| digamma(0.5 * (freedom - at as f64)));
        let log_lambda = width * std::f64::consts::LN_2 + columns.sum::<f64>();
        0.5 * (log_lambda - width / precision - width * freedom.ln())
    });
    let weights = log_weights(fields, components)?;
    Ok(weights.into_iter().zip(of_precision).map(|(weight, own)| weight + own).collect())
}

fn log_weights(fields: Fields<'_>, components: usize) -> Result<Vec<f64>> {
    if fields.text("weight_concentration_prior_type", "") == "dirichlet_distribution" {
        let concentration = fields.numbers("weight_concentration_")?;
        let whole = digamma(concentration.iter().sum());
        return Ok(concentration.into_iter().map(|x| digamma(x) - whole).collect());
    }
    // A stick that each component breaks a piece of, as a pair of arrays.
    let pair = fields.items("weight_concentration_")?;
    let pair: Option<Vec<Vec<f64>>> = pair.into_iter().map(numbers).collect();
    let pair = pair.unwrap_or_default();
    let [first, second] = pair.as_slice() else {
        return Err(fields.malformed("weight_concentration_ is no pair"));
    };
    fields.check_length("weight_concentration_", first.len(), components)?;
    fields.check_length("weight_concentration_", second.len(), components)?;
    let mut left = 0.0;
    let weights = first.iter().zip(second).map(|(a, b)| {
        let whole = digamma(a + b);
        let weight = digamma(*a) - whole + left;
        left += digamma(*b) - whole;
        weight
    });
    Ok(weights.collect())
}

impl Estimator for Mixture {
    fn predict(&self, x: &Table) -> Result<Output> {
        let likelihoods = self.likelihoods(x)?;
        Ok(Output::Integers(likelihoods.each_row().map(|row| arg_max(row) as i64).collect()))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let mut shares = self.likelihoods(x)?;
        for row in shares.each_row_mut() {
            let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let log = row.iter().map(|x| (x - max).exp()).sum::<f64>().ln() + max;
            for x in row {
                *x = (*x - log).exp();
            }
        }
        Ok(shares)
    }

    fn has_proba(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        let of_axes = |axes: &Axes| match axes {
            Axes::Turned(axes) => size_of_val(axes.values.as_slice()),
            Axes::Straight(factors) => size_of_val(factors.as_slice()),
        };
        self.0
            .iter()
            .map(|component| of_axes(&component.axes) + size_of_val(&*component.mean))
            .sum()
    }
}
