//! Choices that users write by name.

use trainyard_base::did_you_mean;

/// A name that stands for none of the choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {what} is called {name:?}{meant}; known: {known}")]
pub struct UnknownName {
    /// What was to be chosen.
    pub what: &'static str,
    /// What was asked for.
    pub name: String,
    /// The name that may have been meant, as the text says it.
    pub meant: String,
    /// What there is.
    pub known: String,
}

impl UnknownName {
    pub(crate) fn new(
        what: &'static str,
        name: &str,
        known: impl Iterator<Item = &'static str>,
    ) -> Self {
        let known: Vec<_> = known.collect();
        let meant = did_you_mean(name, known.iter().copied());
        Self { what, name: name.to_owned(), meant, known: known.join(", ") }
    }
}

/// Finds a choice by its name.
pub(crate) fn find<T: Copy>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_says_what_there_is() {
        let choices = [("none", 0), ("bh", 1)];
        assert_eq!(find("correction", "bh", &choices), Ok(1));
        let error = find("correction", "fdr", &choices).unwrap_err().to_string();
        assert_eq!(error, "no correction is called \"fdr\"; known: none, bh");
        let error = find("correction", "bhh", &choices).unwrap_err().to_string();
        assert!(error.contains("\"bhh\" (did you mean \"bh\"?); known"), "{error}");
    }
}
