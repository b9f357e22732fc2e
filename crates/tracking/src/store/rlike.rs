//! Regular expressions of searches: without look-around and back-references, so that none takes long.

use regex::{Regex, RegexBuilder};
use trainyard_mlflow::Error;

use crate::error::Result;

/// What an expression may take once it is read, in bytes.
const SIZE_MAX: usize = 1 << 20;

/// An expression; a mistake of whoever wrote it if it is none.
pub(crate) fn expression(pattern: &str) -> Result<Regex> {
    let built = RegexBuilder::new(pattern).size_limit(SIZE_MAX).dfa_size_limit(SIZE_MAX).build();
    built.map_err(|error| {
        Error::invalid(format!("Invalid regular expression behind RLIKE: {error}")).into()
    })
}
