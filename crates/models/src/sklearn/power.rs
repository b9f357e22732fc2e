//! `PowerTransformer`: Yeo-Johnson and Box-Cox.

use super::data::{Missing, Table};
use super::estimator::Fields;
use super::preprocessing::{ByRow, Rows};
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[Reader::new("PowerTransformer", |fields, _| power(fields))];

/// `PowerTransformer`, with the scaling that follows.
#[derive(Debug)]
struct Power {
    lambdas: Vec<f64>,
    box_cox: bool,
    mean: Vec<f64>,
    scale: Vec<f64>,
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
        box_cox: fields.text("method", "yeo-johnson") == "box-cox",
        mean: part("mean_")?.unwrap_or_default(),
        scale: part("scale_")?.unwrap_or_default(),
    })))
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
