//! What a condition is held to, and what is said where the two do not fit.

use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;

use crate::error::{Error, Result, shorten};

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

/// A column as values of another type.
pub(super) fn cast(
    array: &ArrayRef,
    data_type: &DataType,
    target: &Target<'_>,
) -> Result<ArrayRef> {
    arrow_cast::cast(array, data_type).map_err(|_| target.not_comparable(array.data_type()))
}
