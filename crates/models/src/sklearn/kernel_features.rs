//! Columns that stand for a kernel: principal components by likeness, samples of a kernel, random waves.

use super::data::{Matrix, Table};
use super::estimator::{Estimator, Fields};
use super::kernel::Kernel;
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

/// What [`Kernel`] has of them.
const KERNELS: &str = "linear, poly, rbf, sigmoid, laplacian and cosine kernels";

pub(super) const READERS: &[Reader] = &[
    Reader::new("KernelPCA Nystroem", |fields, _| Likeness::read(fields)).note(KERNELS),
    Reader::new("RBFSampler SkewedChi2Sampler", |fields, _| Waves::read(fields)),
];

/// `KernelPCA`, `Nystroem`: how alike a row is to rows of training, projected.
#[derive(Debug)]
struct Likeness {
    kernel: Kernel,
    /// Rows of training.
    rows: Matrix,
    centre: Option<Centre>,
    /// What the likeness to each row of training gives to each column of the answer, one column a row.
    weights: Matrix,
}

/// `KernelCenterer`: the mean likeness to each row of training, and among all of them.
#[derive(Debug)]
struct Centre {
    means: Vec<f64>,
    mean: f64,
}

impl Likeness {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        if fields.name() == "KernelPCA" { Self::components(fields) } else { Self::samples(fields) }
    }

    fn components(fields: Fields<'_>) -> Result<Boxed> {
        let rows = fields.matrix("X_fit_")?;
        if fields.optional("kernel_params").is_some() {
            return Err(fields.unsupported("kernel_params"));
        }
        let kernel = Kernel::read(fields, rows.columns)?;
        // Versions before 1.0 had other names.
        let named = |new: &'static str, old| if fields.optional(new).is_some() { new } else { old };
        let values = fields.numbers(named("eigenvalues_", "lambdas_"))?;
        let vectors = fields.matrix(named("eigenvectors_", "alphas_"))?;
        fields.check_length("eigenvectors_", vectors.rows, rows.rows)?;
        fields.check_length("eigenvalues_", values.len(), vectors.columns)?;
        let each = values.iter().enumerate();
        let weights = each.flat_map(|(at, value)| {
            // Nothing lies along a direction without extent.
            let scale = if *value == 0.0 { 0.0 } else { 1.0 / value.sqrt() };
            vectors.column(at).into_iter().map(move |x| x * scale)
        });
        let weights = Matrix::new(values.len(), rows.rows, weights.collect());
        let centerer = Fields(fields.value("_centerer")?);
        let means = centerer.numbers("K_fit_rows_")?;
        fields.check_length("K_fit_rows_", means.len(), rows.rows)?;
        let centre = Some(Centre { means, mean: centerer.float("K_fit_all_")? });
        Ok(Box::new(Self { kernel, rows, centre, weights }))
    }

    fn samples(fields: Fields<'_>) -> Result<Boxed> {
        let rows = fields.matrix("components_")?;
        if fields.optional("kernel_params").is_some() {
            return Err(fields.unsupported("kernel_params"));
        }
        let kernel = Kernel::read(fields, rows.columns)?;
        let weights = fields.matrix("normalization_")?;
        fields.check_length("normalization_", weights.columns, rows.rows)?;
        Ok(Box::new(Self { kernel, rows, centre: None, weights }))
    }
}

impl Estimator for Likeness {
    fn transform(&self, x: Table) -> Result<Table> {
        let x = x.finite()?;
        x.check_width(self.rows.columns)?;
        let mut answers = Matrix::zeros(x.rows, self.weights.rows)?;
        for (row, answers) in x.each_row().zip(answers.each_row_mut()) {
            let mut alike: Vec<f64> =
                self.rows.each_row().map(|other| self.kernel.of(row, other)).collect();
            if let Some(Centre { means, mean }) = &self.centre {
                let own = alike.iter().sum::<f64>() / alike.len().max(1) as f64;
                alike.iter_mut().zip(means).for_each(|(x, of_row)| *x = *x - of_row - own + mean);
            }
            for (answer, weights) in answers.iter_mut().zip(self.weights.each_row()) {
                *answer = alike.iter().zip(weights).map(|(alike, weight)| alike * weight).sum();
            }
        }
        Ok(Table::Matrix(answers))
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.rows.values.as_slice()) + size_of_val(self.weights.values.as_slice())
    }
}

/// `RBFSampler`, `SkewedChi2Sampler`: cosines of random directions.
#[derive(Debug)]
struct Waves {
    /// One direction a row.
    directions: Matrix,
    offsets: Vec<f64>,
    /// What is added to a value before its logarithm is taken; none where it is taken as it is.
    skewedness: Option<f64>,
}

impl Waves {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let weights = fields.matrix("random_weights_")?;
        let offsets = fields.numbers("random_offset_")?;
        fields.check_length("random_offset_", offsets.len(), weights.columns)?;
        let turned = (0..weights.columns).flat_map(|at| weights.column(at)).collect();
        let directions = Matrix::new(weights.columns, weights.rows, turned);
        let is_skewed = fields.name() == "SkewedChi2Sampler";
        let skewedness = is_skewed.then(|| fields.float("skewedness")).transpose()?;
        Ok(Box::new(Self { directions, offsets, skewedness }))
    }
}

impl Estimator for Waves {
    fn transform(&self, x: Table) -> Result<Table> {
        let mut x = x.finite()?.into_owned();
        x.check_width(self.directions.columns)?;
        if let Some(skewedness) = self.skewedness {
            if let Some(low) = x.values.iter().find(|value| **value <= -skewedness) {
                return Err(Error::Input(format!(
                    "{low} where the model takes numbers above -skewedness, {}",
                    -skewedness
                )));
            }
            x.values.iter_mut().for_each(|value| *value = (*value + skewedness).ln());
        }
        let mut answers = x.times_transposed(&self.directions, &[])?;
        let scale = (2.0 / self.offsets.len().max(1) as f64).sqrt();
        for answers in answers.each_row_mut() {
            for (answer, offset) in answers.iter_mut().zip(&self.offsets) {
                *answer = (*answer + offset).cos() * scale;
            }
        }
        Ok(Table::Matrix(answers))
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.directions.values.as_slice())
    }
}
