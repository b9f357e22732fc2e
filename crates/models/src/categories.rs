//! Text columns of boosters that were trained on categories of pandas: the file keeps the texts, trees see their numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use crate::{Error, Result};

/// The texts of features, each with its number.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextCategories {
    /// By feature; empty where a feature has no texts.
    numbers: Vec<HashMap<String, f64>>,
    /// Whether a text that training did not see counts as missing.
    unknown_is_missing: bool,
}

impl TextCategories {
    /// `texts` of each feature in the order of their numbers.
    pub(crate) fn new(texts: Vec<Vec<String>>, unknown_is_missing: bool) -> Self {
        let numbered = |texts: Vec<String>| -> HashMap<String, f64> {
            texts.into_iter().enumerate().map(|(number, text)| (text, number as f64)).collect()
        };
        let numbers: Vec<_> = texts.into_iter().map(numbered).collect();
        if numbers.iter().all(HashMap::is_empty) {
            return Self::default();
        }
        Self { numbers, unknown_is_missing }
    }

    /// Whether no feature has texts.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The numbers of the texts of a column, NaN where they are missing; none if the feature has no texts.
    pub(crate) fn numbers<'t>(
        &self,
        (feature, name): (usize, &str),
        texts: impl Iterator<Item = Option<&'t str>>,
    ) -> Option<Result<Vec<f64>>> {
        let numbers = self.numbers.get(feature).filter(|numbers| !numbers.is_empty())?;
        let number = |text: Option<&str>| {
            let Some(text) = text else { return Ok(f64::NAN) };
            match numbers.get(text) {
                Some(&number) => Ok(number),
                None if self.unknown_is_missing => Ok(f64::NAN),
                None => Err(Error::Input(format!(
                    "column {name:?} holds {text:?}, a category that training did not see"
                ))),
            }
        };
        Some(texts.map(number).collect())
    }

    /// The rows with numbers in place of texts. Columns that are numbers already stay so.
    pub(crate) fn numbered<'b>(&self, rows: Cow<'b, RecordBatch>) -> Result<Cow<'b, RecordBatch>> {
        let is_text =
            |column: &ArrayRef| matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8);
        if self.is_empty() || !rows.columns().iter().any(is_text) {
            return Ok(rows);
        }
        let mut fields = Vec::with_capacity(rows.num_columns());
        let mut columns = Vec::with_capacity(rows.num_columns());
        for (at, (field, column)) in
            rows.schema_ref().fields().iter().zip(rows.columns()).enumerate()
        {
            let place = (at, field.name().as_str());
            let numbers = match column.data_type() {
                DataType::Utf8 => self.numbers(place, column.as_string::<i32>().iter()),
                DataType::LargeUtf8 => self.numbers(place, column.as_string::<i64>().iter()),
                _ => None,
            };
            if let Some(numbers) = numbers.transpose()? {
                fields.push(Arc::new(Field::new(field.name(), DataType::Float64, true)));
                columns.push(Arc::new(Float64Array::from(numbers)) as ArrayRef);
            } else {
                fields.push(Arc::clone(field));
                columns.push(Arc::clone(column));
            }
        }
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        rows.map(Cow::Owned).map_err(|error| Error::Input(error.to_string()))
    }
}
