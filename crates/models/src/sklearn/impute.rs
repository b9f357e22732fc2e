//! What stands in for missing values: `SimpleImputer`, and `MissingIndicator`, which says where they were.

use super::data::{Column, Frame, Matrix, Missing, Table};
use super::encoders::{Key, keys};
use super::estimator::{Estimator, Fields};
use super::matrix::single;
use super::reader::{Boxed, Reader};
use crate::any::Cell;
use crate::python::Elements;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("SimpleImputer", |fields, _| imputer(fields)),
    Reader::new("MissingIndicator", |fields, _| indicator(fields)),
];

/// `SimpleImputer`
#[derive(Debug)]
struct Imputer {
    missing: Key,
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

fn imputer(fields: Fields<'_>) -> Result<Boxed> {
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
    let missing = missing_values(fields);
    let indicate = match fields.optional("indicator_").map(Fields) {
        Some(indicator) => {
            indicator.numbers("features_")?.into_iter().map(|x| x as usize).collect()
        }
        None => Vec::new(),
    };
    Ok(Box::new(Imputer { missing, fill, indicate }))
}

impl Estimator for Imputer {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_width(self.fill.len())?;
        let has_text = self.fill.iter().any(|fill| matches!(fill, Some(Fill::Text(_))));
        x.check_numbers(if has_text { Missing::Taken } else { taken_beside(&self.missing) })?;
        let rows = x.rows();
        let is_single = x.is_single();
        let mut frame = Frame::new(rows);
        let mut indicators = Vec::new();
        for (at, fill) in self.fill.iter().enumerate() {
            let column = x.column(at)?;
            let missing: Vec<bool> = keys(&column).iter().map(|key| *key == self.missing).collect();
            if let Some(fill) = fill {
                let column = fill
                    .put_into(column, &missing, is_single)
                    .map_err(|reason| Error::Input(format!("column {:?}: {reason}", x.name(at))))?;
                frame.push(x.name(at), column, is_single);
            }
            if self.indicate.contains(&at) {
                indicators.push((at, missing));
            }
        }
        for (at, missing) in indicators {
            let marks = missing.into_iter().map(|x| f64::from(u8::from(x))).collect();
            let name = format!("missingindicator_{}", x.name(at));
            frame.push(name, Column::Numbers(marks), is_single);
        }
        Table::beside(vec![Table::Frame(frame)], rows)
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        let filled =
            (0..self.fill.len()).filter(|&at| self.fill.get(at).is_some_and(Option::is_some));
        let marked = (0..self.fill.len()).filter(|at| self.indicate.contains(at));
        Some(Ok(filled.chain(marked).collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}

impl Fill {
    /// Fills what is missing; in 32 bits if the values are so.
    fn put_into(
        &self,
        column: Column,
        missing: &[bool],
        is_single: bool,
    ) -> Result<Column, &'static str> {
        Ok(match (column, self) {
            (Column::Numbers(mut values), Self::Number(fill)) => {
                let fill = &if is_single { single(*fill) } else { *fill };
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
            (Column::Mixed(mut values), Self::Text(fill)) => {
                values
                    .iter_mut()
                    .zip(missing)
                    .filter(|(_, missing)| **missing)
                    .for_each(|(value, _)| *value = Cell::Text(fill.clone()));
                Column::Mixed(values)
            }
            (Column::Text(_) | Column::Mixed(_), Self::Number(_)) => {
                return Err("text where the model takes numbers");
            }
            (Column::Other(_), _) => return Err("neither numbers nor text"),
        })
    }
}

/// `MissingIndicator`: a column of zeros and ones for each column that can miss values.
#[derive(Debug)]
pub(super) struct Indicator {
    missing: Key,
    width: usize,
    columns: Vec<usize>,
    /// Refuse missing values in columns that had none in training.
    strict: bool,
}

fn indicator(fields: Fields<'_>) -> Result<Boxed> {
    Ok(Box::new(Indicator::read(fields)?))
}

impl Indicator {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self> {
        let columns: Vec<usize> =
            fields.numbers("features_")?.into_iter().map(|x| x as usize).collect();
        let width = fields.count("_n_features").or_else(|_| fields.count("n_features_in_"))?;
        if columns.iter().any(|&column| column >= width) {
            return Err(fields.malformed("features_ are out of range"));
        }
        Ok(Self {
            missing: missing_values(fields),
            width,
            columns,
            strict: fields.flag("error_on_new", true)
                && fields.text("features", "missing-only") == "missing-only",
        })
    }

    /// Ones where values of the chosen columns are missing.
    pub(super) fn mask(&self, x: &Table) -> Result<Matrix> {
        x.check_width(self.width)?;
        let mut mask = Matrix::zeros(x.rows(), self.columns.len())?;
        for at in 0..self.width {
            let place = self.columns.iter().position(|&column| column == at);
            if place.is_none() && !self.strict {
                continue;
            }
            for (row, key) in keys(&x.column(at)?).iter().enumerate() {
                if *key != self.missing {
                    continue;
                }
                let Some(place) = place else {
                    return Err(Error::Input(format!(
                        "column {:?}, row {row}: missing, which it never was in training",
                        x.name(at)
                    )));
                };
                if let Some(slot) = mask.values.get_mut(row * self.columns.len() + place) {
                    *slot = 1.0;
                }
            }
        }
        Ok(mask)
    }
}

impl Estimator for Indicator {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_numbers(taken_beside(&self.missing))?;
        Ok(Table::Matrix(self.mask(&x)?))
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        Some(Ok(self.columns.clone()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}

/// `missing_values` of an estimator.
pub(super) fn missing_values(fields: Fields<'_>) -> Key {
    fields.0.get("missing_values").and_then(Key::of).unwrap_or(Key::Missing)
}

/// Whether NaN is taken where `missing` stands for what is missing: it is that itself, or a number like none.
pub(super) fn taken_beside(missing: &Key) -> Missing {
    if *missing == Key::Missing { Missing::Taken } else { Missing::Refused }
}
