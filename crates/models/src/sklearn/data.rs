//! What flows between estimators: matrices of numbers, or frames with named and text columns.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};

pub(crate) use crate::input::Cells as Column;
use crate::input::Input;
use crate::{Error, Prediction, Result};

/// Cells of one intermediate result; a one-hot or text encoding of a large batch is the largest.
const MAX_CELLS: usize = 1 << 29;

/// Numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn new(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        debug_assert_eq!(rows * columns, values.len());
        Self { rows, columns, values }
    }

    pub(crate) fn zeros(rows: usize, columns: usize) -> Result<Self> {
        let cells = rows.checked_mul(columns).filter(|&cells| cells <= MAX_CELLS);
        let cells = cells.ok_or_else(|| {
            Error::Input(format!(
                "{rows} rows of {columns} columns are too much at once; send fewer rows"
            ))
        })?;
        Ok(Self { rows, columns, values: vec![0.0; cells] })
    }

    /// Rows in order; also of a matrix without columns.
    pub(crate) fn each_row(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.rows).map(|row| {
            self.values.get(row * self.columns..(row + 1) * self.columns).unwrap_or_default()
        })
    }

    pub(crate) fn each_row_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_exact_mut(self.columns.max(1))
    }

    /// One column.
    pub(crate) fn column(&self, at: usize) -> Vec<f64> {
        self.each_row().filter_map(|row| row.get(at).copied()).collect()
    }

    /// A matrix of these columns, in this order.
    pub(crate) fn select(&self, columns: &[usize]) -> Result<Self> {
        if let Some(column) = columns.iter().find(|&&column| column >= self.columns) {
            return Err(Error::Input(format!("column {column} of {}", self.columns)));
        }
        let values = self
            .each_row()
            .flat_map(|row| columns.iter().filter_map(|&at| row.get(at).copied()))
            .collect();
        Ok(Self::new(self.rows, columns.len(), values))
    }

    /// Matrices side by side.
    pub(crate) fn beside(parts: &[Self], rows: usize) -> Result<Self> {
        let columns = parts.iter().map(|part| part.columns).sum();
        let mut joined = Self::zeros(rows, columns)?;
        let mut first = 0;
        for part in parts {
            for (to, from) in joined.each_row_mut().zip(part.each_row()) {
                if let Some(to) = to.get_mut(first..first + part.columns) {
                    to.copy_from_slice(from);
                }
            }
            first += part.columns;
        }
        Ok(joined)
    }

    /// `f32` as scikit-learn's trees see the values.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        self.values.iter().map(|&x| x as f32).collect()
    }

    /// Rows times `weights` (outputs x columns, row-major), plus `bias` by output.
    pub(crate) fn times_transposed(&self, weights: &Self, bias: &[f64]) -> Result<Self> {
        self.check_width(weights.columns)?;
        let mut result = Self::zeros(self.rows, weights.rows)?;
        for (row, sums) in self.each_row().zip(result.values.chunks_exact_mut(weights.rows.max(1)))
        {
            for (at, (sum, weights)) in sums.iter_mut().zip(weights.each_row()).enumerate() {
                *sum = row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>()
                    + bias.get(at).or(bias.first()).copied().unwrap_or(0.0);
            }
        }
        Ok(result)
    }

    /// Refuses an input that is not as wide as the model.
    pub(crate) fn check_width(&self, columns: usize) -> Result<()> {
        if self.columns == columns {
            return Ok(());
        }
        Err(Error::Input(format!(
            "the model takes {columns} columns, the input has {}",
            self.columns
        )))
    }
}

/// Columns under names.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) rows: usize,
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Column>,
}

/// The input of an estimator.
#[derive(Debug, Clone)]
pub(crate) enum Table {
    Matrix(Matrix),
    Frame(Frame),
}

