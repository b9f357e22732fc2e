//! Why a format's reader gives up: told before anybody knows which file of which folder it is.

use std::fmt;

/// What a reader of a format answers.
pub(crate) type Result<T, E = Refusal> = std::result::Result<T, E>;

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Damaged, oversized, or not of its format: what is wrong, with the value.
    #[error("{0}")]
    Malformed(String),
    /// A class or function that models are not made of here, most likely of the user's own.
    #[error("{0}")]
    Foreign(String),
}

impl Refusal {
    /// The same, with the place where it was found.
    pub(crate) fn within(self, place: impl fmt::Display) -> Self {
        match self {
            Self::Malformed(reason) => Self::Malformed(format!("{place}: {reason}")),
            Self::Foreign(what) => Self::Foreign(format!("{place}: {what}")),
        }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Malformed(reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self::Malformed(reason.to_owned())
    }
}
