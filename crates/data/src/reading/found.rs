//! What a column of text was found to say.

use super::form::Form;

/// What a column of text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// In which form.
    pub form: Form,
    /// Values, exceptions included, missing ones not.
    pub values: usize,
    /// Values that are not of the form, words for "no value" included; they are missing in what is read.
    pub exceptions: usize,
    /// The first exceptions.
    pub examples: Vec<Exception>,
}

/// A value that is not of its column's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Row of the table, from 0.
    pub row: usize,
    /// Physical line of the CSV file, from 1, where the table is one.
    pub line: Option<usize>,
    /// As it is written.
    pub text: String,
}
