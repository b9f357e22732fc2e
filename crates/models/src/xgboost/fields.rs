//! What the documents of XGBoost hold by name, and what is said where they do not.

use std::fmt;

use crate::Error;
use crate::document::Document;
use crate::refusal::Result;

pub(super) fn malformed(reason: impl fmt::Display) -> Error {
    Error::Malformed { file: "the XGBoost model".to_owned(), reason: reason.to_string() }
}

pub(super) fn missing(name: &str) -> Error {
    malformed(format!("{name} is missing"))
}

/// A count of the file, also one written as text; there must be one, and it must be whole.
pub(super) fn count(parameters: &Document, name: &str) -> Result<usize> {
    /// Nothing that is counted here comes near.
    const COUNT_MAX: f64 = 1e9;
    let value = parameters.get(name).and_then(Document::number);
    let value = value.ok_or_else(|| format!("{name} is missing"))?;
    if value.fract() == 0.0 && (0.0..COUNT_MAX).contains(&value) {
        return Ok(value as usize);
    }
    Err(format!("{name} is {value}").into())
}
