//! `DictVectorizer`: records to columns, numbers as they are and each text as a column of its own.

use std::collections::HashMap;

use super::data::{Column, Frame, Sparse, Table};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Names, Reader};
use crate::any::Cell;
use crate::python::Value;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("DictVectorizer", |fields, _| DictVectorizer::read(fields))
        .note("a column of the request is a key of its records")
        .names(Names::Picked)];

#[derive(Debug)]
struct DictVectorizer {
    /// Columns by name, and by name and text with the separator between them.
    places: HashMap<String, u32>,
    separator: String,
    sparse: bool,
}

impl DictVectorizer {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let dtype = fields.value("dtype")?.describe();
        if !matches!(dtype.rsplit('.').next(), Some("float64" | "float")) {
            return Err(fields.unsupported(format!("dtype {dtype}")));
        }
        let entries = fields.value("vocabulary_")?.entries();
        let entries = entries.ok_or_else(|| fields.malformed("vocabulary_ is no dict"))?;
        let columns = entries.len();
        let mut places = HashMap::with_capacity(columns);
        let mut is_taken = vec![false; columns];
        for (name, place) in entries {
            let Some(name) = name.text() else {
                return Err(fields.unsupported("a key that is no text"));
            };
            let place = place.int().and_then(|place| u32::try_from(place).ok());
            let slot = place.and_then(|place| is_taken.get_mut(place as usize));
            let (Some(place), Some(false)) = (place, slot.map(|it| std::mem::replace(it, true)))
            else {
                return Err(fields.malformed("vocabulary_ does not number its columns"));
            };
            if places.insert(name.to_owned(), place).is_some() {
                return Err(fields.malformed("vocabulary_ holds a name twice"));
            }
        }
        Ok(Box::new(Self {
            places,
            separator: fields.optional("separator").and_then(Value::text).unwrap_or("=").to_owned(),
            sparse: fields.flag("sparse", true),
        }))
    }

    /// The column of a text under a name.
    fn text(&self, name: &str, text: &str) -> Option<(u32, f64)> {
        let key = [name, self.separator.as_str(), text].concat();
        self.places.get(&key).map(|&place| (place, 1.0))
    }

    /// The columns that the cells of a row fill, in order.
    fn row(&self, frame: &Frame, row: usize) -> Result<Vec<(u32, f64)>> {
        let mut filled: Vec<(u32, f64)> = Vec::with_capacity(frame.columns.len());
        for (column, name) in frame.columns.iter().zip(&frame.names) {
            let own = self.places.get(name).copied();
            let cell = match column {
                Column::Numbers(values) => {
                    let value = values.get(row).copied().unwrap_or(f64::NAN);
                    own.map(|place| (place, value))
                }
                Column::Text(texts) => match texts.get(row).and_then(Option::as_ref) {
                    Some(text) => self.text(name, text),
                    None => own.map(|place| (place, f64::NAN)),
                },
                Column::Mixed(values) => match values.get(row) {
                    Some(Cell::Text(text)) => self.text(name, text),
                    Some(Cell::Number(value)) => own.map(|place| (place, *value)),
                    Some(Cell::Missing) | None => own.map(|place| (place, f64::NAN)),
                },
                Column::Other(kind) => {
                    return Err(Error::Input(format!(
                        "column {name:?} is {kind} where the model takes numbers or text"
                    )));
                }
            };
            let Some((place, value)) = cell else { continue };
            // A record without a key has a zero there, one with nothing under it has NaN: a table tells no difference.
            if value.is_nan() {
                return Err(Error::Input(format!(
                    "column {name:?}, row {row}: nothing where the model takes a number; send records that lack it in a request of their own"
                )));
            }
            filled.push((place, value));
        }
        filled.sort_by_key(|(place, _)| *place);
        filled.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 += next.1;
            }
            is_same
        });
        Ok(filled)
    }
}

impl Estimator for DictVectorizer {
    fn transform(&self, x: Table) -> Result<Table> {
        let Table::Frame(frame) = &x else {
            return Err(Error::Input("DictVectorizer takes named columns".into()));
        };
        let mut rows = Sparse::new(self.places.len());
        for row in 0..frame.rows {
            rows.push_row(self.row(frame, row)?)?;
        }
        if self.sparse {
            return Ok(Table::Sparse(rows));
        }
        Ok(Table::Matrix(rows.filled(0, rows.rows())?))
    }

    fn takes_frame(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        // A name of ten letters, its place and the slots of the table.
        self.places.len() * 64
    }
}
