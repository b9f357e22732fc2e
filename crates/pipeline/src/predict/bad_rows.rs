//! Rows that are left out of the output: a line of JSON for each, with where it stands and why.

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;
use serde_json::{Map, Value};

use super::models::BadRow;

/// Rows of a part that may be left out. Where it is more, the table is another one than the model takes.
pub(super) const BAD_ROWS_MAX: usize = 10_000;

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    /// From 0, behind the header if there is one.
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    problem: &'a str,
    /// The columns that are carried along, by which a row is known.
    #[serde(skip_serializing_if = "Map::is_empty")]
    kept: Map<String, Value>,
}

/// The line of one row, which `rows` holds alone.
pub(super) fn line(
    file: &str,
    row: usize,
    bad: &BadRow,
    rows: &RecordBatch,
    keep: &[String],
) -> String {
    let mut kept = Map::new();
    for name in keep {
        if let Some(column) = rows.column_by_name(name) {
            kept.insert(name.clone(), text_of(column.as_ref()));
        }
    }
    let line = Line {
        file,
        row,
        column: bad.column.as_deref(),
        value: bad.value.as_deref(),
        problem: &bad.problem,
        kept,
    };
    // Text and numbers are JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

/// The first value as text.
fn text_of(column: &dyn Array) -> Value {
    if column.is_empty() || column.is_null(0) {
        return Value::Null;
    }
    match ArrayFormatter::try_new(column, &FormatOptions::default()) {
        Ok(formatter) => Value::String(formatter.value(0).to_string()),
        Err(_unprintable) => Value::Null,
    }
}
