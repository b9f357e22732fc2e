//! Naive Bayes: the joint log likelihood of each class.

use std::sync::Arc;

use super::data::{Classes, Matrix, Missing, Output, Sparse, Table};
use super::estimator::{Estimator, Fields, arg_max, matrix};
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[Reader::new(
    "GaussianNB BernoulliNB MultinomialNB ComplementNB CategoricalNB",
    |fields, _| naive_bayes(fields),
)];

/// Naive Bayes: the joint log likelihood of each class.
#[derive(Debug)]
enum Bayes {
    Gaussian {
        means: Matrix,
        variances: Matrix,
    },
    /// `x w + b`
    Linear {
        weights: Matrix,
        binarize: Option<f64>,
    },
    /// For each column what each category (columns) says for each class (rows).
    Categorical(Vec<Matrix>),
}

#[derive(Debug)]
struct NaiveBayes {
    bayes: Bayes,
    prior: Vec<f64>,
    classes: Arc<Classes>,
}

fn naive_bayes(fields: Fields<'_>) -> Result<Boxed> {
    let classes = fields.classes("classes_")?;
    let model = match fields.name() {
        "GaussianNB" => NaiveBayes {
            bayes: Bayes::Gaussian {
                means: fields.matrix("theta_")?,
                variances: fields.matrix("var_").or_else(|_| fields.matrix("sigma_"))?,
            },
            prior: fields.numbers("class_prior_")?.into_iter().map(f64::ln).collect(),
            classes,
        },
        "BernoulliNB" => {
            // Ones count with log p, zeros with log (1 - p): the same as x (log p - log q) + sum log q.
            let mut weights = fields.matrix("feature_log_prob_")?;
            let mut prior = fields.numbers("class_log_prior_")?;
            for (row, prior) in weights.each_row_mut().zip(&mut prior) {
                let mut zeros = 0.0;
                for weight in row {
                    let zero = (1.0 - weight.exp()).ln();
                    zeros += zero;
                    *weight -= zero;
                }
                *prior += zeros;
            }
            let binarize = fields.optional("binarize").and_then(crate::python::Value::float);
            NaiveBayes { bayes: Bayes::Linear { weights, binarize }, prior, classes }
        }
        "ComplementNB" => {
            let prior = if classes.len() == 1 {
                fields.numbers("class_log_prior_")?
            } else {
                vec![0.0; classes.len()]
            };
            NaiveBayes {
                bayes: Bayes::Linear {
                    weights: fields.matrix("feature_log_prob_")?,
                    binarize: None,
                },
                prior,
                classes,
            }
        }
        "CategoricalNB" => NaiveBayes {
            bayes: Bayes::Categorical(categories(fields, classes.len())?),
            prior: fields.numbers("class_log_prior_")?,
            classes,
        },
        _ => NaiveBayes {
            bayes: Bayes::Linear { weights: fields.matrix("feature_log_prob_")?, binarize: None },
            prior: fields.numbers("class_log_prior_")?,
            classes,
        },
    };
    let rows = match &model.bayes {
        Bayes::Gaussian { means, variances } if means.columns == variances.columns => {
            [means.rows, variances.rows]
        }
        Bayes::Gaussian { .. } => return Err(fields.malformed("theta_ and var_ do not fit")),
        Bayes::Linear { weights, .. } => [weights.rows; 2],
        Bayes::Categorical(_) => [model.classes.len(); 2],
    };
    let count = model.classes.len();
    if rows != [count; 2] || model.prior.len() != count {
        return Err(fields.malformed(format!("{rows:?} rows and priors for {count} classes")));
    }
    Ok(Box::new(model))
}

fn categories(fields: Fields<'_>, classes: usize) -> Result<Vec<Matrix>> {
    let each = fields.items("feature_log_prob_")?.into_iter().map(|column| {
        let column = matrix(column).filter(|column| column.rows == classes);
        column.ok_or_else(|| fields.malformed("feature_log_prob_ does not fit the classes"))
    });
    each.collect()
}

