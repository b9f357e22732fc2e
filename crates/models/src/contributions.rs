//! What the columns of a step of a model gave, on the way to the columns of the input.

use crate::explanation::{Explained, Explanation};
use crate::predictor::unexplained;
use crate::tree::ExplainError;
use crate::{Error, Result};

/// Numbers of one explanation, 1 GB.
const CELLS_MAX: usize = 1 << 27;

/// What the columns of a step of the model gave.
#[derive(Debug, Clone)]
pub(crate) struct Contributions {
    pub(crate) explained: Explained,
    /// By output.
    pub(crate) base: Vec<f64>,
    pub(crate) columns: usize,
    /// rows x outputs x columns.
    pub(crate) values: Vec<f64>,
}

impl Contributions {
    /// Of linear functions: `weights` are outputs x columns, `rows` and `background` row-major. With a background
    /// a value counts by how far it is from the mean there. What is missing gives nothing.
    pub(crate) fn linear(
        explained: Explained,
        (weights, bias): (&[f64], &[f64]),
        columns: usize,
        rows: &[f64],
        background: Option<&[f64]>,
    ) -> Result<Self> {
        let outputs = weights.len() / columns.max(1);
        check_cells(rows.len() / columns.max(1), outputs, columns)?;
        let means = background.map_or_else(|| vec![0.0; columns], |rows| means(rows, columns));
        let mut base: Vec<f64> =
            (0..outputs).map(|at| bias.get(at).or(bias.first()).copied().unwrap_or(0.0)).collect();
        for (base, weights) in base.iter_mut().zip(weights.chunks_exact(columns.max(1))) {
            *base += weights.iter().zip(&means).map(|(weight, mean)| weight * mean).sum::<f64>();
        }
        let mut values = Vec::with_capacity(rows.len() * outputs);
        for row in rows.chunks_exact(columns.max(1)) {
            for weights in weights.chunks_exact(columns.max(1)) {
                let cells = row.iter().zip(&means).zip(weights);
                values.extend(cells.map(|((x, mean), weight)| {
                    let x = if x.is_nan() { 0.0 } else { *x };
                    weight * (x - mean)
                }));
            }
        }
        Ok(Self { explained, base, columns, values })
    }

    /// Of what a forest explained, or why it did not; `model` is its name.
    pub(crate) fn of_forest(
        explained: Explained,
        columns: usize,
        answer: Result<(Vec<f64>, Vec<f64>), ExplainError>,
        model: &str,
    ) -> Result<Self> {
        let (base, values) = answer.map_err(|error| match error {
            ExplainError::NoBackground => Error::Input(error.to_string()),
            ExplainError::NoCovers | ExplainError::TooDeep { .. } => {
                unexplained(&format!("{model}: {error}"))
            }
        })?;
        Ok(Self { explained, base, columns, values })
    }

    /// The same with each number multiplied.
    pub(crate) fn times(mut self, factor: f64) -> Self {
        self.base.iter_mut().chain(&mut self.values).for_each(|x| *x *= factor);
        self
    }

    /// The same with numbers added to the base, by output.
    pub(crate) fn on(mut self, base: &[f64]) -> Self {
        self.base.iter_mut().zip(base).for_each(|(sum, x)| *sum += x);
        self
    }

    /// One of the outputs alone.
    pub(crate) fn only(self, output: usize) -> Self {
        let outputs = self.base.len().max(1);
        let cells = self.values.chunks_exact(self.columns.max(1)).skip(output).step_by(outputs);
        let values = cells.flatten().copied().collect();
        let base = self.base.get(output).copied().into_iter().collect();
        Self { base, values, ..self }
    }

    /// The same by the `width` columns that these columns were made of.
    pub(crate) fn by_origin(self, origins: &[usize], width: usize) -> Result<Self> {
        if origins.iter().copied().eq(0..width) && self.columns == width {
            return Ok(self);
        }
        let cells = self.values.len() / self.columns.max(1);
        check_cells(cells, 1, width)?;
        let mut values = vec![0.0; cells * width];
        let every = values.chunks_exact_mut(width.max(1));
        for (sums, gains) in every.zip(self.values.chunks_exact(self.columns.max(1))) {
            for (gain, &origin) in gains.iter().zip(origins) {
                if let Some(sum) = sums.get_mut(origin) {
                    *sum += gain;
                }
            }
        }
        Ok(Self { columns: width, values, ..self })
    }

    /// With the names of columns and outputs; outputs without a name are numbered.
    pub(crate) fn named(self, rows: usize, columns: Vec<String>, names: &[String]) -> Explanation {
        let outputs = match (self.base.len(), names) {
            // Of two classes the second has the score.
            (1, [_, second]) => vec![second.clone()],
            (count, names) if names.len() == count => names.to_vec(),
            (1, _) => vec![self.explained.name().to_owned()],
            (count, _) => (0..count).map(|at| at.to_string()).collect(),
        };
        Explanation {
            explained: self.explained,
            columns,
            outputs,
            rows,
            base: self.base,
            contributions: self.values,
        }
    }
}

/// Refuses an explanation of more numbers than are held at once.
pub(crate) fn check_cells(rows: usize, outputs: usize, columns: usize) -> Result<()> {
    let cells = rows.saturating_mul(outputs).saturating_mul(columns);
    if cells <= CELLS_MAX {
        return Ok(());
    }
    Err(Error::Input(format!(
        "{rows} rows of {columns} columns and {outputs} outputs are too much to explain at once; \
         send fewer rows"
    )))
}

/// The mean of each column, without what is missing.
fn means(rows: &[f64], columns: usize) -> Vec<f64> {
    let mean = |at: usize| {
        let values = rows.iter().skip(at).step_by(columns.max(1)).filter(|x| !x.is_nan());
        let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), x| (sum + x, count + 1));
        sum / count.max(1) as f64
    };
    (0..columns).map(mean).collect()
}
