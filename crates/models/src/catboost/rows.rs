//! Rows as a model takes them: the numbers and the categories that its trees look at.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};

use super::city::category;
use super::file::File;
use crate::any::{Cell, is_json};
use crate::fitted_names::are_places;
use crate::input::{Cells, Input, rows_f32};
use crate::{Error, Result};

/// Rows that are walked together: their bytes and sums stay in the nearest cache.
pub(super) const BLOCK: usize = 128;

/// Rows of a model.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(super) count: usize,
    /// Numbers of a row.
    pub(super) width: usize,
    /// Row-major.
    pub(super) numbers: Cow<'a, [f32]>,
    /// By categorical feature, those of all rows.
    categories: Vec<Vec<i32>>,
    /// For each number of a row, the column that it is of.
    pub(super) origins: Vec<usize>,
}

/// Columns of other kinds than a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Given<'a> {
    /// Row-major numbers, so many in a row.
    Numbers(&'a [f32], usize),
    /// So many rows of named columns.
    Columns(&'a [String], &'a [Cells], usize),
}

/// The columns that trees look at.
#[derive(Debug)]
pub(super) struct Columns {
    floats: Vec<Place>,
    categories: Vec<Place>,
    /// Whether training had categories at all.
    has_categories: bool,
}

/// A column of the training data.
#[derive(Debug, Clone)]
struct Place {
    column: usize,
    /// Empty if training had no names.
    name: String,
}

impl Rows<'_> {
    /// The values of one float feature in rows from `first` on.
    pub(super) fn column(&self, number: usize, first: usize, values: &mut [f32]) {
        let rows = self.numbers.chunks_exact(self.width.max(1)).skip(first);
        for (value, row) in values.iter_mut().zip(rows) {
            *value = row.get(number).copied().unwrap_or(f32::NAN);
        }
    }

    /// The categories of one feature in so many rows from `first` on.
    pub(super) fn categories(&self, number: usize, first: usize, count: usize) -> &[i32] {
        let column = self.categories.get(number).and_then(|column| column.get(first..));
        column.and_then(|column| column.get(..count)).unwrap_or_default()
    }
}

impl Columns {
    pub(super) fn new(file: &File) -> Self {
        let floats = file.floats.iter().filter(|feature| !feature.borders.is_empty());
        let floats = floats.map(|of| Place { column: of.column, name: of.name.clone() });
        let categories = file.categories.iter().filter(|feature| feature.is_used);
        let categories = categories.map(|of| Place { column: of.column, name: of.name.clone() });
        Self {
            floats: floats.collect(),
            categories: categories.collect(),
            has_categories: !file.categories.is_empty(),
        }
    }

    /// Whether training had categories, which may be texts.
    pub(super) fn take_text(&self) -> bool {
        self.has_categories
    }

    /// Whether training had names.
    pub(super) fn have_names(&self) -> bool {
        self.floats.iter().chain(&self.categories).any(|place| !place.name.is_empty())
    }

    /// The places of the float features and of the categories among these columns: by name where all have one, else by
    /// their number.
    fn find(&self, given: &[&str]) -> Result<(Vec<usize>, Vec<usize>)> {
        let every = || self.floats.iter().chain(&self.categories);
        let is_array = are_places(given.iter().copied());
        let is_at = |place: &Place| given.get(place.column).is_some_and(|name| *name == place.name);
        let is_named = !is_array && every().all(|place| !place.name.is_empty());
        if is_named && !every().all(is_at) {
            let mut places = HashMap::with_capacity(given.len());
            for (at, name) in given.iter().enumerate() {
                // A name that two columns have says nothing.
                places.entry(*name).and_modify(|place| *place = None).or_insert(Some(at));
            }
            let by_name = |place: &Place| places.get(place.name.as_str()).copied().flatten();
            if let Some(mut found) = every().map(by_name).collect::<Option<Vec<usize>>>() {
                let categories = found.split_off(self.floats.len());
                return Ok((found, categories));
            }
        }
        let by_number = |place: &Place| match given.get(place.column) {
            None => Err(Error::Input(format!(
                "the model takes column {} {:?}, the input has {} columns",
                place.column,
                place.name,
                given.len()
            ))),
            Some(name) if !is_array && !place.name.is_empty() && *name != place.name => {
                Err(Error::Input(format!(
                    "at position {} should be the column {:?} (found {name:?})",
                    place.column, place.name
                )))
            }
            Some(_) => Ok(place.column),
        };
        let floats = self.floats.iter().map(by_number).collect::<Result<_>>()?;
        Ok((floats, self.categories.iter().map(by_number).collect::<Result<_>>()?))
    }

