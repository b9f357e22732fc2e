//! How good predictions are, in scikit-learn's numbers.

mod evaluation;
mod names;
mod predictions;

pub(crate) use evaluation::numbers;
pub use evaluation::{Metrics, evaluate};
pub use names::{METRICS, metrics_of};
pub use predictions::Predictions;
pub use trainyard_quality::metrics::{Probabilities, greater_is_better};
