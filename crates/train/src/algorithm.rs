//! The algorithms, by the names that a project file has for them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a model is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Algorithm {
    /// Many decision trees on bootstrap samples; classification and regression.
    #[default]
    RandomForest,
    /// Multinomial logistic regression with L2 penalty; classification.
    LogisticRegression,
    /// Ordinary least squares; regression.
    LinearRegression,
}

impl Algorithm {
    /// Names as they are written in a project file.
    pub const NAMES: [&'static str; 3] =
        ["random_forest", "logistic_regression", "linear_regression"];

    /// The name as it is written in a project file.
    pub fn name(self) -> &'static str {
        match self {
            Self::RandomForest => "random_forest",
            Self::LogisticRegression => "logistic_regression",
            Self::LinearRegression => "linear_regression",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name()
    }
}
