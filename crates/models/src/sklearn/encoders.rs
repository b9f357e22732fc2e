//! Encoders of categories: one-hot, ordinal.

use std::collections::{HashMap, HashSet};

use super::data::{Column, Matrix, Missing, Sparse, Table};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Reader};
use crate::any::Cell;
use crate::python::{Elements, Value};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("OneHotEncoder", |fields, _| one_hot(fields)),
    Reader::new("OrdinalEncoder", |fields, _| ordinal(fields)),
    Reader::new("LabelEncoder", |fields, _| label(fields)),
];

/// A category: text, a number by its bits, or missing (`None` and NaN alike).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Text(String),
    Number(u64),
    Missing,
}

impl Key {
    pub(crate) fn number(x: f64) -> Self {
        if x.is_nan() {
            Self::Missing
        } else {
            Self::Number(if x == 0.0 { 0.0 } else { x }.to_bits())
        }
    }

    pub(crate) fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(text.to_owned()))
    }

    pub(crate) fn of(value: Value<'_>) -> Option<Self> {
        if value.is_none() {
            return Some(Self::Missing);
        }
        value
            .text()
            .map(|text| Self::Text(text.to_owned()))
            .or_else(|| value.float().map(Self::number))
    }
}

/// Keys of a column, row by row.
pub(crate) fn keys(column: &Column) -> Vec<Key> {
    match column {
        Column::Numbers(values) => values.iter().map(|&x| Key::number(x)).collect(),
        Column::Text(values) => values.iter().map(|text| Key::text(text.as_deref())).collect(),
        Column::Mixed(values) => {
            let key = |cell: &Cell| match cell {
                Cell::Number(x) => Key::number(*x),
                Cell::Text(text) => Key::text(Some(text)),
                Cell::Missing => Key::Missing,
            };
            values.iter().map(key).collect()
        }
        Column::Other(_) => Vec::new(), // not given out by tables
    }
}

/// The categories of one column, each with its place.
pub(super) fn categories(fields: Fields<'_>, value: Value<'_>) -> Result<Vec<Key>> {
    let array = value.array().ok_or_else(|| fields.malformed("categories that are no array"))?;
    let keys = match &array.elements {
        Elements::Text(v) => v.iter().map(|text| Some(Key::Text(text.clone()))).collect(),
        Elements::Objects(v) => v.iter().map(|&id| Key::of(value.sibling(id))).collect(),
        other => other.to_f64().map(|v| v.into_iter().map(Key::number).collect()),
    };
    let keys: Vec<Key> = keys.ok_or_else(|| fields.unsupported("categories of this type"))?;
    // None and NaN can be categories beside each other.
    let has_twins = {
        let mut seen = HashSet::new();
        keys.iter().any(|key| *key != Key::Missing && !seen.insert(key))
    };
    if has_twins {
        return Err(fields.malformed("a category is there twice"));
    }
    Ok(keys)
}

/// Refuses numbers where training had texts, as scikit-learn does: each would be unknown.
pub(super) fn check_texts(x: &Table, at: usize, column: &Column) -> Result<()> {
    let Column::Numbers(values) = column else { return Ok(()) };
    let Some((row, number)) = values.iter().enumerate().find(|(_, x)| !x.is_nan()) else {
        return Ok(());
    };
    Err(Error::Input(format!(
        "column {:?}, row {row}: the number {number} where training had texts; send texts, or log the model with a \
         signature",
        x.name(at)
    )))
}

/// Whether some of these categories are texts.
pub(super) fn has_text<'k>(mut keys: impl Iterator<Item = &'k Key>) -> bool {
    keys.any(|key| matches!(key, Key::Text(_)))
}

/// One column of an encoder.
#[derive(Debug)]
struct Encoded {
    place: HashMap<Key, usize>,
    /// Whether categories are texts.
    has_text: bool,
    /// Codes a row can get; one-hot columns before one is dropped.
    width: usize,
    /// Code of categories that were too rare, if any were.
    infrequent: Option<usize>,
}

/// What happens to a category that was not seen in training.
#[derive(Debug, Clone, Copy)]
enum Unknown {
    Error,
    Ignore,
    Value(f64),
    Infrequent,
}

