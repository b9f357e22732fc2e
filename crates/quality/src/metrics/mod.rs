//! How good predictions are, in scikit-learn's numbers.

mod confusion;
mod judged;
mod probabilities;
pub mod ranked;
pub mod ranking;
pub mod regression;
mod scorer;

pub use confusion::{ClassScore, Confusion};
pub use judged::Judged;
pub use probabilities::Probabilities;
pub use scorer::Scorer;