impl Table {
    pub(crate) fn from_batch(batch: &RecordBatch, as_frame: bool) -> Result<Self> {
        let input = Input::new(batch);
        if as_frame {
            return Ok(Self::Frame(Frame {
                rows: batch.num_rows(),
                names: input.names(),
                columns: input.columns()?,
            }));
        }
        Ok(Self::Matrix(Matrix::new(batch.num_rows(), input.width(), input.rows_f64()?)))
    }

    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Matrix(matrix) => matrix.rows,
            Self::Frame(frame) => frame.rows,
        }
    }

    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Matrix(matrix) => matrix.columns,
            Self::Frame(frame) => frame.columns.len(),
        }
    }

    /// All columns as numbers.
    pub(crate) fn matrix(&self) -> Result<std::borrow::Cow<'_, Matrix>> {
        let frame = match self {
            Self::Matrix(matrix) => return Ok(std::borrow::Cow::Borrowed(matrix)),
            Self::Frame(frame) => frame,
        };
        let mut matrix = Matrix::zeros(frame.rows, frame.columns.len())?;
        for (at, (column, name)) in frame.columns.iter().zip(&frame.names).enumerate() {
            let Column::Numbers(values) = column else {
                return Err(Error::Input(format!(
                    "column {name:?} holds text where the model takes numbers"
                )));
            };
            for (row, value) in matrix.each_row_mut().zip(values) {
                if let Some(slot) = row.get_mut(at) {
                    *slot = *value;
                }
            }
        }
        Ok(std::borrow::Cow::Owned(matrix))
    }

    /// One column, copied out.
    pub(crate) fn column(&self, at: usize) -> Result<Column> {
        let column = match self {
            Self::Matrix(matrix) if at < matrix.columns => Some(Column::Numbers(matrix.column(at))),
            Self::Matrix(_) => None,
            Self::Frame(frame) => frame.columns.get(at).cloned(),
        };
        column.ok_or_else(|| {
            Error::Input(format!("the model takes column {at}, the input has {}", self.width()))
        })
    }

    pub(crate) fn name(&self, at: usize) -> String {
        match self {
            Self::Frame(frame) => frame.names.get(at).cloned().unwrap_or_else(|| at.to_string()),
            Self::Matrix(_) => at.to_string(),
        }
    }

    /// A table of these columns.
    pub(crate) fn select(&self, columns: &[usize]) -> Result<Self> {
        match self {
            Self::Matrix(matrix) => Ok(Self::Matrix(matrix.select(columns)?)),
            Self::Frame(frame) => Ok(Self::Frame(Frame {
                rows: frame.rows,
                names: columns.iter().map(|&at| self.name(at)).collect(),
                columns: columns.iter().map(|&at| self.column(at)).collect::<Result<_>>()?,
            })),
        }
    }

    /// Tables side by side: a matrix when all of them are numbers.
    pub(crate) fn beside(parts: Vec<Self>, rows: usize) -> Result<Self> {
        if parts.iter().all(|part| matches!(part, Self::Matrix(_))) {
            let parts: Vec<Matrix> = parts
                .into_iter()
                .filter_map(|part| if let Self::Matrix(m) = part { Some(m) } else { None })
                .collect();
            return Ok(Self::Matrix(Matrix::beside(&parts, rows)?));
        }
        let mut frame = Frame { rows, names: Vec::new(), columns: Vec::new() };
        for part in parts {
            for at in 0..part.width() {
                frame.names.push(part.name(at));
                frame.columns.push(part.column(at)?);
            }
        }
        if frame.columns.iter().all(|column| matches!(column, Column::Numbers(_))) {
            return Ok(Self::Matrix(Self::Frame(frame).matrix()?.into_owned()));
        }
        Ok(Self::Frame(frame))
    }
}

/// Class labels of a classifier.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Classes {
    Integers(Vec<i64>, u8),
    Floats(Vec<f64>),
    Booleans(Vec<bool>),
    Text(Vec<String>),
}

impl Classes {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Integers(v, _) => v.len(),
            Self::Floats(v) => v.len(),
            Self::Booleans(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    fn labels(&self, chosen: &[usize]) -> ArrayRef {
        fn pick<T: Clone>(values: &[T], chosen: &[usize]) -> Vec<T> {
            chosen.iter().filter_map(|&at| values.get(at).cloned()).collect()
        }
        match self {
            Self::Integers(v, 32) => Arc::new(Int32Array::from_iter_values(
                pick(v, chosen).into_iter().map(|x| x as i32),
            )),
            Self::Integers(v, _) => Arc::new(Int64Array::from(pick(v, chosen))),
            Self::Floats(v) => Arc::new(Float64Array::from(pick(v, chosen))),
            Self::Booleans(v) => Arc::new(BooleanArray::from(pick(v, chosen))),
            Self::Text(v) => Arc::new(StringArray::from(pick(v, chosen))),
        }
    }

    /// Whether a class is the same as one of another list.
    pub(crate) fn same(&self, at: usize, other: &Self, of_other: usize) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.get(at) == b.get(of_other),
            _ => self.number(at).is_some() && self.number(at) == other.number(of_other),
        }
    }

    /// The class as a number, for classifiers that are trained on encoded classes.
    pub(crate) fn number(&self, at: usize) -> Option<f64> {
        match self {
            Self::Integers(v, _) => v.get(at).map(|&x| x as f64),
            Self::Floats(v) => v.get(at).copied(),
            Self::Booleans(v) => v.get(at).map(|&x| f64::from(u8::from(x))),
            Self::Text(_) => None,
        }
    }
}