/// Reads `categories_` and the grouping of rare categories.
fn columns(fields: Fields<'_>) -> Result<Vec<Encoded>> {
    let lists = fields.items("categories_")?;
    let groups = fields
        .optional("_default_to_infrequent_mappings")
        .and_then(Value::items)
        .unwrap_or_default();
    if !groups.is_empty() && groups.len() != lists.len() {
        return Err(fields.malformed("_default_to_infrequent_mappings are of other columns"));
    }
    let column = |(at, value): (usize, Value<'_>)| {
        let keys = categories(fields, value)?;
        let count = keys.len();
        let group = groups.get(at).filter(|group| !group.is_none());
        let mapping = group.map(|group| mapping(fields, *group, value, count)).transpose()?;
        let width = mapping
            .as_ref()
            .map_or(count, |mapping| mapping.iter().map(|&code| code + 1).max().unwrap_or(0));
        let code = |number: usize| {
            mapping.as_ref().and_then(|mapping| mapping.get(number)).copied().unwrap_or(number)
        };
        let infrequent = mapping.is_some().then(|| width.saturating_sub(1));
        let has_text = has_text(keys.iter());
        let place = keys.into_iter().enumerate().map(|(number, key)| (key, code(number)));
        Ok::<_, Error>(Encoded { place: place.collect(), has_text, width, infrequent })
    };
    lists.into_iter().enumerate().map(column).collect()
}

/// The codes of the categories of a column once the rare ones share the last. An ordinal encoder leaves
/// NaN, which stands last, out of this: it has a value of its own.
fn mapping(
    fields: Fields<'_>,
    group: Value<'_>,
    categories: Value<'_>,
    count: usize,
) -> Result<Vec<usize>> {
    let mapping = super::estimator::numbers(group)
        .ok_or_else(|| fields.malformed("_default_to_infrequent_mappings hold no numbers"))?;
    let expected = if fields.name() == "OrdinalEncoder" && has_nan(categories) {
        count.saturating_sub(1)
    } else {
        count
    };
    let codes: Option<Vec<usize>> = mapping
        .iter()
        .map(|&x| (x.fract() == 0.0 && (0.0..count as f64).contains(&x)).then_some(x as usize))
        .collect();
    codes.filter(|codes| codes.len() == expected).ok_or_else(|| {
        fields.malformed(format!("{} codes of {expected} categories", mapping.len()))
    })
}

impl Encoded {
    /// A column of the input, if it is what training had.
    fn column(&self, x: &Table, at: usize) -> Result<Column> {
        let column = x.column(at)?;
        if self.has_text {
            check_texts(x, at, &column)?;
        }
        Ok(column)
    }

    /// Codes of a column; `Err` holds the row of a category that must not be.
    fn codes(&self, column: &Column, unknown: Unknown) -> Result<Vec<Option<usize>>, usize> {
        keys(column)
            .iter()
            .enumerate()
            .map(|(row, key)| match (self.place.get(key), unknown) {
                (Some(&code), _) => Ok(Some(code)),
                (None, Unknown::Error) => Err(row),
                (None, Unknown::Infrequent) => Ok(self.infrequent),
                (None, Unknown::Ignore | Unknown::Value(_)) => Ok(None),
            })
            .collect()
    }
}

fn unseen(x: &Table, at: usize, row: usize) -> Error {
    Error::Input(format!(
        "column {:?}, row {row}: a category that the model does not know",
        x.name(at)
    ))
}

#[derive(Debug)]
struct OneHot {
    columns: Vec<Encoded>,
    /// The code without a column of its own.
    dropped: Vec<Option<usize>>,
    unknown: Unknown,
    sparse: bool,
    /// Whether its zeros and ones are of 32 bits.
    is_single: bool,
}

fn one_hot(fields: Fields<'_>) -> Result<Boxed> {
    let columns = columns(fields)?;
    let drop = fields.optional("_drop_idx_after_grouping").or_else(|| fields.optional("drop_idx_"));
    let dropped = match drop {
        None => vec![None; columns.len()],
        Some(value) => match value.items() {
            Some(items) => items
                .into_iter()
                .map(|item| item.int().and_then(|at| usize::try_from(at).ok()))
                .collect(),
            None => super::estimator::numbers(value)
                .unwrap_or_default()
                .into_iter()
                .map(|x| Some(x as usize))
                .collect(),
        },
    };
    let unknown = match fields.text("handle_unknown", "error") {
        "error" => Unknown::Error,
        "ignore" => Unknown::Ignore,
        "infrequent_if_exist" | "warn" => Unknown::Infrequent,
        other => return Err(fields.unsupported(format!("handle_unknown {other:?}"))),
    };
    let sparse = fields.flag("sparse_output", fields.flag("sparse", true));
    Ok(Box::new(OneHot { columns, dropped, unknown, sparse, is_single: is_single(fields) }))
}

