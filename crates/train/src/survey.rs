//! What each column of a table looks like: a name of the row, a time, a quantity, labels.

use std::collections::HashSet;

use arrow_array::{Array as _, RecordBatch};

use crate::column::Column;
use crate::{Error, Result};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Numbers.
    Numbers,
    /// Whole numbers.
    WholeNumbers,
    /// Text.
    Text,
    /// Yes and no.
    Flags,
    /// Dates or times.
    Times,
    /// No value at all.
    Nothing,
    /// What no model can use, such as lists.
    Other,
}

/// A column, looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSurvey {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Rows without a value.
    pub missing: usize,
    /// Different values.
    pub distinct: usize,
}

/// Looks at each column of a table.
///
/// # Errors
///
/// Where a column cannot be read.
pub fn survey(table: &RecordBatch) -> Result<Vec<ColumnSurvey>> {
    let schema = table.schema_ref();
    let columns = schema.fields().iter().zip(table.columns());
    columns
        .map(|(field, array)| {
            let name = field.name().clone();
            let is_time = array.data_type().is_temporal();
            let column = match Column::read_as_written(&name, array) {
                Ok(column) => column,
                Err(Error::ColumnType { .. }) => {
                    let missing = array.null_count();
                    return Ok(ColumnSurvey {
                        name,
                        content: Content::Other,
                        missing,
                        distinct: 0,
                    });
                }
                Err(error) => return Err(error),
            };
            let missing = column.missing().count();
            let values: HashSet<String> = (0..column.len())
                .filter(|&row| !column.is_missing(row))
                .map(|row| column.text(row))
                .collect();
            let content = match &column {
                _ if values.is_empty() => Content::Nothing,
                _ if is_time => Content::Times,
                Column::Text(_) if are_times(&values) => Content::Times,
                Column::Text(_) => Content::Text,
                Column::Flag(_) => Content::Flags,
                Column::Whole(_) => Content::WholeNumbers,
                Column::Number(_) => Content::Numbers,
                Column::Nothing(_) => Content::Nothing,
            };
            Ok(ColumnSurvey { name, content, missing, distinct: values.len() })
        })
        .collect()
}

/// Whether nearly all texts begin with a date: 2026-01-31, 2026/01/31, 31.01.2026, 01/31/2026.
fn are_times(values: &HashSet<String>) -> bool {
    let dates = values.iter().filter(|value| begins_with_date(value)).count();
    dates * 20 >= values.len() * 19
}

fn begins_with_date(text: &str) -> bool {
    let text = text.trim();
    let Some(date) = text.split(['T', ' ']).next() else { return false };
    ['-', '/', '.'].into_iter().any(|separator| {
        let parts: Vec<&str> = date.split(separator).collect();
        let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        parts.iter().all(is_number)
            && matches!(lengths.as_slice(), [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 4])
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};

    use super::Content::{Flags, Nothing, Numbers, Text, Times, WholeNumbers};
    use super::*;

    #[test]
    fn columns_are_told_by_their_values() {
        let texts =
            |values: [&str; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
        let columns: [(&str, ArrayRef); 8] = [
            ("day", texts(["2026-01-31", "2026-02-01T12:00:00", "2026-02-01 09:00"])),
            ("german", texts(["31.01.2026", "1.2.2026", ""])),
            ("plan", texts(["basic", "pro", "pro"])),
            ("version", texts(["1.2.3", "10.0.1", "2.0.0"])),
            ("age", Arc::new(Int64Array::from(vec![1, 2, 2]))),
            ("score", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::NAN)]))),
            ("paid", Arc::new(BooleanArray::from(vec![true, false, true]))),
            ("empty", Arc::new(Float64Array::from(vec![None, None, None]))),
        ];
        let found = survey(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let contents: Vec<Content> = found.iter().map(|column| column.content).collect();
        assert_eq!(contents, [Times, Times, Text, Text, WholeNumbers, Numbers, Flags, Nothing]);
        assert_eq!((found[5].missing, found[5].distinct), (2, 1));
        assert_eq!((found[1].missing, found[4].distinct), (1, 2));
    }
}
