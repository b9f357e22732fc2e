//! What a condition is held to, and what is said where the two do not fit.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use crate::error::{Error, Result, list_names, shorten};

/// What a condition is held to, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// The whole condition, as written.
    pub(super) condition: &'a str,
    pub(super) column: &'a str,
    /// The value that is compared with.
    pub(super) value: &'a str,
}

impl Target<'_> {
    /// The error of a value that is not of the column's type.
    pub(super) fn not_comparable(&self, data_type: &DataType) -> Error {
        Error::Condition {
            condition: shorten(self.condition),
            reason: format!(
                "{:?} cannot be compared with column {:?} ({data_type})",
                self.value, self.column
            ),
            hint: "numbers compare with numbers, times with ISO 8601 times, text with text"
                .to_owned(),
        }
    }
}

/// The column of a batch that a condition names.
pub(super) fn column_of<'a>(
    batch: &'a RecordBatch,
    condition: &str,
    column: &str,
) -> Result<&'a ArrayRef> {
    batch.column_by_name(column).ok_or_else(|| {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        Error::Condition {
            condition: shorten(condition),
            reason: format!("there is no column {column:?}"),
            hint: format!("the columns are {}", list_names(names)),
        }
    })
}

/// A column as values of another type.
pub(super) fn cast(
    array: &ArrayRef,
    data_type: &DataType,
    target: &Target<'_>,
) -> Result<ArrayRef> {
    arrow_cast::cast(array, data_type).map_err(|_| target.not_comparable(array.data_type()))
}

/// Integers of any width, exactly.
pub(super) fn integers(array: &ArrayRef, target: &Target<'_>) -> Result<Vec<Option<i128>>> {
    if array.data_type().is_unsigned_integer() {
        let wide = cast(array, &DataType::UInt64, target)?;
        return Ok(wide.as_primitive::<UInt64Type>().iter().map(|v| v.map(i128::from)).collect());
    }
    let wide = cast(array, &DataType::Int64, target)?;
    Ok(wide.as_primitive::<Int64Type>().iter().map(|v| v.map(i128::from)).collect())
}
