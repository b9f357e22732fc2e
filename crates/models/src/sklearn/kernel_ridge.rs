//! `KernelRidge`: weighted likeness to the rows of training.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::kernel::Kernel;
use super::reader::{Boxed, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] =
    &[Reader::new("KernelRidge", |fields, _| KernelRidge::read(fields))
        .note("linear, poly, rbf, sigmoid, laplacian and cosine kernels")];

#[derive(Debug)]
struct KernelRidge {
    kernel: Kernel,
    /// Rows of training.
    rows: Matrix,
    /// What each row of training gives to each output, one output a row.
    weights: Matrix,
    /// Whether training had a matrix of targets.
    table: bool,
}

impl KernelRidge {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let rows = fields.matrix("X_fit_")?;
        let kernel = Kernel::read(fields, rows.columns)?;
        let table = fields.array("dual_coef_")?.shape.len() > 1;
        let dual = fields.matrix("dual_coef_")?;
        let weights = if table {
            let turned = (0..dual.columns).flat_map(|output| dual.column(output)).collect();
            Matrix::new(dual.columns, dual.rows, turned)
        } else {
            dual
        };
        fields.check_length("dual_coef_", weights.columns, rows.rows)?;
        Ok(Box::new(Self { kernel, rows, weights, table }))
    }
}

impl Estimator for KernelRidge {
    fn predict(&self, x: &Table) -> Result<Output> {
        let x = x.finite()?;
        x.check_width(self.rows.columns)?;
        let mut answers = Matrix::zeros(x.rows, self.weights.rows)?;
        for (row, answers) in x.each_row().zip(answers.each_row_mut()) {
            let alike: Vec<f64> =
                self.rows.each_row().map(|other| self.kernel.of(row, other)).collect();
            for (answer, weights) in answers.iter_mut().zip(self.weights.each_row()) {
                *answer = alike.iter().zip(weights).map(|(alike, weight)| alike * weight).sum();
            }
        }
        Ok(if self.table { Output::Table(answers) } else { Output::Values(answers.values) })
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.rows.values.as_slice()) + size_of_val(self.weights.values.as_slice())
    }
}
