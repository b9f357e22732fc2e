//! Which rows of a table are kept, a window of time and conditions; and rules that rows must keep.

mod between;
mod compare;
mod condition;
mod parse;
mod predicate;
mod rows;
mod rule;
mod target;
mod times;
mod token;

pub use condition::Operator;
pub use predicate::{Predicate, Value};
pub use rows::RowFilter;
pub use rule::{Kept, RowRule};
pub use times::instant;
