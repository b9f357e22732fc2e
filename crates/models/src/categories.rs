//! Columns of boosters that were trained on categories of pandas: the file keeps the categories, texts or numbers, and
//! trees see their places.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use crate::any::is_json;
use crate::fitted_names::is_place;
use crate::input::{Cells, Input};
use crate::{Error, Result};

/// The texts of features, each with its number.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextCategories {
    /// By feature; empty where a feature has no texts.
    numbers: Vec<HashMap<String, f64>>,
    /// The same for categories that are numbers, by their bits.
    coded: Vec<HashMap<u64, f64>>,
    /// Whether a category that training did not see counts as missing.
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
        Self { numbers, coded: Vec::new(), unknown_is_missing }
    }

    /// The same with `categories` of each feature that are numbers, in the order of their places. A named column of
    /// these is then taken by its values.
    pub(crate) fn with_numbers(mut self, categories: Vec<Vec<f64>>) -> Self {
        let coded = |categories: Vec<f64>| -> HashMap<u64, f64> {
            categories.into_iter().enumerate().map(|(place, x)| (key(x), place as f64)).collect()
        };
        let coded: Vec<_> = categories.into_iter().map(coded).collect();
        if !coded.iter().all(HashMap::is_empty) {
            self.coded = coded;
            self.unknown_is_missing = true;
        }
        self
    }

    /// Whether no feature has texts.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.coded.is_empty()
    }

    /// The places of a named column of numbers; none if it stays as it is. No number is taken for a text: its place
    /// among the categories is for arrays alone.
    pub(crate) fn places(
        &self,
        (feature, name): (usize, &str),
        values: &[f64],
    ) -> Option<Result<Vec<f64>>> {
        if !self.has_places((feature, name)) {
            return None;
        }
        if let Some(coded) = self.coded.get(feature).filter(|coded| !coded.is_empty()) {
            let place = |x: &f64| coded.get(&key(*x)).copied().unwrap_or(f64::NAN);
            return Some(Ok(values.iter().map(place).collect()));
        }
        let number = values.iter().find(|x| !x.is_nan())?;
        Some(Err(Error::Input(format!(
            "column {name:?} holds the number {number}, and training had texts there"
        ))))
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

    /// Whether a named column of numbers is looked at.
    fn has_places(&self, (feature, name): (usize, &str)) -> bool {
        let is_known = self.coded.get(feature).is_some_and(|coded| !coded.is_empty())
            || self.numbers.get(feature).is_some_and(|numbers| !numbers.is_empty());
        is_known && !is_place(name)
    }

    /// The rows with places instead of categories.
    pub(crate) fn numbered<'b>(&self, rows: Cow<'b, RecordBatch>) -> Result<Cow<'b, RecordBatch>> {
        if self.is_empty() || rows.columns().iter().any(|column| column.data_type().is_nested()) {
            return Ok(rows);
        }
        let mut fields = Vec::with_capacity(rows.num_columns());
        let mut columns = Vec::with_capacity(rows.num_columns());
        for (at, (field, column)) in
            rows.schema_ref().fields().iter().zip(rows.columns()).enumerate()
        {
            let place = (at, field.name().as_str());
            let numbers = match column.data_type() {
                _ if is_json(field) => match cells(&rows, at)? {
                    Cells::Text(texts) => self.numbers(place, texts.iter().map(Option::as_deref)),
                    Cells::Numbers(values) => self.places(place, &values),
                    Cells::Mixed(_) | Cells::Other(_) => None,
                },
                DataType::Utf8 => self.numbers(place, column.as_string::<i32>().iter()),
                DataType::LargeUtf8 => self.numbers(place, column.as_string::<i64>().iter()),
                kind if self.has_places(place)
                    && (kind.is_numeric() || *kind == DataType::Boolean) =>
                {
                    self.places(place, &doubles(&rows, at)?)
                }
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

/// What is the same number has the same key.
fn key(x: f64) -> u64 {
    // Both zeros are one.
    (x + 0.0).to_bits()
}

/// One column as doubles, NaN where it is missing.
fn doubles(rows: &RecordBatch, at: usize) -> Result<Vec<f64>> {
    let column = rows.project(&[at]).map_err(|error| Error::Input(error.to_string()))?;
    Input::new(&column).rows_f64()
}

/// One column of any type as what its values are.
fn cells(rows: &RecordBatch, at: usize) -> Result<Cells> {
    let column = rows.project(&[at]).map_err(|error| Error::Input(error.to_string()))?;
    let cells = Input::new(&column).columns()?.pop();
    cells.ok_or_else(|| Error::Input("a column holds no values".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_by_value_under_a_name_and_by_place_in_an_array() {
        let texts = vec![Vec::new(), vec!["a".to_owned(), "b".to_owned()]];
        let numbers = vec![vec![10.0, 20.0, -0.0], Vec::new()];
        let categories = TextCategories::new(texts.clone(), true).with_numbers(numbers);
        let places = |name, values: &[f64]| categories.places(name, values).map(Result::unwrap);
        let found = places((0, "c"), &[20.0, 0.0, 10.0, 5.0]).unwrap();
        assert_eq!(found[..3], [1.0, 2.0, 0.0]);
        assert!(found[3].is_nan(), "training did not see it");
        assert_eq!(places((0, "0"), &[1.0]), None, "an array holds places");
        assert_eq!(places((1, "t"), &[f64::NAN]), None, "nothing is there");
        assert!(categories.places((1, "t"), &[1.0]).unwrap().is_err());
        // XGBoost refuses it as well, whatever it does with a text that it did not see.
        assert!(TextCategories::new(texts, false).places((1, "t"), &[1.0]).unwrap().is_err());
    }
}
