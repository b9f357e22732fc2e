//! Numbers, row-major.

use crate::input::check_width;
use crate::{Error, Result};

/// Cells of one intermediate result, 1 GiB; a one-hot encoding of a large batch is the largest.
const CELLS_MAX: usize = 1 << 27;

/// Numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f64>,
    /// Whether NumPy keeps these values in 32 bits: they came so, and each step since kept them so.
    pub(crate) is_single: bool,
}

/// The nearest number of 32 bits.
pub(crate) fn single(x: f64) -> f64 {
    f64::from(x as f32)
}

impl Matrix {
    pub(crate) fn new(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        debug_assert_eq!(rows * columns, values.len());
        Self { rows, columns, values, is_single: false }
    }

    /// Cells of a matrix, refused where they are too many.
    pub(crate) fn cells(rows: usize, columns: usize) -> Result<usize> {
        let cells = rows.checked_mul(columns).filter(|&cells| cells <= CELLS_MAX);
        cells.ok_or_else(|| {
            Error::Input(format!(
                "{rows} rows of {columns} columns are too much at once; send fewer rows"
            ))
        })
    }

    pub(crate) fn zeros(rows: usize, columns: usize) -> Result<Self> {
        let cells = Self::cells(rows, columns)?;
        Ok(Self { rows, columns, values: vec![0.0; cells], is_single: false })
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
        Ok(Self { is_single: self.is_single, ..Self::new(self.rows, columns.len(), values) })
    }

    /// Matrices side by side, in 32 bits if all of them are.
    pub(crate) fn beside(parts: &[Self], rows: usize) -> Result<Self> {
        let columns = parts.iter().map(|part| part.columns).sum();
        let mut joined = Self::zeros(rows, columns)?;
        joined.is_single = !parts.is_empty() && parts.iter().all(|part| part.is_single);
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
        check_width(self.columns, columns)
    }
}
