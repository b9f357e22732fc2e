//! A JSON reader that walks the request once and never builds a tree.
//!
//! It accepts what Python's `json` module accepts: JSON, and the literals `NaN`, `Infinity` and
//! `-Infinity`, which MLflow's clients write. Values nobody asked for are skipped, but still
//! checked, so that what this reader takes is always whole JSON.

mod number;
mod reader;
mod string;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use number::Number;
pub(crate) use reader::{Kind, Reader, Syntax};
pub(crate) use tree::parse;
