//! How good predictions are, in scikit-learn's numbers.

pub(crate) mod classification;
mod evaluation;
mod predictions;
pub(crate) mod ranking;
pub(crate) mod regression;

pub use evaluation::{Metrics, evaluate, greater_is_better};
pub use predictions::{Predictions, Probabilities};
