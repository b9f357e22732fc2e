//! Feature values, one contiguous column a feature: what the tree builder scans.

/// `rows` × `columns` values, column-major, without missing values.
///
/// Values are f32 because the exported graph computes in f32: a model trained on what it will see
/// in production gives there exactly the predictions it gave here.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    values: Vec<f32>,
    rows: usize,
}

impl Matrix {
    /// An empty matrix of `rows` rows, to which columns are added.
    pub fn new(rows: usize) -> Self {
        Self { values: Vec::new(), rows }
    }

    /// Appends a column; it is cut or filled with zeros to the number of rows.
    pub fn push_column(&mut self, column: impl IntoIterator<Item = f32>) {
        let end = self.values.len() + self.rows;
        self.values.extend(column.into_iter().take(self.rows));
        self.values.resize(end, 0.0);
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.values.len().checked_div(self.rows).unwrap_or(0)
    }

    /// The values of one feature; empty if there is no such column.
    pub fn column(&self, index: usize) -> &[f32] {
        let start = index.saturating_mul(self.rows);
        self.values.get(start..start + self.rows).unwrap_or_default()
    }

    /// One value.
    #[inline]
    pub fn at(&self, row: usize, column: usize) -> f32 {
        self.values[column * self.rows + row]
    }

    /// Copies one row into `target`.
    pub fn read_row(&self, row: usize, target: &mut Vec<f32>) {
        target.clear();
        target.extend((0..self.columns()).map(|column| self.at(row, column)));
    }

    /// Mean and standard deviation of each column (1 for constant columns), in 64 bits.
    pub(crate) fn moments(&self) -> Vec<(f64, f64)> {
        let rows = self.rows() as f64;
        (0..self.columns())
            .map(|feature| {
                let column = self.column(feature);
                let mean = column.iter().map(|&value| f64::from(value)).sum::<f64>() / rows;
                let squares: f64 =
                    column.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
                let deviation = (squares / rows).sqrt();
                (mean, if deviation > 1e-12 * mean.abs().max(1e-300) { deviation } else { 1.0 })
            })
            .collect()
    }
}
