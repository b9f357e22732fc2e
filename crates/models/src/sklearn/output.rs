//! What estimators answer: classes, numbers, several of either.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray};

use super::matrix::Matrix;
use crate::{Error, Prediction, Result};

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

    /// Whether a class is there more than once.
    pub(crate) fn has_twins(&self) -> bool {
        fn twins<T, K: Eq + Hash>(values: &[T], key: impl Fn(&T) -> K) -> bool {
            let mut seen = HashSet::with_capacity(values.len());
            !values.iter().all(|value| seen.insert(key(value)))
        }
        match self {
            Self::Integers(v, _) => twins(v, |x| *x),
            Self::Floats(v) => twins(v, |x| x.to_bits()),
            Self::Booleans(v) => twins(v, |x| *x),
            Self::Text(v) => twins(v, String::clone),
        }
    }

    /// The classes of these numbers. One beyond the last would be an answer less than there are rows.
    fn labels(&self, chosen: &[usize]) -> Result<ArrayRef> {
        fn pick<T: Clone>(values: &[T], chosen: &[usize]) -> Vec<T> {
            chosen.iter().filter_map(|&at| values.get(at).cloned()).collect()
        }
        if let Some(beyond) = chosen.iter().find(|at| **at >= self.len()) {
            return Err(Error::Input(format!("class {beyond} of a model of {}", self.len())));
        }
        Ok(match self {
            Self::Integers(v, 32) => Arc::new(Int32Array::from_iter_values(
                pick(v, chosen).into_iter().map(|x| x as i32),
            )),
            Self::Integers(v, _) => Arc::new(Int64Array::from(pick(v, chosen))),
            Self::Floats(v) => Arc::new(Float64Array::from(pick(v, chosen))),
            Self::Booleans(v) => Arc::new(BooleanArray::from(pick(v, chosen))),
            Self::Text(v) => Arc::new(StringArray::from(pick(v, chosen))),
        })
    }

    /// The classes as text.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Integers(v, _) => v.iter().map(ToString::to_string).collect(),
            Self::Floats(v) => v.iter().map(ToString::to_string).collect(),
            Self::Booleans(v) => v.iter().map(ToString::to_string).collect(),
            Self::Text(v) => v.clone(),
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
    /// Zeros and ones: which labels have a score above the threshold.
    pub(crate) fn present(scores: &Matrix, threshold: f64) -> Self {
        let absent_or_present = Arc::new(Classes::Integers(vec![0, 1], 64));
        let label = |at: usize| {
            let column = scores.column(at).into_iter();
            (column.map(|x| usize::from(x > threshold)).collect(), Arc::clone(&absent_or_present))
        };
        Self::ManyLabels((0..scores.columns).map(label).collect())
    }

    pub(crate) fn prediction(self) -> Result<Prediction> {
        Ok(match self {
            Self::Labels(chosen, classes) => Prediction::Column(classes.labels(&chosen)?),
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
    let booleans: Option<Vec<bool>> = each()
        .map(|(at, classes)| match &**classes {
            Classes::Booleans(v) => v.get(at).copied(),
            _ => None,
        })
        .collect();
    if let Some(booleans) = booleans {
        return Ok(Prediction::Matrix { values: Arc::new(BooleanArray::from(booleans)), width });
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
