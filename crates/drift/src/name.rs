//! Choices that users write by name.

use std::str::FromStr;

use crate::{Compat, Correction, Kind};

/// A name that stands for none of the choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {what} is called {name:?}; known: {known}")]
pub struct UnknownName {
    /// What was to be chosen.
    pub what: &'static str,
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: String,
}

impl UnknownName {
    pub(crate) fn new(
        what: &'static str,
        name: &str,
        known: impl Iterator<Item = &'static str>,
    ) -> Self {
        Self { what, name: name.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
    }
}

/// Finds a choice by its name.
fn find<T: Copy>(
    what: &'static str,
    name: &str,
    choices: &[(&'static str, T)],
) -> Result<T, UnknownName> {
    choices
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, choice)| *choice)
        .ok_or_else(|| UnknownName::new(what, name, choices.iter().map(|(known, _)| *known)))
}

impl FromStr for Kind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let kinds = [Self::Numerical, Self::Categorical, Self::Text, Self::Datetime, Self::Unknown];
        find("kind of column", name, &kinds.map(|kind| (kind.name(), kind)))
    }
}

impl FromStr for Correction {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let choices = [
            ("none", Self::None),
            ("bh", Self::BenjaminiHochberg),
            ("bonferroni", Self::Bonferroni),
        ];
        find("correction", name, &choices)
    }
}

impl FromStr for Compat {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        find("behaviour", name, &[("trainyard", Self::Trainyard), ("evidently", Self::Evidently)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_says_what_there_is() {
        assert_eq!("bh".parse(), Ok(Correction::BenjaminiHochberg));
        assert_eq!("text".parse(), Ok(Kind::Text));
        let error = "fdr".parse::<Correction>().unwrap_err().to_string();
        assert_eq!(error, "no correction is called \"fdr\"; known: none, bh, bonferroni");
    }
}
