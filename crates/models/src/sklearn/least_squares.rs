//! Partial least squares: `PLSRegression`, `PLSCanonical`, `CCA`.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] =
    &[Reader::new("PLSRegression PLSCanonical CCA", |fields, _| PartialLeastSquares::read(fields))
        .note("of scikit-learn 1.5 and later")];

/// The first version whose coefficients take columns as they are, without dividing them.
const PLAIN_COEFFICIENTS: (u32, u32) = (1, 5);

#[derive(Debug)]
struct PartialLeastSquares {
    mean: Vec<f64>,
    spread: Vec<f64>,
    coefficients: Matrix,
    intercept: Vec<f64>,
    /// Directions of the latent columns, one a row.
    rotations: Matrix,
    /// Whether training had a matrix of targets.
    table: bool,
}

impl PartialLeastSquares {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        if fields.version() < PLAIN_COEFFICIENTS {
            return Err(fields.unsupported("the coefficients before version 1.5"));
        }
        let coefficients = fields.matrix("coef_")?;
        let width = coefficients.columns;
        let rotations = fields.matrix("x_rotations_")?;
        let (mean, spread) = (fields.numbers("_x_mean")?, fields.numbers("_x_std")?);
        for (name, found) in
            [("_x_mean", mean.len()), ("_x_std", spread.len()), ("x_rotations_", rotations.rows)]
        {
            fields.check_length(name, found, width)?;
        }
        let turned = (0..rotations.columns).flat_map(|at| rotations.column(at)).collect();
        Ok(Box::new(Self {
            intercept: fields.intercepts(coefficients.rows)?,
            rotations: Matrix::new(rotations.columns, width, turned),
            table: !fields.flag("_predict_1d", false),
            mean,
            spread,
            coefficients,
        }))
    }

    fn centred(&self, x: &Table) -> Result<Matrix> {
        let mut x = x.finite()?.into_owned();
        x.check_width(self.mean.len())?;
        for row in x.each_row_mut() {
            row.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x -= mean);
        }
        Ok(x)
    }
}

impl Estimator for PartialLeastSquares {
    fn predict(&self, x: &Table) -> Result<Output> {
        let answers = self.centred(x)?.times_transposed(&self.coefficients, &self.intercept)?;
        Ok(if self.table { Output::Table(answers) } else { Output::Values(answers.values) })
    }

    fn transform(&self, x: Table) -> Result<Table> {
        let mut x = self.centred(&x)?;
        for row in x.each_row_mut() {
            row.iter_mut().zip(&self.spread).for_each(|(x, spread)| *x /= spread);
        }
        Ok(Table::Matrix(x.times_transposed(&self.rotations, &[])?))
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.coefficients.values.as_slice())
            + size_of_val(self.rotations.values.as_slice())
    }
}
