//! One column of a table in one of four plain forms, whatever Arrow type it came in.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// The values of a column.
#[derive(Debug, Clone)]
pub(crate) enum Column {
    /// Text; dictionaries too.
    Text(StringArray),
    /// Booleans.
    Flag(BooleanArray),
    /// Whole numbers.
    Whole(Int64Array),
    /// Numbers; NaN is a missing value, as in pandas.
    Number(Float64Array),
    /// A column without any value, whose type nobody knows.
    Nothing(usize),
}

impl Column {
    /// Reads a column; dates, times, lists and the like are refused.
    pub(crate) fn read(name: &str, array: &ArrayRef) -> Result<Self> {
        let values = match array.data_type() {
            DataType::Dictionary(_, values) => values.as_ref(),
            other => other,
        };
        let to = |data_type: &DataType| cast(array, data_type);
        Ok(match values {
            DataType::Null => Self::Nothing(array.len()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Self::Text(to(&DataType::Utf8)?.as_string::<i32>().clone())
            }
            DataType::Boolean => Self::Flag(to(&DataType::Boolean)?.as_boolean().clone()),
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => {
                Self::Whole(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::UInt64
            | DataType::Float16
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..) => {
                Self::Number(to(&DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            other => {
                return Err(Error::ColumnType {
                    column: name.to_owned(),
                    data_type: other.to_string(),
                });
            }
        })
    }

    /// The same, but dates and times are texts: for whoever only asks which values are equal or missing.
    pub(crate) fn read_as_written(name: &str, array: &ArrayRef) -> Result<Self> {
        if array.data_type().is_temporal() {
            return Self::read(name, &cast(array, &DataType::Utf8)?);
        }
        Self::read(name, array)
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Flag(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Nothing(rows) => *rows,
        }
    }

    /// Whether a row has no value: null, NaN, or text without characters.
    pub(crate) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Text(values) => values.is_null(row) || values.value(row).is_empty(),
            Self::Flag(values) => values.is_null(row),
            Self::Whole(values) => values.is_null(row),
            Self::Number(values) => values.is_null(row) || values.value(row).is_nan(),
            Self::Nothing(_) => true,
        }
    }

    /// Rows without a value.
    pub(crate) fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).filter(|&row| self.is_missing(row))
    }

    /// The number in a row; booleans are 0 and 1. None for text and missing values.
    pub(crate) fn number(&self, row: usize) -> Option<f64> {
        if self.is_missing(row) {
            return None;
        }
        match self {
            Self::Flag(values) => Some(f64::from(u8::from(values.value(row)))),
            Self::Whole(values) => Some(values.value(row) as f64),
            Self::Number(values) => Some(values.value(row)),
            Self::Text(_) | Self::Nothing(_) => None,
        }
    }

    /// The value of a row as text, the same for `1` and `1.0`; empty for a missing value.
    pub(crate) fn text(&self, row: usize) -> String {
        if self.is_missing(row) {
            return String::new();
        }
        match self {
            Self::Text(values) => values.value(row).to_owned(),
            Self::Flag(values) => values.value(row).to_string(),
            Self::Whole(values) => values.value(row).to_string(),
            Self::Number(values) => values.value(row).to_string(),
            Self::Nothing(_) => String::new(),
        }
    }

    /// Adds the values to a content hash.
    pub(crate) fn hash_into(&self, hash: &mut Sha256) {
        for row in 0..self.len() {
            if self.is_missing(row) {
                hash.update([0]);
                continue;
            }
            if let Self::Text(values) = self {
                let text = values.value(row).as_bytes();
                hash.update([1]);
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            } else {
                hash.update([2]);
                hash.update(self.number(row).unwrap_or(f64::NAN).to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{DictionaryArray, Float32Array, TimestampSecondArray, types::Int32Type};

    use super::*;

    #[test]
    fn every_form_is_read() {
        let text: DictionaryArray<Int32Type> =
            vec![Some("a"), None, Some("")].into_iter().collect();
        let column = Column::read("c", &(Arc::new(text) as ArrayRef)).unwrap();
        assert_eq!(column.missing().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(column.text(0), "a");

        let numbers: ArrayRef = Arc::new(Float32Array::from(vec![Some(2.0), Some(f32::NAN), None]));
        let column = Column::read("n", &numbers).unwrap();
        assert_eq!((column.number(0), column.number(1), column.number(2)), (Some(2.0), None, None));
        assert_eq!(
            column.text(0),
            "2",
            "the label of a class must not depend on the column's type"
        );

        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None]));
        assert_eq!(Column::read("f", &flags).unwrap().number(0), Some(1.0));
    }

    #[test]
    fn times_are_refused_by_name() {
        let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1]));
        let error = Column::read("when", &times).unwrap_err().to_string();
        assert!(error.contains("\"when\" holds Timestamp"), "{error}");
        let written = Column::read_as_written("when", &times).unwrap();
        assert_eq!(written.text(0), "1970-01-01T00:00:01");
    }
}
