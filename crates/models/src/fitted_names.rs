//! The names that a model was fitted to, and columns in their order.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Error, Result};

/// The names that a model was fitted to, by which columns are put in its order.
#[derive(Debug, Default)]
pub(crate) struct FittedNames {
    names: Vec<String>,
    /// The first schema that was in order. All requests of a signature share theirs, so that names are compared once.
    usual: OnceLock<SchemaRef>,
}

impl FittedNames {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self { names, usual: OnceLock::new() }
    }

    /// The names, none if there are none.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there are any.
    pub(crate) fn are_known(&self) -> bool {
        !self.names.is_empty()
    }

    /// The batch with its columns in the order of the names, which the model was fitted with; as it is if there
    /// are none. Columns without names of their own (lists, places) stay as they are.
    pub(crate) fn arrange<'b>(&self, batch: &'b RecordBatch) -> Result<Cow<'b, RecordBatch>> {
        let schema = batch.schema_ref();
        let is_usual = self.usual.get().is_some_and(|usual| Arc::ptr_eq(usual, schema));
        if is_usual || self.names.is_empty() {
            return Ok(Cow::Borrowed(batch));
        }
        let arranged = arranged(batch, &self.names)?;
        if matches!(arranged, Cow::Borrowed(_)) {
            self.usual.get_or_init(|| Arc::clone(schema));
        }
        Ok(arranged)
    }
}

/// Whether a column has the name of a place: it was given none.
pub(crate) fn is_place(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether columns are those of an array, which have no names but their places. Names may be numbers as well.
pub(crate) fn are_places<'n>(names: impl IntoIterator<Item = &'n str>) -> bool {
    let mut each = names.into_iter().enumerate();
    each.all(|(at, name)| name.is_empty() || name.parse::<usize>() == Ok(at))
}

fn has_lists(batch: &RecordBatch) -> bool {
    batch.columns().iter().any(|column| column.data_type().is_nested())
}

fn arranged<'b>(batch: &'b RecordBatch, names: &[String]) -> Result<Cow<'b, RecordBatch>> {
    let schema = batch.schema_ref();
    let given = || schema.fields().iter().map(|field| field.name());
    if given().eq(names) || are_places(given().map(String::as_str)) || has_lists(batch) {
        return Ok(Cow::Borrowed(batch));
    }
    let places: Option<Vec<usize>> = names.iter().map(|name| schema.index_of(name).ok()).collect();
    if let Some(places) = places.filter(|places| places.len() == batch.num_columns()) {
        let arranged = batch.project(&places);
        return Ok(Cow::Owned(arranged.map_err(|error| Error::Input(error.to_string()))?));
    }
    let unseen = given().find(|&name| !names.contains(name));
    let missing = names.iter().find(|&name| given().all(|given| given != name));
    let told = |what: &str, name: Option<&String>| {
        name.map(|name| format!("; {what}: {name:?}")).unwrap_or_default()
    };
    Err(Error::Input(format!(
        "The feature names should match those that were passed during fit{}{}",
        told("unseen at fit time", unseen),
        told("seen at fit time, yet now missing", missing)
    )))
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Float64Array};

    use super::*;
    use crate::input::rows_f64;

    #[test]
    fn columns_that_are_named_by_numbers_are_arranged_by_name() {
        let fitted = ["2021".to_owned(), "2020".to_owned()];
        let arranged = |names: [&str; 2]| {
            let column = |x: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![x])) };
            let columns = names.into_iter().zip([column(1.0), column(2.0)]);
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let arranged = arranged(&batch, &fitted).unwrap();
            rows_f64(arranged.as_ref()).unwrap().0
        };
        assert_eq!(arranged(["2021", "2020"]), [1.0, 2.0]);
        assert_eq!(arranged(["2020", "2021"]), [2.0, 1.0]);
        // An array has places, not names.
        assert_eq!(arranged(["0", "1"]), [1.0, 2.0]);
    }

    #[test]
    fn a_schema_that_was_in_order_says_nothing_of_another_one() {
        let fitted = FittedNames::new(vec!["a".to_owned(), "b".to_owned()]);
        let batch = |names: [&str; 2]| {
            let column = |x: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![x])) };
            RecordBatch::try_from_iter(names.into_iter().zip([column(1.0), column(2.0)])).unwrap()
        };
        let rows = |batch: &RecordBatch| rows_f64(fitted.arrange(batch).unwrap().as_ref()).unwrap();
        let (usual, turned) = (batch(["a", "b"]), batch(["b", "a"]));
        for _ in 0..2 {
            assert_eq!(rows(&usual), (vec![1.0, 2.0], 2));
            assert_eq!(rows(&turned), (vec![2.0, 1.0], 2));
            assert!(fitted.arrange(&batch(["a", "c"])).is_err());
        }
    }
}
