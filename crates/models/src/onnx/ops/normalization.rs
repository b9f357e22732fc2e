//! Operators that scale columns by what training saw, and rows by their own length.

use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor};

/// `BatchNormalization` of a trained network: each column by a mean and variance of its own.
#[derive(Debug)]
pub(crate) struct BatchNormalization {
    pub(crate) epsilon: f32,
}

impl Kernel for BatchNormalization {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let columns = input.shape.get(1).copied().ok_or("a tensor without columns")?;
        let inner: usize = input.shape.iter().skip(2).product();
        let of_column = |at: usize| -> Outcome<Vec<f64>> {
            let values = inputs.tensor(at)?.data.to_f64()?;
            let fits = values.len() == columns;
            fits.then_some(values).ok_or_else(|| format!("input {at} is not of {columns} columns"))
        };
        let (scales, shifts) = (of_column(1)?, of_column(2)?);
        let (means, variances) = (of_column(3)?, of_column(4)?);
        // A factor and a summand of each column are made first, as ONNX Runtime does.
        let factors = scales.iter().zip(&variances);
        let factors: Vec<f64> =
            factors.map(|(scale, x)| scale / (x + f64::from(self.epsilon)).sqrt()).collect();
        let summands = shifts.iter().zip(&means).zip(&factors);
        let summands: Vec<f64> =
            summands.map(|((shift, mean), factor)| shift - mean * factor).collect();
        let each = factors.iter().zip(&summands).flat_map(|pair| std::iter::repeat_n(pair, inner));
        let values = input.data.to_f64()?;
        let normal =
            values.iter().zip(each.cycle()).map(|(x, (factor, summand))| x * factor + summand);
        like(input, normal.collect())
    }
}

/// `LpNormalization` along the rows of a table.
#[derive(Debug)]
pub(crate) struct LpNormalization {
    /// The sum of absolute values instead of the root of the sum of squares.
    pub(crate) by_sum: bool,
}

impl Kernel for LpNormalization {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let &[_, columns] = input.shape.as_slice() else {
            return Err(format!("a tensor of shape {:?} instead of a table", input.shape));
        };
        let mut values = input.data.to_f64()?;
        for row in values.chunks_exact_mut(columns.max(1)) {
            let length = if self.by_sum {
                row.iter().map(|x| x.abs()).sum()
            } else {
                row.iter().map(|x| x * x).sum::<f64>().sqrt()
            };
            // A row of zeros stays one.
            if length != 0.0 {
                for x in row {
                    *x /= length;
                }
            }
        }
        like(input, values)
    }
}

/// Values in the shape and type of the input.
fn like(input: &Tensor, values: Vec<f64>) -> Outcome<Vec<Value>> {
    let data = match &input.data {
        Data::F64(_) => Data::F64(values),
        Data::F32(_) => Data::F32(values.into_iter().map(|x| x as f32).collect()),
        other => return Err(format!("normalization of {:?}", other.kind())),
    };
    one(Tensor::new(input.shape.clone(), data)?)
}