    /// The rows of a batch.
    pub(super) fn of_batch(&self, batch: &RecordBatch) -> Result<Rows<'static>> {
        if batch.columns().iter().any(|column| column.data_type().is_nested()) {
            return self.of_tensor(batch);
        }
        let fields = batch.schema_ref().fields();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let (floats, categories) = self.find(&names)?;
        let numbers = if floats.iter().copied().eq(0..batch.num_columns()) {
            rows_f32(batch)?.0
        } else {
            let own = batch.project(&floats).map_err(|error| Error::Input(error.to_string()))?;
            rows_f32(&own)?.0
        };
        let hashed = categories.iter().map(|&at| hashes(fields.get(at), batch.columns().get(at)));
        Ok(Rows {
            count: batch.num_rows(),
            width: floats.len(),
            numbers: Cow::Owned(numbers),
            categories: hashed.collect::<Result<_>>()?,
            origins: floats,
        })
    }

    /// The rows of one tensor, or of columns beside lists.
    fn of_tensor(&self, batch: &RecordBatch) -> Result<Rows<'static>> {
        let input = Input::new(batch);
        if self.categories.is_empty() {
            let rows = input.rows_f32()?;
            return Ok(self.of_numbers(&rows, input.width(), batch.num_rows())?.owned());
        }
        let (names, cells) = (input.names(), input.columns()?);
        self.of_columns(&names, &cells, batch.num_rows())
    }

    /// The rows of a table between the steps of a pipeline.
    pub(super) fn of<'b>(&self, given: Given<'b>) -> Result<Rows<'b>> {
        match given {
            Given::Numbers(rows, width) => self.of_numbers(rows, width, rows.len() / width.max(1)),
            Given::Columns(names, columns, count) => self.of_columns(names, columns, count),
        }
    }

    fn of_numbers<'b>(&self, rows: &'b [f32], width: usize, count: usize) -> Result<Rows<'b>> {
        if let Some(place) = self.categories.first() {
            return Err(no_category(&place.name, "numbers of any size"));
        }
        let (floats, _) = self.find(&vec![""; width])?;
        let numbers = if floats.iter().copied().eq(0..width) {
            Cow::Borrowed(rows)
        } else {
            let mut own = Vec::with_capacity(count.saturating_mul(floats.len()));
            for row in rows.chunks_exact(width.max(1)) {
                own.extend(floats.iter().filter_map(|&at| row.get(at).copied()));
            }
            Cow::Owned(own)
        };
        Ok(Rows { count, width: floats.len(), numbers, categories: Vec::new(), origins: floats })
    }

    fn of_columns(
        &self,
        names: &[String],
        columns: &[Cells],
        count: usize,
    ) -> Result<Rows<'static>> {
        let given: Vec<&str> = names.iter().map(String::as_str).collect();
        let (floats, categories) = self.find(&given)?;
        let name = |at: usize| given.get(at).copied().unwrap_or_default();
        let mut numbers = vec![0.0; count.saturating_mul(floats.len())];
        for (number, &at) in floats.iter().enumerate() {
            let Some(Cells::Numbers(values)) = columns.get(at) else {
                return Err(Error::Input(format!(
                    "column {:?} holds something else where the model takes numbers",
                    name(at)
                )));
            };
            let slots = numbers.iter_mut().skip(number).step_by(floats.len());
            slots.zip(values).for_each(|(slot, &x)| *slot = x as f32);
        }
        let hashed = categories.iter().map(|&at| cell_hashes(name(at), columns.get(at)));
        Ok(Rows {
            count,
            width: floats.len(),
            numbers: Cow::Owned(numbers),
            categories: hashed.collect::<Result<_>>()?,
            origins: floats,
        })
    }
}

