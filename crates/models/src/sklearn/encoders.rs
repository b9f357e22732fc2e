//! Encoders of categories: one-hot, ordinal.

use std::collections::HashMap;

use super::data::{Column, Frame, Matrix, Table};
use super::estimator::{Estimator, Fields};
use crate::python::{Elements, Value};
use crate::{Error, Result};

/// A category: text, a number by its bits, or missing (`None` and NaN alike).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Text(String),
    Number(u64),
    Missing,
}

impl Key {
    pub(super) fn number(x: f64) -> Self {
        if x.is_nan() {
            Self::Missing
        } else {
            Self::Number(if x == 0.0 { 0.0 } else { x }.to_bits())
        }
    }

    pub(super) fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(text.to_owned()))
    }

    fn of(value: Value<'_>) -> Option<Self> {
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
pub(super) fn keys(column: &Column) -> Vec<Key> {
    match column {
        Column::Numbers(values) => values.iter().map(|&x| Key::number(x)).collect(),
        Column::Text(values) => values.iter().map(|text| Key::text(text.as_deref())).collect(),
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
    keys.ok_or_else(|| fields.unsupported("categories of this type"))
}

/// One column of an encoder.
#[derive(Debug)]
struct Encoded {
    place: HashMap<Key, usize>,
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
    let groups = fields
        .optional("_default_to_infrequent_mappings")
        .and_then(Value::items)
        .unwrap_or_default();
    fields
        .items("categories_")?
        .into_iter()
        .enumerate()
        .map(|(at, value)| {
            let keys = categories(fields, value)?;
            let count = keys.len();
            let mapping = groups
                .get(at)
                .and_then(|group| super::estimator::numbers(*group))
                .filter(|mapping| mapping.len() == count);
            let place = keys.into_iter().enumerate().map(|(number, key)| {
                let mapped = mapping
                    .as_ref()
                    .and_then(|mapping| mapping.get(number))
                    .map_or(number, |&x| x as usize);
                (key, mapped)
            });
            let width = mapping.as_ref().map_or(count, |mapping| {
                mapping.iter().fold(0.0, |a: f64, &b| a.max(b)) as usize + 1
            });
            Ok(Encoded { place: place.collect(), width, infrequent: mapping.map(|_| width - 1) })
        })
        .collect()
}

impl Encoded {
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

fn check_width(x: &Table, columns: usize) -> Result<()> {
    if x.width() == columns {
        return Ok(());
    }
    Err(Error::Input(format!("the model takes {columns} columns, the input has {}", x.width())))
}

#[derive(Debug)]
struct OneHot {
    columns: Vec<Encoded>,
    /// The code without a column of its own.
    dropped: Vec<Option<usize>>,
    unknown: Unknown,
}

pub(super) fn one_hot(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
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
    Ok(Box::new(OneHot { columns, dropped, unknown }))
}

impl Estimator for OneHot {
    fn transform(&self, x: Table) -> Result<Table> {
        check_width(&x, self.columns.len())?;
        let dropped = |at: usize| self.dropped.get(at).copied().flatten();
        let width = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| column.width - usize::from(dropped(at).is_some()))
            .sum();
        let mut result = Matrix::zeros(x.rows(), width)?;
        let mut first = 0;
        for (at, encoded) in self.columns.iter().enumerate() {
            let dropped = dropped(at);
            let codes =
                encoded.codes(&x.column(at)?, self.unknown).map_err(|row| unseen(&x, at, row))?;
            for (row, code) in result.each_row_mut().zip(codes) {
                let Some(code) = code.filter(|&code| Some(code) != dropped) else { continue };
                let place =
                    first + code - usize::from(dropped.is_some_and(|dropped| code > dropped));
                if let Some(slot) = row.get_mut(place) {
                    *slot = 1.0;
                }
            }
            first += encoded.width - usize::from(dropped.is_some());
        }
        Ok(Table::Matrix(result))
    }
}

#[derive(Debug)]
struct Ordinal {
    columns: Vec<Encoded>,
    unknown: Unknown,
    missing: f64,
}

pub(super) fn ordinal(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let unknown = match fields.text("handle_unknown", "error") {
        "error" => Unknown::Error,
        "use_encoded_value" => Unknown::Value(fields.float("unknown_value").unwrap_or(f64::NAN)),
        other => return Err(fields.unsupported(format!("handle_unknown {other:?}"))),
    };
    let missing = fields.float("encoded_missing_value").unwrap_or(f64::NAN);
    Ok(Box::new(Ordinal { columns: columns(fields)?, unknown, missing }))
}

impl Estimator for Ordinal {
    fn transform(&self, x: Table) -> Result<Table> {
        check_width(&x, self.columns.len())?;
        let mut result = Matrix::zeros(x.rows(), self.columns.len())?;
        for (at, encoded) in self.columns.iter().enumerate() {
            let column = x.column(at)?;
            let missing: Vec<bool> = keys(&column).iter().map(|key| *key == Key::Missing).collect();
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
}

/// `TargetEncoder`: each category becomes the mean of the target that training saw.
#[derive(Debug)]
struct Target {
    columns: Vec<HashMap<Key, usize>>,
    /// By column and class: the value of each category.
    encodings: Vec<Vec<f64>>,
    means: Vec<f64>,
}

pub(super) fn target(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let columns = fields
        .items("categories_")?
        .into_iter()
        .map(|value| {
            Ok(categories(fields, value)?
                .into_iter()
                .enumerate()
                .map(|(at, key)| (key, at))
                .collect())
        })
        .collect::<Result<Vec<_>>>()?;
    let encodings = fields
        .items("encodings_")?
        .into_iter()
        .map(|value| {
            super::estimator::numbers(value)
                .ok_or_else(|| fields.malformed("encodings_ are no numbers"))
        })
        .collect::<Result<_>>()?;
    Ok(Box::new(Target { columns, encodings, means: fields.numbers("target_mean_")? }))
}

impl Estimator for Target {
    fn transform(&self, x: Table) -> Result<Table> {
        check_width(&x, self.columns.len())?;
        // More than two classes give a column for each, for every column of the input.
        let each = self.encodings.len() / self.columns.len().max(1);
        let mut result = Matrix::zeros(x.rows(), self.encodings.len())?;
        for (at, column) in self.columns.iter().enumerate() {
            let keys = keys(&x.column(at)?);
            for (row, key) in result.each_row_mut().zip(&keys) {
                for class in 0..each {
                    let encoding = self.encodings.get(at * each + class);
                    let mean =
                        self.means.get(class).or(self.means.first()).copied().unwrap_or(f64::NAN);
                    let value = column
                        .get(key)
                        .and_then(|&place| encoding?.get(place))
                        .copied()
                        .unwrap_or(mean);
                    if let Some(slot) = row.get_mut(at * each + class) {
                        *slot = value;
                    }
                }
            }
        }
        Ok(Table::Matrix(result))
    }
}

/// `SimpleImputer`
#[derive(Debug)]
struct Imputer {
    missing: Key,
    /// Whether what is missing is `None` rather than NaN.
    none_is_missing: bool,
    /// What each column is filled with; `None` when the column is dropped.
    fill: Vec<Option<Fill>>,
    /// Columns whose missing values get an indicator.
    indicate: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Fill {
    Number(f64),
    Text(String),
}

pub(super) fn imputer(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let statistics = fields.value("statistics_")?;
    let keep_empty =
        fields.flag("keep_empty_features", false) || fields.text("strategy", "mean") == "constant";
    let numbers = statistics.array().and_then(|array| array.elements.to_f64());
    let fill = match (numbers, statistics.array().map(|array| &array.elements)) {
        (Some(numbers), _) => numbers
            .into_iter()
            .map(|x| {
                if x.is_nan() && !keep_empty {
                    None
                } else {
                    Some(Fill::Number(if x.is_nan() { 0.0 } else { x }))
                }
            })
            .collect(),
        (None, Some(Elements::Text(text))) => {
            text.iter().map(|text| Some(Fill::Text(text.clone()))).collect()
        }
        (None, Some(Elements::Objects(ids))) => ids
            .iter()
            .map(|&id| {
                let value = statistics.sibling(id);
                value
                    .text()
                    .map(|text| Fill::Text(text.to_owned()))
                    .or_else(|| value.float().filter(|x| !x.is_nan()).map(Fill::Number))
            })
            .collect(),
        _ => return Err(fields.malformed("statistics_ is no array")),
    };
    let missing = fields.0.get("missing_values").and_then(Key::of).unwrap_or(Key::Missing);
    let indicate = match fields.optional("indicator_").map(Fields) {
        Some(indicator) => {
            indicator.numbers("features_")?.into_iter().map(|x| x as usize).collect()
        }
        None => Vec::new(),
    };
    let none_is_missing = fields.0.get("missing_values").is_some_and(Value::is_none);
    Ok(Box::new(Imputer { missing, none_is_missing, fill, indicate }))
}

impl Estimator for Imputer {
    fn transform(&self, x: Table) -> Result<Table> {
        check_width(&x, self.fill.len())?;
        let rows = x.rows();
        let mut frame = Frame { rows, names: Vec::new(), columns: Vec::new() };
        let mut indicators = Vec::new();
        for (at, fill) in self.fill.iter().enumerate() {
            let column = x.column(at)?;
            let missing: Vec<bool> = match (&column, self.none_is_missing) {
                // `None` in text is not NaN, and stays.
                (Column::Text(values), false) if self.missing == Key::Missing => {
                    vec![false; values.len()]
                }
                _ => keys(&column).iter().map(|key| *key == self.missing).collect(),
            };
            if let Some(fill) = fill {
                frame.names.push(x.name(at));
                frame.columns.push(fill.put_into(column, &missing).map_err(|reason| {
                    Error::Input(format!("column {:?}: {reason}", x.name(at)))
                })?);
            }
            if self.indicate.contains(&at) {
                indicators.push((at, missing));
            }
        }
        for (at, missing) in indicators {
            frame.names.push(format!("missingindicator_{}", x.name(at)));
            frame.columns.push(Column::Numbers(
                missing.into_iter().map(|x| f64::from(u8::from(x))).collect(),
            ));
        }
        Table::beside(vec![Table::Frame(frame)], rows)
    }
}

impl Fill {
    fn put_into(&self, column: Column, missing: &[bool]) -> Result<Column, &'static str> {
        Ok(match (column, self) {
            (Column::Numbers(mut values), Self::Number(fill)) => {
                values
                    .iter_mut()
                    .zip(missing)
                    .filter(|(_, missing)| **missing)
                    .for_each(|(value, _)| *value = *fill);
                Column::Numbers(values)
            }
            (Column::Text(mut values), Self::Text(fill)) => {
                values
                    .iter_mut()
                    .zip(missing)
                    .filter(|(_, missing)| **missing)
                    .for_each(|(value, _)| *value = Some(fill.clone()));
                Column::Text(values)
            }
            // A text column that arrives empty is typed as numbers.
            (Column::Numbers(values), Self::Text(fill)) if values.iter().all(|x| x.is_nan()) => {
                Column::Text(vec![Some(fill.clone()); values.len()])
            }
            (Column::Numbers(_), Self::Text(_)) => {
                return Err("numbers where the model takes text");
            }
            (Column::Text(_), Self::Number(_)) => return Err("text where the model takes numbers"),
        })
    }
}
