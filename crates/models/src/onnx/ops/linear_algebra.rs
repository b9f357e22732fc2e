//! Matrix products.

use super::elementwise::{Binary, broadcast_shape, expand};
use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor, element_count};

/// `MatMul`, with leading dimensions broadcast.
#[derive(Debug)]
pub(crate) struct MatMul;

impl Kernel for MatMul {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let (a, b) = (inputs.tensor(0)?, inputs.tensor(1)?);
        // A vector is a row on the left and a column on the right; its dimension of 1 goes away again.
        let a_shape = if let [n] = a.shape.as_slice() { vec![1, *n] } else { a.shape.clone() };
        let b_shape = if let [n] = b.shape.as_slice() { vec![*n, 1] } else { b.shape.clone() };
        let (Some((a_batch, &[m, k])), Some((b_batch, &[k2, n]))) =
            (a_shape.split_last_chunk::<2>(), b_shape.split_last_chunk::<2>())
        else {
            return Err("a product of scalars".into());
        };
        if k != k2 {
            return Err(format!("product of {:?} and {:?}", a.shape, b.shape));
        }
        let batch = broadcast_shape(a_batch, b_batch)?;
        let full = |m: usize, n: usize| batch.iter().copied().chain([m, n]).collect::<Vec<_>>();
        let a = expand(&Tensor::new(a_shape.clone(), a.data.clone())?, &full(m, k))?;
        let b = expand(&Tensor::new(b_shape.clone(), b.data.clone())?, &full(k, n))?;
        let mut shape = full(m, n);
        element_count(&shape)?;
        let data = match (&a.data, &b.data) {
            (Data::F32(a), Data::F32(b)) => Data::F32(products(a, b, m, k, n)),
            (Data::F64(a), Data::F64(b)) => Data::F64(products(a, b, m, k, n)),
            (a, b) => return Err(format!("product of {:?} and {:?}", a.kind(), b.kind())),
        };
        if inputs.tensor(1)?.shape.len() == 1 {
            shape.pop();
        }
        if inputs.tensor(0)?.shape.len() == 1 {
            shape.remove(batch.len());
        }
        one(Tensor::new(shape, data)?)
    }
}

/// Row-major `m x k` times `k x n`, for each matrix of a batch.
pub(crate) fn products<T>(a: &[T], b: &[T], m: usize, k: usize, n: usize) -> Vec<T>
where
    T: Copy + Default + std::ops::AddAssign + std::ops::Mul<Output = T>,
{
    let mut result = Vec::with_capacity(a.len() / k.max(1) * n);
    if k == 0 {
        return vec![T::default(); m * n];
    }
    for (a, b) in a.chunks_exact((m * k).max(1)).zip(b.chunks_exact((k * n).max(1))) {
        for row in a.chunks_exact(k) {
            let start = result.len();
            result.resize(start + n, T::default());
            let sums = result.get_mut(start..).unwrap_or_default();
            for (&x, weights) in row.iter().zip(b.chunks_exact(n.max(1))) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum += x * weight;
                }
            }
        }
    }
    result
}

/// `Gemm`: `alpha A B + beta C`, with optional transposition.
#[derive(Debug)]
pub(crate) struct Gemm {
    pub(crate) alpha: f32,
    pub(crate) beta: f32,
    pub(crate) transpose_a: bool,
    pub(crate) transpose_b: bool,
}

impl Kernel for Gemm {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let turned = |at: usize, turn: bool| -> Outcome<Value> {
            let value = Value::Tensor(inputs.tensor(at)?.clone());
            if !turn {
                return Ok(value);
            }
            let turned = super::shaping::Transpose { permutation: vec![] }
                .run(&Inputs(vec![Some(&value)]))?;
            turned.into_iter().next().ok_or_else(|| "no result".into())
        };
        let (a, b) = (turned(0, self.transpose_a)?, turned(1, self.transpose_b)?);
        let mut result = first(MatMul.run(&Inputs(vec![Some(&a), Some(&b)]))?)?;
        scale(&mut result.data, self.alpha);
        if let Some(c) = inputs.optional(2)? {
            let mut c = c.clone();
            scale(&mut c.data, self.beta);
            let (result, c) = (Value::Tensor(result), Value::Tensor(c));
            return Binary::Add.run(&Inputs(vec![Some(&result), Some(&c)]));
        }
        one(result)
    }
}

fn first(values: Vec<Value>) -> Outcome<Tensor> {
    match values.into_iter().next() {
        Some(Value::Tensor(tensor)) => Ok(tensor),
        _ => Err("no tensor".into()),
    }
}

fn scale(data: &mut Data, factor: f32) {
    if factor == 1.0 {
        return;
    }
    match data {
        Data::F32(values) => values.iter_mut().for_each(|x| *x *= factor),
        Data::F64(values) => values.iter_mut().for_each(|x| *x *= f64::from(factor)),
        _ => {}
    }
}
