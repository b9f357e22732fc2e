//! `PowerTransformer`: Yeo-Johnson and Box-Cox.

use super::data::{Missing, Table};
use super::estimator::Fields;
use super::matrix::single;
use super::preprocessing::{ByRow, Rows};
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[Reader::new("PowerTransformer", |fields, _| power(fields))];

/// `PowerTransformer`, with the scaling that follows.
#[derive(Debug)]
struct Power {
    lambdas: Vec<f64>,
    /// Whether the exponents are of 32 bits: rows of these stay so at each step, and else only at the end.
    is_single: bool,
    box_cox: bool,
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// Whether mean and scale are rounded to 32 bits first for rows of these.
    rounds: bool,
}

fn power(fields: Fields<'_>) -> Result<Boxed> {
    let scaler = if fields.flag("standardize", true) {
        fields.optional("_scaler").map(Fields)
    } else {
        None
    };
    let part = |name: &str| scaler.map_or(Ok(None), |scaler| scaler.optional_numbers(name));
    Ok(Box::new(ByRow(Power {
        lambdas: fields.numbers("lambdas_")?,
        is_single: fields.is_single("lambdas_"),
        box_cox: fields.text("method", "yeo-johnson") == "box-cox",
        mean: part("mean_")?.unwrap_or_default(),
        scale: part("scale_")?.unwrap_or_default(),
        rounds: fields.version() >= (1, 8),
    })))
}

impl Power {
    /// A value before it is scaled.
    fn raised(&self, x: f64, lambda: f64) -> f64 {
        if self.box_cox { box_cox(x, lambda) } else { yeo_johnson(x, lambda, |x| x, |x| x) }
    }

    /// The same of 32 bits.
    fn raised_single(&self, x: f64, lambda: f64) -> f64 {
        single(if self.box_cox {
            box_cox(x, lambda)
        } else if self.is_single {
            yeo_johnson(x, lambda, single, single)
        } else {
            yeo_johnson(x, lambda, single, |x| x)
        })
    }

    fn mean(&self, at: usize) -> f64 {
        self.mean.get(at).copied().unwrap_or(0.0)
    }

    fn scale(&self, at: usize) -> f64 {
        self.scale.get(at).copied().unwrap_or(1.0)
    }
}

impl Rows for Power {
    fn width(&self) -> Option<usize> {
        Some(self.lambdas.len())
    }

    fn check(&self, x: &Table) -> Result<()> {
        x.check_numbers(Missing::Taken)?;
        let positive = |x: &f64| x.is_nan() || *x > 0.0;
        if self.box_cox && !x.matrix()?.values.iter().all(positive) {
            let reason = "the Box-Cox transformation takes positive numbers alone";
            return Err(Error::Input(reason.to_owned()));
        }
        Ok(())
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        for (at, ((to, &x), &lambda)) in to.iter_mut().zip(from).zip(&self.lambdas).enumerate() {
            *to = (self.raised(x, lambda) - self.mean(at)) / self.scale(at);
        }
    }

    fn keeps_single(&self) -> bool {
        true
    }

    fn single_row(&self, from: &[f64], to: &mut [f64]) {
        let constant = |x: f64| if self.rounds { single(x) } else { x };
        for (at, ((to, &x), &lambda)) in to.iter_mut().zip(from).zip(&self.lambdas).enumerate() {
            let centred = single(self.raised_single(x, lambda) - constant(self.mean(at)));
            *to = single(centred / constant(self.scale(at)));
        }
    }

    fn has_inverse(&self) -> bool {
        true
    }

    fn inverse_row(&self, from: &[f64], to: &mut [f64]) {
        for (at, ((to, &x), &lambda)) in to.iter_mut().zip(from).zip(&self.lambdas).enumerate() {
            let x = x * self.scale(at) + self.mean(at);
            *to = if self.box_cox {
                if lambda == 0.0 { x.exp() } else { ((lambda * x).ln_1p() / lambda).exp() }
            } else {
                yeo_johnson_inverse(x, lambda)
            };
        }
    }
}

fn box_cox(x: f64, lambda: f64) -> f64 {
    if lambda == 0.0 { x.ln() } else { (lambda * x.ln()).exp_m1() / lambda }
}

/// The power of Yeo and Johnson; `logarithm` is done to the logarithm of the number, `round` to what each step gives
/// after that.
fn yeo_johnson(
    x: f64,
    lambda: f64,
    logarithm: impl Fn(f64) -> f64,
    round: impl Fn(f64) -> f64,
) -> f64 {
    if lambda.is_nan() {
        return x;
    }
    let log = logarithm(x.abs().ln_1p());
    let power = |lambda: f64| {
        if lambda.abs() < f64::EPSILON {
            log
        } else {
            round(round(round(lambda * log).exp_m1()) / lambda)
        }
    };
    if x >= 0.0 { power(lambda) } else { -power(round(2.0 - lambda)) }
}

fn yeo_johnson_inverse(x: f64, lambda: f64) -> f64 {
    if x >= 0.0 {
        if lambda.abs() < f64::EPSILON {
            x.exp() - 1.0
        } else {
            (x * lambda + 1.0).powf(1.0 / lambda) - 1.0
        }
    } else if (lambda - 2.0).abs() > f64::EPSILON {
        1.0 - (-(2.0 - lambda) * x + 1.0).powf(1.0 / (2.0 - lambda))
    } else {
        1.0 - (-x).exp()
    }
}