impl Estimator for OneHot {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_width(self.columns.len())?;
        x.check_numbers(Missing::Taken)?;
        let dropped = |at: usize| self.dropped.get(at).copied().flatten();
        let width = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| column.width - usize::from(dropped(at).is_some()))
            .sum();
        let mut first = 0;
        let mut places = Vec::with_capacity(self.columns.len());
        for (at, encoded) in self.columns.iter().enumerate() {
            let dropped = dropped(at);
            let column = encoded.column(&x, at)?;
            let codes = encoded.codes(&column, self.unknown).map_err(|row| unseen(&x, at, row))?;
            let place = |code: Option<usize>| {
                let code = code.filter(|&code| Some(code) != dropped)?;
                Some(
                    (first + code - usize::from(dropped.is_some_and(|dropped| code > dropped)))
                        as u32,
                )
            };
            places.push(codes.into_iter().map(place).collect::<Vec<_>>());
            first += encoded.width - usize::from(dropped.is_some());
        }
        let mut result = Sparse::new(width);
        for row in 0..x.rows() {
            let ones = places.iter().filter_map(|column| *column.get(row)?);
            result.push_row(ones.map(|place| (place, 1.0)))?;
        }
        if self.sparse {
            return Ok(Table::Sparse(result));
        }
        let mut result = result.filled(0, x.rows())?;
        result.is_single = self.is_single;
        Ok(Table::Matrix(result))
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        let codes = self.columns.iter().enumerate().flat_map(|(at, column)| {
            let dropped = self.dropped.get(at).copied().flatten();
            std::iter::repeat_n(at, column.width - usize::from(dropped.is_some()))
        });
        Some(Ok(codes.collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}

/// The type that an estimator is told to give.
pub(super) fn dtype(fields: Fields<'_>) -> Option<&str> {
    fields.optional("dtype").and_then(Value::global)
}

/// Whether the `dtype` of what an encoder gives is of 32 bits.
fn is_single(fields: Fields<'_>) -> bool {
    dtype(fields).is_some_and(|dtype| dtype.ends_with(".float32"))
}

#[derive(Debug)]
struct Ordinal {
    columns: Vec<Encoded>,
    unknown: Unknown,
    missing: f64,
    /// By column: whether training saw NaN, which then has a code of its own. `None` is a category.
    saw_nan: Vec<bool>,
    /// Whether codes are of 32 bits.
    is_single: bool,
}

fn ordinal(fields: Fields<'_>) -> Result<Boxed> {
    let unknown = match fields.text("handle_unknown", "error") {
        "error" => Unknown::Error,
        "use_encoded_value" => Unknown::Value(fields.float("unknown_value").unwrap_or(f64::NAN)),
        other => return Err(fields.unsupported(format!("handle_unknown {other:?}"))),
    };
    let missing = fields.float("encoded_missing_value").unwrap_or(f64::NAN);
    let saw_nan = fields.items("categories_")?.into_iter().map(has_nan).collect();
    let is_single = is_single(fields);
    Ok(Box::new(Ordinal { columns: columns(fields)?, unknown, missing, saw_nan, is_single }))
}

/// Whether a list of categories has NaN.
fn has_nan(categories: Value<'_>) -> bool {
    categories.array().is_some_and(|array| match &array.elements {
        Elements::Objects(ids) => {
            ids.iter().any(|&id| categories.sibling(id).float().is_some_and(f64::is_nan))
        }
        other => other.to_f64().is_some_and(|values| values.iter().any(|x| x.is_nan())),
    })
}

impl Estimator for Ordinal {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_width(self.columns.len())?;
        x.check_numbers(Missing::Taken)?;
        let mut result = Matrix::zeros(x.rows(), self.columns.len())?;
        result.is_single = self.is_single;
        for (at, encoded) in self.columns.iter().enumerate() {
            let column = encoded.column(&x, at)?;
            let saw_nan = self.saw_nan.get(at) == Some(&true);
            let missing: Vec<bool> =
                keys(&column).iter().map(|key| saw_nan && *key == Key::Missing).collect();
            let codes = encoded.codes(&column, self.unknown).map_err(|row| unseen(&x, at, row))?;
            for ((row, code), missing) in result.each_row_mut().zip(codes).zip(missing) {
                let value = match (code, self.unknown) {
                    (Some(_), _) if missing => self.missing,
                    (Some(code), _) => code as f64,
                    (None, Unknown::Value(value)) => value,
                    (None, _) => f64::NAN,
                };
                if let Some(slot) = row.get_mut(at) {
                    *slot = value;
                }
            }
        }
        Ok(Table::Matrix(result))
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        Some(Ok((0..self.columns.len()).collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}

/// `LabelEncoder`: the numbers of classes.
#[derive(Debug)]
struct Label(Encoded);

fn label(fields: Fields<'_>) -> Result<Boxed> {
    let keys = categories(fields, fields.value("classes_")?)?;
    let width = keys.len();
    let has_text = has_text(keys.iter());
    let place = keys.into_iter().enumerate().map(|(at, key)| (key, at)).collect();
    Ok(Box::new(Label(Encoded { place, has_text, width, infrequent: None })))
}

impl Estimator for Label {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_width(1)?;
        let codes =
            self.0.codes(&x.column(0)?, Unknown::Error).map_err(|row| unseen(&x, 0, row))?;
        let values = codes.into_iter().map(|code| code.map_or(f64::NAN, |code| code as f64));
        Ok(Table::Matrix(Matrix::new(x.rows(), 1, values.collect())))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}
