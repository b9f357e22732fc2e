//! How good predictions are, in scikit-learn's numbers.

mod confusion;
mod direction;
mod judged;
mod probabilities;
pub mod ranked;
pub mod ranking;
pub mod regression;
mod scorer;

pub use confusion::{ClassScore, Confusion};
pub use direction::greater_is_better;
pub use judged::Judged;
pub use probabilities::Probabilities;
pub use scorer::Scorer;
