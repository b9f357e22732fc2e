//! What a fitted linear model is: scores, and the probabilities that they stand for.

use crate::matrix::Matrix;

/// Fitted coefficients: `score = intercept + coefficients · x`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    /// One row a score: one for a quantity, two (the first the negative of the second) for two
    /// classes, one a class for more.
    pub coefficients: Vec<Vec<f64>>,
    /// One a score.
    pub intercepts: Vec<f64>,
    /// Steps the solver took; none for a direct solution.
    pub iterations: Option<usize>,
    /// Whether the solver reached its tolerance.
    pub converged: bool,
}

impl LinearModel {
    /// Scores of each row, row-major.
    pub fn scores(&self, matrix: &Matrix) -> Vec<f64> {
        let width = self.intercepts.len();
        let mut scores: Vec<f64> =
            self.intercepts.iter().copied().cycle().take(matrix.rows() * width).collect();
        for (index, coefficients) in self.coefficients.iter().enumerate() {
            for (feature, &coefficient) in coefficients.iter().enumerate() {
                for (row, &value) in matrix.column(feature).iter().enumerate() {
                    scores[row * width + index] += coefficient * f64::from(value);
                }
            }
        }
        scores
    }

    /// Class probabilities of each row, row-major: the softmax of the scores, or for two classes
    /// the logistic function of the second.
    pub fn probabilities(&self, matrix: &Matrix) -> Vec<f64> {
        let width = self.intercepts.len();
        let mut scores = self.scores(matrix);
        for row in scores.chunks_mut(width) {
            if let [_, score] = *row {
                let probability = sigmoid(score);
                row.copy_from_slice(&[1.0 - probability, probability]);
            } else {
                softmax(row);
            }
        }
        scores
    }
}

pub(super) fn sigmoid(score: f64) -> f64 {
    if score >= 0.0 {
        1.0 / (1.0 + (-score).exp())
    } else {
        let exp = score.exp();
        exp / (1.0 + exp)
    }
}

pub(super) fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - highest).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
}
