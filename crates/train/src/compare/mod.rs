//! Whether a new model is worse than an old one, on the same rows, beyond chance.
//!
//! A file a statistic: [`mcnemar`] for accuracy, [`delong`] for the area under the ROC curve of two classes,
//! [`trainyard_quality::interval::bootstrap`] for the rest. What they find is a [`Difference`], which is judged
//! against a margin.

mod delong;
mod difference;
mod mcnemar;
mod pair;
mod paired;
mod scored;

pub use difference::{Difference, LEVEL, Method, Standing};
pub use pair::{Comparison, Pair};
pub use paired::{ROWS_MIN, compare};
