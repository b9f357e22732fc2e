//! JSON as Python's `json` module reads it: with the literals `NaN`, `Infinity` and `-Infinity`, which MLflow's
//! clients, skops and XGBoost write and a general JSON library refuses.

mod number;
mod reader;
mod string;
#[cfg(test)]
mod tests;
mod tree;

pub use number::Number;
pub use reader::{Kind, Reader, Syntax};
pub use tree::parse;
