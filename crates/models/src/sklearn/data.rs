//! What flows between estimators: matrices of numbers, or frames with named and text columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::DataType;

pub(crate) use super::matrix::Matrix;
pub(crate) use super::output::{Classes, Output, matrix_prediction};
pub(crate) use super::sparse::Sparse;
pub(crate) use crate::input::Cells as Column;
use crate::input::{Input, check_width, is_single, rows_f64};
use crate::{Error, Prediction, Result};

/// Columns under names.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) rows: usize,
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Column>,
    /// Which columns are numbers of 32 bits.
    pub(crate) singles: Vec<bool>,
}

impl Frame {
    /// A frame without columns.
    pub(crate) fn new(rows: usize) -> Self {
        Self { rows, names: Vec::new(), columns: Vec::new(), singles: Vec::new() }
    }

    pub(crate) fn push(&mut self, name: String, column: Column, is_single: bool) {
        self.names.push(name);
        self.columns.push(column);
        self.singles.push(is_single);
    }
}

/// Whether an estimator takes missing numbers. scikit-learn's take no infinite ones, but for a few that look at nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Taken,
    Refused,
}

/// The input of an estimator.
#[derive(Debug, Clone)]
pub(crate) enum Table {
    Matrix(Matrix),
    Sparse(Sparse),
    Frame(Frame),
}

