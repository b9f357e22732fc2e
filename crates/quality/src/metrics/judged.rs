//! What is judged: answers beside what was true.

use super::Probabilities;
use crate::{Error, Result};

/// Answers of a model and the truth, row by row.
#[derive(Debug, Clone, Copy)]
pub enum Judged<'a> {
    /// Of a classifier.
    Classes {
        truth: &'a [String],
        predicted: &'a [String],
        /// Of the rows, if the model gives them.
        probabilities: Option<&'a Probabilities>,
        /// The class that metrics of one class are about, if there is one.
        positive: Option<&'a str>,
    },
    /// Of a regression.
    Quantities { truth: &'a [f64], predicted: &'a [f64] },
}

impl Judged<'_> {
    /// Rows; an error where the parts have not the same, or there are none.
    pub fn rows(&self) -> Result<usize> {
        let (truth, predictions) = match self {
            Self::Classes { truth, predicted, .. } => (truth.len(), predicted.len()),
            Self::Quantities { truth, predicted } => (truth.len(), predicted.len()),
        };
        if truth != predictions || truth == 0 {
            return Err(Error::Lengths { truth, predictions });
        }
        Ok(truth)
    }
}
