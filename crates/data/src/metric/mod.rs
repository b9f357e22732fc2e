//! Numbers that somebody defines of a table: `sum(case when paid = yes then amount else 0 end) / count(*)`.

mod expression;
mod parse;
mod token;
mod tree;

pub use expression::Metric;