impl Table {
    pub(crate) fn from_batch(batch: &RecordBatch, as_frame: bool) -> Result<Self> {
        if as_frame {
            let input = Input::new(batch);
            return Ok(Self::Frame(Frame {
                rows: batch.num_rows(),
                names: input.names(),
                columns: input.columns()?,
                singles: input.singles(),
            }));
        }
        let (rows, width) = rows_f64(batch)?;
        let mut matrix = Matrix::new(batch.num_rows(), width, rows);
        matrix.is_single = is_single(batch);
        Ok(Self::Matrix(matrix))
    }

    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Matrix(matrix) => matrix.rows,
            Self::Sparse(sparse) => sparse.rows(),
            Self::Frame(frame) => frame.rows,
        }
    }

    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Matrix(matrix) => matrix.columns,
            Self::Sparse(sparse) => sparse.columns,
            Self::Frame(frame) => frame.columns.len(),
        }
    }

    /// Whether NumPy's array of all columns is of 32 bits.
    pub(crate) fn is_single(&self) -> bool {
        match self {
            Self::Matrix(matrix) => matrix.is_single,
            Self::Sparse(_) => false,
            Self::Frame(frame) => {
                !frame.singles.is_empty() && frame.singles.iter().all(|is_single| *is_single)
            }
        }
    }

    /// Whether a column is of 32 bits.
    pub(crate) fn is_single_column(&self, at: usize) -> bool {
        match self {
            Self::Frame(frame) => frame.singles.get(at) == Some(&true),
            other => other.is_single(),
        }
    }

    /// Refuses an input that is not as wide as the model.
    pub(crate) fn check_width(&self, columns: usize) -> Result<()> {
        check_width(self.width(), columns)
    }

    /// All columns as numbers.
    pub(crate) fn matrix(&self) -> Result<Cow<'_, Matrix>> {
        let frame = match self {
            Self::Matrix(matrix) => return Ok(Cow::Borrowed(matrix)),
            Self::Sparse(sparse) => return Ok(Cow::Owned(sparse.filled(0, sparse.rows())?)),
            Self::Frame(frame) => frame,
        };
        let mut matrix = Matrix::zeros(frame.rows, frame.columns.len())?;
        matrix.is_single = self.is_single();
        for (at, (column, name)) in frame.columns.iter().zip(&frame.names).enumerate() {
            let values = match column {
                Column::Numbers(values) => values,
                Column::Text(_) | Column::Mixed(_) => {
                    return Err(Error::Input(format!(
                        "column {name:?} holds text where the model takes numbers"
                    )));
                }
                Column::Other(kind) => return Err(unusable(name, kind)),
            };
            for (row, value) in matrix.each_row_mut().zip(values) {
                if let Some(slot) = row.get_mut(at) {
                    *slot = *value;
                }
            }
        }
        Ok(Cow::Owned(matrix))
    }

    /// All columns as numbers, where the model takes none that are missing or infinite.
    pub(crate) fn finite(&self) -> Result<Cow<'_, Matrix>> {
        let matrix = self.matrix()?;
        if let Some(at) = matrix.values.iter().position(|x| !x.is_finite()) {
            let width = matrix.columns.max(1);
            return Err(Error::Input(format!(
                "column {:?}, row {}: {} where the model takes finite numbers",
                self.name(at % width),
                at / width,
                matrix.values.get(at).copied().unwrap_or(f64::NAN)
            )));
        }
        Ok(matrix)
    }

    /// Refuses infinite numbers, and missing ones where an estimator takes none. What is not there in rows of mostly
    /// zeros is zero.
    pub(crate) fn check_numbers(&self, missing: Missing) -> Result<()> {
        let is_bad = |x: f64| x.is_infinite() || (missing == Missing::Refused && x.is_nan());
        let bad = match self {
            Self::Matrix(matrix) => {
                let width = matrix.columns.max(1);
                let mut cells = matrix.values.iter().enumerate();
                cells.find(|(_, x)| is_bad(**x)).map(|(at, x)| (at / width, at % width, *x))
            }
            Self::Sparse(sparse) => (0..sparse.rows()).find_map(|row| {
                let (at, x) = sparse.row(row).find(|(_, x)| is_bad(*x))?;
                Some((row, at as usize, x))
            }),
            Self::Frame(frame) => frame.columns.iter().enumerate().find_map(|(at, column)| {
                let Column::Numbers(values) = column else { return None };
                let (row, x) = values.iter().enumerate().find(|(_, x)| is_bad(**x))?;
                Some((row, at, *x))
            }),
        };
        let Some((row, at, x)) = bad else { return Ok(()) };
        Err(Error::Input(format!(
            "column {:?}, row {row}: {x} where the model takes finite numbers",
            self.name(at)
        )))
    }

    /// The rows as numbers in blocks, each with the number of its first row. Rows of mostly zeros are
    /// filled up a block at a time.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Result<(usize, Cow<'_, Matrix>)>> {
        /// Cells of a block: 8 MB.
        const CELLS: usize = 1 << 20;
        let size = match self {
            Self::Sparse(sparse) => (CELLS / sparse.columns.max(1)).max(1),
            _ => self.rows().max(1),
        };
        (0..self.rows()).step_by(size).map(move |first| {
            Ok(match self {
                Self::Sparse(sparse) => {
                    (first, Cow::Owned(sparse.filled(first, size.min(sparse.rows() - first))?))
                }
                other => (first, other.matrix()?),
            })
        })
    }

    /// Rows times `weights` (outputs x columns, row-major), plus `bias` by output; for models that take
    /// finite numbers only.
    pub(crate) fn times_transposed(&self, weights: &Matrix, bias: &[f64]) -> Result<Matrix> {
        match self {
            Self::Sparse(sparse) => {
                self.check_numbers(Missing::Refused)?;
                sparse.times_transposed(weights, bias)
            }
            other => other.finite()?.times_transposed(weights, bias),
        }
    }

    /// Rows of text, if that is all there is.
    pub(crate) fn all_text(&self) -> Option<Prediction> {
        let Self::Frame(frame) = self else { return None };
        let columns: Option<Vec<&Vec<Option<String>>>> = frame
            .columns
            .iter()
            .map(|column| if let Column::Text(values) = column { Some(values) } else { None })
            .collect();
        let columns = columns?;
        let values: StringArray = (0..frame.rows)
            .flat_map(|row| columns.iter().map(move |column| column.get(row).cloned().flatten()))
            .collect();
        Some(Prediction::Matrix { values: Arc::new(values), width: columns.len() })
    }

    /// The columns one by one under these names: a data frame in Python.
    pub(crate) fn named(&self, names: &[String]) -> Result<Prediction> {
        if self.width() != names.len() {
            let given = (names.len(), self.width());
            return Err(Error::Input(format!(
                "{} names for an answer of {} columns",
                given.0, given.1
            )));
        }
        let column = |(at, name): (usize, &String)| {
            let values: ArrayRef = match self.column(at)? {
                Column::Numbers(values) => Arc::new(Float64Array::from(values)),
                Column::Text(values) => Arc::new(StringArray::from(values)),
                Column::Mixed(_) => {
                    return Err(Error::Input(format!(
                        "column {name:?} holds texts beside numbers, and is part of the answer"
                    )));
                }
                Column::Other(kind) => return Err(unusable(name, &kind)),
            };
            Ok((name.clone(), Prediction::Column(values)))
        };
        Ok(Prediction::Named(names.iter().enumerate().map(column).collect::<Result<_>>()?))
    }

    /// One column of numbers or text, copied out.
    pub(crate) fn column(&self, at: usize) -> Result<Column> {
        let column = match self {
            Self::Matrix(matrix) if at < matrix.columns => Some(Column::Numbers(matrix.column(at))),
            Self::Matrix(_) => None,
            Self::Sparse(sparse) => {
                Some(Column::Numbers(sparse.select(&[at])?.filled(0, sparse.rows())?.values))
            }
            Self::Frame(frame) => match frame.columns.get(at) {
                Some(Column::Other(kind)) => return Err(unusable(&self.name(at), kind)),
                column => column.cloned(),
            },
        };
        column.ok_or_else(|| {
            Error::Input(format!("the model takes column {at}, the input has {}", self.width()))
        })
    }

    pub(crate) fn name(&self, at: usize) -> String {
        match self {
            Self::Frame(frame) => frame.names.get(at).cloned().unwrap_or_else(|| at.to_string()),
            Self::Matrix(_) | Self::Sparse(_) => at.to_string(),
        }
    }

    /// A table of these columns.
    pub(crate) fn select(&self, columns: &[usize]) -> Result<Self> {
        match self {
            Self::Matrix(matrix) => Ok(Self::Matrix(matrix.select(columns)?)),
            Self::Sparse(sparse) => Ok(Self::Sparse(sparse.select(columns)?)),
            Self::Frame(frame) => Ok(Self::Frame(Frame {
                rows: frame.rows,
                names: columns.iter().map(|&at| self.name(at)).collect(),
                columns: columns.iter().map(|&at| self.column(at)).collect::<Result<_>>()?,
                singles: columns.iter().map(|&at| self.is_single_column(at)).collect(),
            })),
        }
    }

    /// Tables side by side: a matrix when all of them are numbers, of few entries when one of them is so.
    pub(crate) fn beside(mut parts: Vec<Self>, rows: usize) -> Result<Self> {
        if parts.len() == 1 && !matches!(parts.first(), Some(Self::Frame(_))) {
            return parts.pop().ok_or_else(|| Error::Input("no columns".into()));
        }
        if parts.iter().any(|part| matches!(part, Self::Sparse(_))) {
            let parts = parts.iter().map(|part| match part {
                Self::Sparse(sparse) => Ok(sparse.clone()),
                other => Sparse::from_matrix(&*other.matrix()?),
            });
            return Ok(Self::Sparse(Sparse::beside(&parts.collect::<Result<Vec<_>>>()?, rows)?));
        }
        if parts.iter().all(|part| matches!(part, Self::Matrix(_))) {
            let parts: Vec<Matrix> = parts
                .into_iter()
                .filter_map(|part| if let Self::Matrix(m) = part { Some(m) } else { None })
                .collect();
            return Ok(Self::Matrix(Matrix::beside(&parts, rows)?));
        }
        let mut frame = Frame::new(rows);
        for part in parts {
            for at in 0..part.width() {
                frame.push(part.name(at), part.column(at)?, part.is_single_column(at));
            }
        }
        if frame.columns.iter().all(|column| matches!(column, Column::Numbers(_))) {
            return Ok(Self::Matrix(Self::Frame(frame).matrix()?.into_owned()));
        }
        // NumPy's array of text and numbers is one of objects, which are Python's own floats.
        frame.singles.fill(false);
        Ok(Self::Frame(frame))
    }
}

fn unusable(name: &str, kind: &DataType) -> Error {
    Error::Input(format!("column {name:?} is {kind} where the model takes numbers or text"))
}
