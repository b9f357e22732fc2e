//! A table that is read one column at a time.

mod part;
mod rule;
mod table;
mod text;

pub use table::Columns;
