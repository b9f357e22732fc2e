//! XGBoost models: UBJSON and JSON, trees (also with dropout, categories, vectors at the leaves) and
//! linear boosters.
//!
//! XGBoost computes in `f32`: inputs, thresholds, leaf values and their sums, which start from the base
//! score. So does this. Counts, lengths and indices of a file must agree with each other: XGBoost believes
//! most of them, and a file with a list too short would answer something else.

mod booster;
mod model;
mod objective;
mod tree;
mod trees;

pub(crate) use booster::Booster;
pub(crate) use model::XgboostModel;

use crate::Error;
use crate::document::Document;

fn malformed(reason: impl std::fmt::Display) -> Error {
    Error::Malformed { file: "the XGBoost model".to_owned(), reason: reason.to_string() }
}

fn missing(name: &str) -> Error {
    malformed(format!("{name} is missing"))
}

/// A count of the file, also one written as text; there must be one, and it must be whole.
fn count(parameters: &Document, name: &str) -> Result<usize, String> {
    /// Nothing that is counted here comes near.
    const MAX: f64 = 1e9;
    let value = parameters.get(name).and_then(Document::number);
    let value = value.ok_or_else(|| format!("{name} is missing"))?;
    if value.fract() == 0.0 && (0.0..MAX).contains(&value) {
        return Ok(value as usize);
    }
    Err(format!("{name} is {value}"))
}
