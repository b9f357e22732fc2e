//! What the columns of a row gave to a model's answer.
//!
//! For trees these are Shapley values ([`crate::tree`]), for linear models coefficients times values. Columns that a
//! pipeline made of one column of the input are added up to it.

/// What contributions add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explained {
    /// What the model predicts.
    Prediction,
    /// The probability of each class.
    Probability,
    /// The sum that a function makes the prediction of: log-odds of a class, logarithm of a count.
    Margin,
}

impl Explained {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Probability => "probability",
            Self::Margin => "margin",
        }
    }
}

/// The explanation of rows. For each row and output, base and contributions add up to what is explained.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What they add up to.
    pub explained: Explained,
    /// Columns of the input.
    pub columns: Vec<String>,
    /// Outputs: the classes that have a score each, numbers where they have no names.
    pub outputs: Vec<String>,
    /// Rows explained.
    pub rows: usize,
    /// What a row adds up to of which nothing is known, by output.
    pub base: Vec<f64>,
    /// rows x outputs x columns values, row-major.
    pub contributions: Vec<f64>,
}

impl Explanation {
    /// What is explained of each row: rows x outputs values.
    pub fn values(&self) -> Vec<f64> {
        let outputs = self.base.len().max(1);
        let cells = (0..self.rows * self.base.len()).map(|at| {
            let first = at * self.columns.len();
            let gains = self.contributions.get(first..first + self.columns.len());
            let base = self.base.get(at % outputs).copied().unwrap_or_default();
            base + gains.unwrap_or_default().iter().sum::<f64>()
        });
        cells.collect()
    }

    /// The mean size of each column's contributions over rows and outputs, by column.
    pub fn mean_sizes(&self) -> Vec<f64> {
        let width = self.columns.len();
        let mut sums = vec![0.0; width];
        for cells in self.contributions.chunks_exact(width.max(1)) {
            sums.iter_mut().zip(cells).for_each(|(sum, x)| *sum += x.abs());
        }
        let count = (self.rows * self.base.len()).max(1) as f64;
        for sum in &mut sums {
            *sum /= count;
        }
        sums
    }
}
