//! What can be wrong with what is judged.

use trainyard_base::{Advice, Advise, Fault};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Truth and predictions are not of the same rows.
    #[error("{truth} true values, {predictions} predictions")]
    Lengths { truth: usize, predictions: usize },
    /// Not one probability a row and class.
    #[error("{probabilities} probabilities for {rows} rows and {classes} classes")]
    Probabilities { probabilities: usize, rows: usize, classes: usize },
    /// A number that is no probability.
    #[error("row {row}: {value} is not a probability")]
    NotAProbability { row: usize, value: f64 },
    /// A class that the model has no probability of.
    #[error("the reference has the class {class:?}, of which the model gives no probability")]
    UnknownClass { class: String },
    /// A class of the model that the reference does not have.
    #[error("the reference has no row of the class {class:?}")]
    UnseenClass { class: String },
    /// Too few rows to learn from.
    #[error("{rows} rows of the reference are too few: {least} are needed")]
    TooFewRows { rows: usize, least: usize },
    /// A number that is missing or infinite where one is needed.
    #[error("row {row} of {column:?}: {value} is not a number to compute with")]
    NotFinite { column: String, row: usize, value: f64 },
    /// Columns that are not those of the reference.
    #[error("{found} columns, the reference has {expected}")]
    OtherColumns { found: usize, expected: usize },
}

/// What this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::Lengths { .. } | Self::OtherColumns { .. } => Fault::Program.into(),
            Self::Probabilities { .. } => {
                Advice::input("give one column of probabilities for each class")
            }
            Self::NotAProbability { .. } => {
                Advice::input("probabilities are between 0 and 1: scores of another scale are none")
            }
            Self::UnknownClass { .. } => {
                Advice::input("name the column with the probabilities of this class")
            }
            Self::UnseenClass { .. } => {
                Advice::input("give a reference with rows of every class, such as a holdout")
            }
            Self::TooFewRows { .. } => {
                Advice::input("give a larger reference, such as the whole holdout")
            }
            Self::NotFinite { .. } => {
                Advice::input("leave the row out, or fill in what is missing")
            }
        }
    }
}
