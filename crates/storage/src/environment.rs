//! The variables that clients of object stores are set up from: those of the process, or a test's own.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// Names and values that clients are set up from.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl fmt::Debug for Environment {
    /// Names only: values are keys and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The environment of this process, as it is now.
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// These variables and no others.
    pub fn of<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A variable that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(&*value.to_ascii_lowercase(), "true" | "1"))
    }

    /// The variables that begin with `prefix`, as settings of a client.
    pub(crate) fn settings<'a, K: FromStr>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (K, &'a str)> + 'a {
        let named = self.0.iter().filter(move |(name, _)| name.starts_with(prefix));
        named.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, &**value)))
    }
}