impl Rows<'_> {
    fn owned(self) -> Rows<'static> {
        Rows {
            count: self.count,
            width: self.width,
            numbers: Cow::Owned(self.numbers.into_owned()),
            categories: self.categories,
            origins: self.origins,
        }
    }
}

/// The refusal of what is no category; CatBoost refuses the same.
fn no_category(name: &str, what: impl Display) -> Error {
    Error::Input(format!(
        "column {name:?} holds {what} where the model takes a category: a text or a whole number"
    ))
}

const MISSING: &str = "a missing value";

/// The categories of a column, as CatBoost writes them before it makes numbers of them.
fn hashes(field: Option<&Arc<Field>>, column: Option<&ArrayRef>) -> Result<Vec<i32>> {
    let (Some(field), Some(column)) = (field, column) else { return Ok(Vec::new()) };
    let name = field.name();
    if column.is_empty() {
        return Ok(Vec::new());
    }
    if column.logical_null_count() > 0 {
        return Err(no_category(name, MISSING));
    }
    macro_rules! whole {
        ($type:ty) => {{
            let mut text = String::new();
            column.as_primitive::<$type>().values().iter().map(|x| written(&mut text, x)).collect()
        }};
    }
    Ok(match column.data_type() {
        _ if is_json(field) => {
            let texts = column.as_string::<i32>().iter().flatten();
            let cells = texts.map(|json| match Cell::parse(json) {
                Some(cell) => cell_hash(name, &cell),
                None => Err(no_category(name, "a list or an object")),
            });
            cells.collect::<Result<_>>()?
        }
        DataType::Utf8 => column.as_string::<i32>().iter().flatten().map(category).collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().flatten().map(category).collect(),
        DataType::Boolean => {
            let flags = column.as_boolean().iter().flatten();
            flags.map(|flag| category(if flag { "1" } else { "0" })).collect()
        }
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        other => return Err(no_category(name, format!("values of type {other}"))),
    })
}

/// The category of a number in decimal.
fn written(text: &mut String, x: impl Display) -> i32 {
    text.clear();
    let _unfailing = write!(text, "{x}");
    category(text)
}

/// The categories of a column between steps.
fn cell_hashes(name: &str, column: Option<&Cells>) -> Result<Vec<i32>> {
    match column {
        Some(Cells::Text(texts)) => {
            let hash = |text: &Option<String>| {
                text.as_deref().map(category).ok_or_else(|| no_category(name, MISSING))
            };
            texts.iter().map(hash).collect()
        }
        Some(Cells::Numbers(values)) => {
            values.iter().map(|&x| cell_hash(name, &Cell::Number(x))).collect()
        }
        Some(Cells::Mixed(cells)) => cells.iter().map(|cell| cell_hash(name, cell)).collect(),
        Some(Cells::Other(kind)) => Err(no_category(name, format!("values of type {kind}"))),
        None => Ok(Vec::new()),
    }
}

fn cell_hash(name: &str, cell: &Cell) -> Result<i32> {
    /// Up to here each whole number is one of its own.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match cell {
        Cell::Text(text) => Ok(category(text)),
        Cell::Missing => Err(no_category(name, MISSING)),
        Cell::Number(x) if x.is_nan() => Err(no_category(name, MISSING)),
        Cell::Number(x) if x.fract() == 0.0 && x.abs() < WHOLE_MAX => {
            Ok(written(&mut String::new(), *x as i64))
        }
        Cell::Number(x) => Err(no_category(name, x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_numbers() {
        let place = |(column, name): (usize, &str)| Place { column, name: name.to_owned() };
        let columns = Columns {
            floats: [(0, "2"), (1, "0"), (2, "1")].into_iter().map(place).collect(),
            categories: Vec::new(),
            has_categories: false,
        };
        let find = |given: &[&str]| columns.find(given).unwrap().0;
        assert_eq!(find(&["2", "0", "1"]), [0, 1, 2]);
        assert_eq!(find(&["1", "0", "2"]), [2, 1, 0]);
        // An array has places, not names.
        assert_eq!(find(&["0", "1", "2"]), [0, 1, 2]);
        assert!(columns.find(&["2", "1", "3"]).is_err());
    }
}
