//! Logistic regression: two or more classes, L2 penalty, scikit-learn's objective.
//!
//! Minimised is `mean loss + |w|² / (2 C n)`, as `LogisticRegression(solver="lbfgs")` does, with
//! the intercepts free. The search runs on centred features, each scaled so that the objective bends
//! about equally in all directions: that is only another way to write the same objective (the penalty
//! is scaled back), but it saves most of the steps when features are of different sizes. Whether it
//! is done is judged by the gradient of the original coefficients against `tol`, as scikit-learn
//! does, or by a stricter measure of the scaled ones.

use rayon::prelude::*;

use super::lbfgs;
use super::model::{LinearModel, sigmoid, softmax};
use crate::matrix::Matrix;
use crate::parameters::LogisticParams;

/// Rows that are summed up in one go. Sums are added in a fixed order, so the result does not
/// depend on the number of threads.
const BLOCK_ROWS: usize = 1_024;
/// Share of the tolerance that is asked of the gradient of the scaled coefficients instead: there the
/// objective bends by about 1, so this bounds the error of the coefficients themselves. A feature in
/// the thousands would otherwise ask for a precision that nobody sees.
const SCALED_SHARE: f64 = 0.01;
/// Typical second derivative of the loss by the score, p (1 - p), for the scale of the features.
const CURVATURE: f64 = 0.1;

/// Fits a model. `weights`: one a row. `labels` are below `classes`, which is at least 2.
pub(crate) fn fit(
    matrix: &Matrix,
    labels: &[u32],
    weights: &[f64],
    classes: usize,
    params: &LogisticParams,
) -> LinearModel {
    let features = matrix.columns();
    let moments = matrix.moments();
    let total_weight: f64 = weights.iter().sum();
    let penalty = 1.0 / (params.c * total_weight);
    let centre = |&(mean, _): &(f64, f64)| if params.fit_intercept { mean } else { 0.0 };
    let centres: Vec<f64> = moments.iter().map(centre).collect();
    // What is penalised is the coefficient times its unit: the feature's own, or its deviation if
    // standardising is asked for.
    let unit = |&(_, deviation): &(f64, f64)| if params.standardize { deviation } else { 1.0 };
    let units: Vec<f64> = moments.iter().map(unit).collect();
    let scales: Vec<f64> = moments
        .iter()
        .zip(&units)
        .map(|(&(_, deviation), unit)| {
            (CURVATURE * deviation * deviation + penalty * unit * unit).sqrt()
        })
        .collect();
    let problem = Problem {
        rows: scaled_rows(matrix, &centres, &scales),
        labels,
        weights,
        total_weight,
        features,
        // Two classes need one score, more need one each.
        scores: if classes == 2 { 1 } else { classes },
        // In scaled coefficients v = w * scale.
        penalties: scales
            .iter()
            .zip(&units)
            .map(|(scale, unit)| penalty * (unit / scale) * (unit / scale))
            .collect(),
        fit_intercept: params.fit_intercept,
    };
    let original = |gradient: &[f64]| {
        let width = features + 1;
        let flat = gradient.iter().all(|slope| slope.abs() <= SCALED_SHARE * params.tol);
        flat || gradient.chunks(width).all(|part| {
            let (slopes, free) = part.split_at(features);
            let free = free.first().copied().unwrap_or_default();
            free.abs() <= params.tol
                && slopes.iter().enumerate().all(|(feature, slope)| {
                    let slope = if params.standardize {
                        slope * scales[feature] / units[feature]
                    } else {
                        slope * scales[feature] + centres[feature] * free
                    };
                    slope.abs() <= params.tol
                })
        })
    };
    let start = vec![0.0; problem.scores * (features + 1)];
    let minimum = lbfgs::minimise(
        start,
        params.max_iter,
        &mut |point, gradient| problem.evaluate(point, gradient),
        &original,
    );
    let mut coefficients = Vec::with_capacity(classes);
    let mut intercepts = Vec::with_capacity(classes);
    for part in minimum.point.chunks(features + 1) {
        let row: Vec<f64> = part.iter().zip(&scales).map(|(v, scale)| v / scale).collect();
        let shift: f64 = row.iter().zip(&centres).map(|(w, centre)| w * centre).sum();
        intercepts.push(part[features] - shift);
        coefficients.push(row);
    }
    if classes == 2 {
        coefficients.insert(0, coefficients[0].iter().map(|w| -w).collect());
        intercepts.insert(0, -intercepts[0]);
    }
    LinearModel {
        coefficients,
        intercepts,
        iterations: Some(minimum.iterations),
        converged: minimum.converged,
    }
}

