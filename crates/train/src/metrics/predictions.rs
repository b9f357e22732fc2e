//! What is compared with the truth: answers, and how sure of them the model is.

use arrow_array::ArrayRef;
use trainyard_quality::metrics::Probabilities;

/// What a model answered for some rows.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// Labels of any type, or numbers.
    pub values: ArrayRef,
    /// Class probabilities, if the model gives them.
    pub probabilities: Option<Probabilities>,
}
