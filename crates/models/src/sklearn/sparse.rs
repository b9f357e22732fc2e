//! Rows of mostly zeros: what text becomes.
//!
//! A vocabulary has a hundred thousand terms and a document a hundred of them, so these rows stay as they
//! are from the vectorizer to the model; only models that cannot take them see them filled up, in blocks.

use super::matrix::Matrix;
use crate::input::check_width;
use crate::{Error, Result};

/// Cells other than zero of one batch: 1.5 GiB. A document of a thousand words has a thousand of them.
const ENTRIES_MAX: usize = 1 << 27;

/// A matrix by rows, with the places of what is not zero in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sparse {
    pub(crate) columns: usize,
    /// Where each row begins; one more than there are rows.
    starts: Vec<usize>,
    places: Vec<u32>,
    values: Vec<f64>,
}

impl Sparse {
    /// A matrix of no rows, to which rows are added.
    pub(crate) fn new(columns: usize) -> Self {
        Self { columns, starts: vec![0], places: Vec::new(), values: Vec::new() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Adds a row of ascending places and their values.
    pub(crate) fn push_row(&mut self, row: impl IntoIterator<Item = (u32, f64)>) -> Result<()> {
        for (place, value) in row {
            self.places.push(place);
            self.values.push(value);
        }
        if self.values.len() > ENTRIES_MAX {
            return Err(Error::Input(format!(
                "{} rows of text are too much at once; send fewer rows",
                self.rows() + 1
            )));
        }
        self.starts.push(self.values.len());
        Ok(())
    }

    /// Places and values of one row.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (u32, f64)> + Clone + '_ {
        let start = self.starts.get(row).copied().unwrap_or(0);
        let end = self.starts.get(row + 1).copied().unwrap_or(start);
        let places = self.places.get(start..end).unwrap_or_default();
        places.iter().copied().zip(self.values.get(start..end).unwrap_or_default().iter().copied())
    }

    /// Values of one row, to be changed.
    pub(crate) fn row_mut(&mut self, row: usize) -> impl Iterator<Item = (u32, &mut f64)> {
        let start = self.starts.get(row).copied().unwrap_or(0);
        let end = self.starts.get(row + 1).copied().unwrap_or(start);
        let places = self.places.get(start..end).unwrap_or_default();
        places.iter().copied().zip(self.values.get_mut(start..end).unwrap_or_default().iter_mut())
    }

    /// The matrix without its zeros.
    pub(crate) fn from_matrix(matrix: &Matrix) -> Result<Self> {
        let mut sparse = Self::new(matrix.columns);
        for row in matrix.each_row() {
            sparse.push_row((0_u32..).zip(row.iter().copied()).filter(|(_, x)| *x != 0.0))?;
        }
        Ok(sparse)
    }

    /// All rows, with `absent` where nothing is.
    pub(crate) fn filled_with(&self, absent: f64) -> Result<Matrix> {
        let mut matrix = Matrix::zeros(self.rows(), self.columns)?;
        matrix.values.fill(absent);
        self.fill(0, &mut matrix);
        Ok(matrix)
    }

    /// Rows `first..first + count` with their zeros.
    pub(crate) fn filled(&self, first: usize, count: usize) -> Result<Matrix> {
        let mut matrix = Matrix::zeros(count, self.columns)?;
        self.fill(first, &mut matrix);
        Ok(matrix)
    }

    fn fill(&self, first: usize, matrix: &mut Matrix) {
        for (number, row) in matrix.each_row_mut().enumerate() {
            for (place, value) in self.row(first + number) {
                if let Some(slot) = row.get_mut(place as usize) {
                    *slot = value;
                }
            }
        }
    }

    /// These columns, in this order.
    pub(crate) fn select(&self, columns: &[usize]) -> Result<Self> {
        let mut to = vec![None; self.columns];
        for (place, &column) in (0_u32..).zip(columns) {
            match to.get_mut(column) {
                Some(slot) => *slot = Some(place),
                None => return Err(Error::Input(format!("column {column} of {}", self.columns))),
            }
        }
        let mut selected = Self::new(columns.len());
        let ascending = columns.is_sorted();
        for row in 0..self.rows() {
            let mut kept: Vec<(u32, f64)> = self
                .row(row)
                .filter_map(|(place, value)| Some(((*to.get(place as usize)?)?, value)))
                .collect();
            if !ascending {
                kept.sort_by_key(|(place, _)| *place);
            }
            selected.push_row(kept)?;
        }
        Ok(selected)
    }

    /// Matrices side by side.
    pub(crate) fn beside(parts: &[Self], rows: usize) -> Result<Self> {
        let mut joined = Self::new(parts.iter().map(|part| part.columns).sum());
        for row in 0..rows {
            let mut first = 0_u32;
            let mut whole = Vec::new();
            for part in parts {
                whole.extend(part.row(row).map(|(place, value)| (place + first, value)));
                first += part.columns as u32;
            }
            joined.push_row(whole)?;
        }
        Ok(joined)
    }

    /// Rows times `weights` (outputs x columns, row-major), plus `bias` by output.
    pub(crate) fn times_transposed(&self, weights: &Matrix, bias: &[f64]) -> Result<Matrix> {
        check_width(self.columns, weights.columns)?;
        let mut result = Matrix::zeros(self.rows(), weights.rows)?;
        for (row, sums) in result.each_row_mut().enumerate() {
            for (at, (sum, weights)) in sums.iter_mut().zip(weights.each_row()).enumerate() {
                let products = self
                    .row(row)
                    .filter_map(|(place, value)| Some(value * weights.get(place as usize)?));
                *sum =
                    products.sum::<f64>() + bias.get(at).or(bias.first()).copied().unwrap_or(0.0);
            }
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, Sparse};

    #[test]
    fn sparse_and_filled_agree() {
        let matrix = Matrix::new(2, 3, vec![0.0, 2.0, 0.0, 1.0, 0.0, -3.0]);
        let sparse = Sparse::from_matrix(&matrix).unwrap();
        assert_eq!(sparse.filled(0, 2).unwrap(), matrix);
        let weights = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, -1.0, 0.5, 0.25]);
        assert_eq!(
            sparse.times_transposed(&weights, &[0.5, 1.0]).unwrap(),
            matrix.times_transposed(&weights, &[0.5, 1.0]).unwrap()
        );
        assert_eq!(
            sparse.select(&[2, 0]).unwrap().filled(0, 2).unwrap(),
            matrix.select(&[2, 0]).unwrap()
        );
        let twice = Sparse::beside(&[sparse.clone(), sparse], 2).unwrap();
        assert_eq!(
            twice.filled(0, 2).unwrap(),
            Matrix::beside(&[matrix.clone(), matrix], 2).unwrap()
        );
    }
}