/// What `predict` answers.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// A class for each row.
    Labels(Vec<usize>, Arc<Classes>),
    /// A number for each row.
    Values(Vec<f64>),
    /// Integers: clusters, or 1 and -1 of outlier detectors.
    Integers(Vec<i64>),
    /// Several numbers for each row.
    Table(Matrix),
    /// A class for each row and output.
    ManyLabels(Vec<(Vec<usize>, Arc<Classes>)>),
}

impl Output {
    pub(crate) fn prediction(self) -> Result<Prediction> {
        Ok(match self {
            Self::Labels(chosen, classes) => Prediction::Column(classes.labels(&chosen)),
            Self::Values(values) => Prediction::Column(Arc::new(Float64Array::from(values))),
            Self::Integers(values) => Prediction::Column(Arc::new(Int64Array::from(values))),
            Self::Table(matrix) => matrix_prediction(matrix),
            Self::ManyLabels(outputs) => many_labels(&outputs)?,
        })
    }

    /// The answers as numbers: what a model stacked on this one sees.
    pub(crate) fn numbers(&self) -> Result<Matrix> {
        Ok(match self {
            Self::Labels(chosen, classes) => {
                let numbers: Option<Vec<f64>> =
                    chosen.iter().map(|&at| classes.number(at)).collect();
                let numbers = numbers
                    .ok_or_else(|| Error::Input("text classes where numbers are needed".into()))?;
                Matrix::new(numbers.len(), 1, numbers)
            }
            Self::Values(values) => Matrix::new(values.len(), 1, values.clone()),
            Self::Integers(values) => {
                Matrix::new(values.len(), 1, values.iter().map(|&x| x as f64).collect())
            }
            Self::Table(matrix) => matrix.clone(),
            Self::ManyLabels(_) => {
                return Err(Error::Input("several outputs where one is needed".into()));
            }
        })
    }
}

pub(crate) fn matrix_prediction(matrix: Matrix) -> Prediction {
    Prediction::Matrix {
        width: matrix.columns,
        values: Arc::new(Float64Array::from(matrix.values)),
    }
}

/// Labels of several outputs, row by row; they must be of one kind, as in NumPy.
fn many_labels(outputs: &[(Vec<usize>, Arc<Classes>)]) -> Result<Prediction> {
    let width = outputs.len();
    let rows = outputs.first().map_or(0, |(chosen, _)| chosen.len());
    let each = || {
        (0..rows).flat_map(|row| {
            outputs
                .iter()
                .filter_map(move |(chosen, classes)| chosen.get(row).map(|&at| (at, classes)))
        })
    };
    let integers: Option<Vec<i64>> = each()
        .map(|(at, classes)| match &**classes {
            Classes::Integers(v, _) => v.get(at).copied(),
            _ => None,
        })
        .collect();
    if let Some(integers) = integers {
        return Ok(Prediction::Matrix { values: Arc::new(Int64Array::from(integers)), width });
    }
    if let Some(numbers) =
        each().map(|(at, classes)| classes.number(at)).collect::<Option<Vec<f64>>>()
    {
        return Ok(Prediction::Matrix { values: Arc::new(Float64Array::from(numbers)), width });
    }
    let text: Option<Vec<String>> = each()
        .map(|(at, classes)| match &**classes {
            Classes::Text(v) => v.get(at).cloned(),
            _ => None,
        })
        .collect();
    let text =
        text.ok_or_else(|| Error::Input("outputs of text and of numbers in one model".into()))?;
    Ok(Prediction::Matrix { values: Arc::new(StringArray::from(text)), width })
}