/// Log likelihoods to logarithms of probabilities, in the steps of scikit-learn and SciPy. Where a likelihood is a
/// number of ten digits, the logarithm of their sum has lost as many of its own.
fn log_normalize(row: &mut [f64]) {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() || row.iter().any(|x| x.is_nan()) {
        // Nothing is left of it either way.
        let sum: f64 = row.iter().map(|x| (x - max).exp()).sum();
        for x in row.iter_mut() {
            *x = *x - max - sum.ln();
        }
        return;
    }
    let largest = row.iter().filter(|x| **x == max).count() as f64;
    let others: f64 = row.iter().filter(|x| **x != max).map(|x| (x - max).exp()).sum();
    let log = (others / largest).ln_1p() + largest.ln() + max;
    for x in row.iter_mut() {
        *x -= log;
    }
}

/// Log likelihoods to probabilities.
fn normalize(row: &mut [f64]) {
    log_normalize(row);
    for x in row {
        *x = x.exp();
    }
}

/// Ones where values are above a threshold.
fn above(x: &Sparse, threshold: f64) -> Result<Sparse> {
    let mut ones = Sparse::new(x.columns);
    for row in 0..x.rows() {
        let kept = x.row(row).filter(|(_, x)| *x > threshold);
        ones.push_row(kept.map(|(place, _)| (place, 1.0)))?;
    }
    Ok(ones)
}

impl NaiveBayes {
    fn likelihood(&self, x: &Table) -> Result<Matrix> {
        match &self.bayes {
            Bayes::Linear { weights, binarize: None } => x.times_transposed(weights, &self.prior),
            Bayes::Linear { weights, binarize: Some(threshold) } => {
                // Where nothing is, nothing is multiplied: without smoothing weights can be infinite.
                if let (Table::Sparse(sparse), true) = (x, *threshold >= 0.0) {
                    x.check_numbers(Missing::Refused)?;
                    let ones = above(sparse, *threshold)?;
                    return ones.times_transposed(weights, &self.prior);
                }
                let x = x.finite()?;
                let ones = x.values.iter().map(|&x| f64::from(u8::from(x > *threshold))).collect();
                Matrix::new(x.rows, x.columns, ones).times_transposed(weights, &self.prior)
            }
            Bayes::Categorical(columns) => {
                let numbers = x.finite()?;
                numbers.check_width(columns.len())?;
                let mut result = Matrix::zeros(numbers.rows, self.prior.len())?;
                for (row, sums) in numbers.each_row().zip(result.each_row_mut()) {
                    for (at, (&number, shares)) in row.iter().zip(columns).enumerate() {
                        let category = number.trunc();
                        if category < 0.0 || category >= shares.columns as f64 {
                            return Err(Error::Input(format!(
                                "column {:?} holds {number}; the model takes categories 0 to {}",
                                x.name(at),
                                shares.columns.saturating_sub(1)
                            )));
                        }
                        for (sum, shares) in sums.iter_mut().zip(shares.each_row()) {
                            *sum += shares.get(category as usize).copied().unwrap_or(f64::NAN);
                        }
                    }
                    sums.iter_mut().zip(&self.prior).for_each(|(sum, prior)| *sum += prior);
                }
                Ok(result)
            }
            Bayes::Gaussian { means, variances } => {
                let x = x.finite()?;
                x.check_width(means.columns)?;
                let mut result = Matrix::zeros(x.rows, means.rows)?;
                for (row, sums) in x.each_row().zip(result.each_row_mut()) {
                    for ((sum, prior), (mean, variance)) in sums
                        .iter_mut()
                        .zip(&self.prior)
                        .zip(means.each_row().zip(variances.each_row()))
                    {
                        let spread: f64 =
                            variance.iter().map(|v| (2.0 * std::f64::consts::PI * v).ln()).sum();
                        let distance: f64 = row
                            .iter()
                            .zip(mean)
                            .zip(variance)
                            .map(|((x, m), v)| (x - m) * (x - m) / v)
                            .sum();
                        *sum = prior + (-0.5 * spread - 0.5 * distance);
                    }
                }
                Ok(result)
            }
        }
    }
}

impl Estimator for NaiveBayes {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(Output::Labels(
            self.likelihood(x)?.each_row().map(arg_max).collect(),
            Arc::clone(&self.classes),
        ))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let mut likelihood = self.likelihood(x)?;
        likelihood.each_row_mut().for_each(normalize);
        Ok(likelihood)
    }

    fn predict_log_proba(&self, x: &Table) -> Result<Matrix> {
        let mut likelihood = self.likelihood(x)?;
        likelihood.each_row_mut().for_each(log_normalize);
        Ok(likelihood)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        true
    }
}
