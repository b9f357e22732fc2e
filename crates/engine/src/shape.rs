//! A column of an engine's table, as it is asked about.

use arrow_schema::DataType;

/// A column, and how it is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub(crate) name: String,
    /// Its value in a row of `s`, in SQL.
    pub(crate) expression: String,
    /// The type of its values here.
    pub(crate) data_type: DataType,
    pub(crate) form: Form,
}

/// What can be asked about a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Numbers that may be infinite, or none.
    Float,
    /// Other values with an order.
    Ordered,
    /// Labels or free text.
    Text,
    /// Whether there is a value, and nothing more.
    Other,
}
