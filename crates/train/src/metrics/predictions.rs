//! What is compared with the truth: answers, and how sure of them the model is.

use arrow_array::ArrayRef;

/// What a model answered for some rows.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// Labels of any type, or numbers.
    pub values: ArrayRef,
    /// Class probabilities, if the model gives them.
    pub probabilities: Option<Probabilities>,
}

/// Class probabilities of some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities {
    /// Names of the classes, in the order of the values.
    pub classes: Vec<String>,
    /// One value a class, row after row.
    pub values: Vec<f64>,
    /// What log loss cuts probabilities off at: the distance from 1 to the next number of the type
    /// that the model computes in (2^-23 for 32-bit floats), as scikit-learn does.
    pub epsilon: f64,
}

impl Probabilities {
    /// Where a class stands.
    pub(crate) fn position(&self, class: &str) -> Option<usize> {
        self.classes.iter().position(|name| name == class)
    }
}
