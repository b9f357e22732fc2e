//! Checks of schema and quality: what is to be said about the data beside the drift scores.

mod labels;
mod numbers;
mod range;
pub(crate) mod schema;
mod values;

pub(crate) use labels::on_labels;
pub(crate) use values::on_values;
