//! The filter and order grammar of all searches: text to syntax tree to SQL with placeholders.
//!
//! [`parse`] turns a filter into one tree ([`Expression`]) whatever is searched; each kind of search
//! has a file that says which identifiers, operators and values it knows and what they mean in SQL.
//!
//! The grammar is upstream's (`identifier operator value` joined by `AND`), and beyond it `OR`, `NOT`,
//! parentheses, `BETWEEN`, `IN` for numbers, and numbers compared with params.

pub(crate) mod evaluation_datasets;
pub(crate) mod experiments;
mod identifier;
mod lexer;
pub(crate) mod logged_models;
pub(crate) mod model_versions;
mod order;
mod parser;
pub(crate) mod registered_models;
pub(crate) mod runs;
pub(crate) mod runs_sql;
mod sql;
mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod trace_metrics;
pub(crate) mod traces;

pub(crate) use parser::{Style, parse};
pub(crate) use sql::Sql;
pub(crate) use syntax::Expression;
