//! Linear models: least squares and logistic regression, in 64-bit floats.

mod lbfgs;
pub(crate) mod least_squares;
pub(crate) mod logistic;

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
                let probability = logistic::sigmoid(score);
                row.copy_from_slice(&[1.0 - probability, probability]);
            } else {
                logistic::softmax(row);
            }
        }
        scores
    }
}

/// Mean and standard deviation of each column (1 for constant columns), in 64 bits.
pub(crate) fn moments(matrix: &Matrix) -> Vec<(f64, f64)> {
    let rows = matrix.rows() as f64;
    (0..matrix.columns())
        .map(|feature| {
            let column = matrix.column(feature);
            let mean = column.iter().map(|&value| f64::from(value)).sum::<f64>() / rows;
            let squares: f64 =
                column.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
            let deviation = (squares / rows).sqrt();
            (mean, if deviation > 1e-12 * mean.abs().max(1e-300) { deviation } else { 1.0 })
        })
        .collect()
}
