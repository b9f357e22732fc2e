//! Which rows of a table are kept: a window of time, and conditions.

mod compare;
mod condition;
mod parse;
mod rows;
mod target;
mod times;
mod token;

pub use rows::RowFilter;
