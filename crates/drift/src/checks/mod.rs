//! Checks of schema and quality: what is to be said about the data beside the drift scores.

mod header;
mod labels;
mod names;
mod numbers;
mod range;
mod rare_labels;
mod repeats;
mod rules;
pub(crate) mod schema;
mod sentinel;
mod table;
mod texts;
mod uniqueness;
mod unseen;
mod values;
mod volume;

pub(crate) use labels::on_labels;
pub(crate) use rare_labels::on_rare_labels;
pub(crate) use rules::on_rules;
pub(crate) use table::on_table;
pub(crate) use texts::{on_repeated_texts, on_texts};
pub(crate) use values::{on_few_values, on_values};
