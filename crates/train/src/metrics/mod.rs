//! How good predictions are, in scikit-learn's numbers.

pub(crate) mod classification;
mod evaluation;
mod names;
mod predictions;
pub(crate) mod ranked;
pub(crate) mod ranking;
pub(crate) mod regression;

pub(crate) use evaluation::numbers;
pub use evaluation::{Metrics, evaluate};
pub use names::{METRICS, greater_is_better, metrics_of};
pub use predictions::{Predictions, Probabilities};