fn scaled_rows(matrix: &Matrix, centres: &[f64], scales: &[f64]) -> Vec<f64> {
    let features = matrix.columns();
    let mut rows = vec![0.0; matrix.rows() * features];
    for feature in 0..features {
        for (row, &value) in matrix.column(feature).iter().enumerate() {
            rows[row * features + feature] =
                (f64::from(value) - centres[feature]) / scales[feature];
        }
    }
    rows
}

struct Problem<'a> {
    /// Scaled features, row-major.
    rows: Vec<f64>,
    labels: &'a [u32],
    weights: &'a [f64],
    total_weight: f64,
    features: usize,
    scores: usize,
    penalties: Vec<f64>,
    fit_intercept: bool,
}

impl Problem<'_> {
    /// `point` holds for each score the coefficients and then the intercept.
    fn evaluate(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let blocks: Vec<(f64, Vec<f64>)> = self
            .labels
            .par_chunks(BLOCK_ROWS)
            .enumerate()
            .map(|(block, labels)| self.evaluate_block(block * BLOCK_ROWS, labels, point))
            .collect();
        gradient.fill(0.0);
        let mut loss = 0.0;
        for (block_loss, block_gradient) in blocks {
            loss += block_loss;
            for (sum, slope) in gradient.iter_mut().zip(block_gradient) {
                *sum += slope;
            }
        }
        loss /= self.total_weight;
        for slope in gradient.iter_mut() {
            *slope /= self.total_weight;
        }
        let width = self.features + 1;
        for (slopes, values) in gradient.chunks_mut(width).zip(point.chunks(width)) {
            for ((slope, value), penalty) in slopes.iter_mut().zip(values).zip(&self.penalties) {
                loss += 0.5 * penalty * value * value;
                *slope += penalty * value;
            }
            if !self.fit_intercept {
                slopes[self.features] = 0.0;
            }
        }
        loss
    }

    fn evaluate_block(&self, first: usize, labels: &[u32], point: &[f64]) -> (f64, Vec<f64>) {
        let width = self.features + 1;
        let mut gradient = vec![0.0; point.len()];
        let mut scores = vec![0.0; self.scores];
        let mut loss = 0.0;
        for (offset, &label) in labels.iter().enumerate() {
            let index = first + offset;
            let row = &self.rows[index * self.features..(index + 1) * self.features];
            for (score, part) in scores.iter_mut().zip(point.chunks(width)) {
                let products = row.iter().zip(part).map(|(x, w)| x * w);
                *score = part[self.features] + products.sum::<f64>();
            }
            let weight = self.weights[index];
            loss += weight * residuals(&mut scores, label as usize);
            for (residual, part) in scores.iter().zip(gradient.chunks_mut(width)) {
                let residual = residual * weight;
                for (slope, x) in part.iter_mut().zip(row) {
                    *slope += residual * x;
                }
                part[self.features] += residual;
            }
        }
        (loss, gradient)
    }
}

/// Turns scores into predicted minus true probability, and returns the loss.
fn residuals(scores: &mut [f64], label: usize) -> f64 {
    if let [score] = scores {
        let truth = label as f64;
        let loss = softplus(*score) - truth * *score;
        *score = sigmoid(*score) - truth;
        return loss;
    }
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let of_label = scores[label] - highest;
    softmax(scores);
    // The sum of exponentials is at least 1, so the logarithm is exact enough.
    let loss = if scores[label] > 0.0 { -scores[label].ln() } else { -of_label };
    scores[label] -= 1.0;
    loss
}

/// ln(1 + exp(score)) without overflow.
fn softplus(score: f64) -> f64 {
    score.max(0.0) + (-score.abs()).exp().ln_1p()
}
