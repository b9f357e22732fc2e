//! From two datasets to a verdict.

mod adjusted;
mod columns;
mod correction;
mod dataset;
mod judge;
mod segments;
mod tables;

pub use columns::{compare_arrays, compare_columns, unreadable};
pub use dataset::conclude;
pub use tables::{IGNORED_PREFIX, column_names, compare};
