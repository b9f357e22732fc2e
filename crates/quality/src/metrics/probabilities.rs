//! How sure a model was of each class.

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
    pub fn position(&self, class: &str) -> Option<usize> {
        self.classes.iter().position(|name| name == class)
    }

    /// The probabilities of one class, row after row.
    pub fn of(&self, class: usize) -> Vec<f64> {
        self.values.chunks(self.classes.len().max(1)).map(|row| row[class]).collect()
    }
}
