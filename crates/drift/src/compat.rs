//! Whose behaviour to follow.

use std::str::FromStr;

use crate::choice::{UnknownName, find};

/// Whose behaviour to follow where Evidently's is a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compat {
    /// Test every column that can be tested, clean infinities always, keep going past a bad column.
    #[default]
    Trainyard,
    /// What Evidently 0.7.23 does, with the columns it ignores, its two ways of cleaning and its errors.
    Evidently,
}

impl Compat {
    /// The word that users write.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trainyard => "trainyard",
            Self::Evidently => "evidently",
        }
    }
}

impl FromStr for Compat {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        find("behaviour", name, &[Self::Trainyard, Self::Evidently].map(|one| (one.name(), one)))
    }
}
