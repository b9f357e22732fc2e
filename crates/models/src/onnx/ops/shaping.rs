//! Operators that move elements without computing: shapes, slices, joins.

use super::elementwise::expand;
use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor, Type, element_count};

/// A dimension counted from either end.
pub(crate) fn axis(axis: i64, rank: usize) -> Outcome<usize> {
    let at = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(at)
        .ok()
        .filter(|&at| at < rank)
        .ok_or_else(|| format!("axis {axis} of {rank} dimensions"))
}

/// Axes from an input (newer operator sets) or from the attribute (older ones).
fn axes(inputs: &Inputs<'_>, at: usize, attribute: &[i64]) -> Outcome<Vec<i64>> {
    Ok(match inputs.optional(at)? {
        Some(tensor) => tensor.data.to_i64()?,
        None => attribute.to_vec(),
    })
}

#[derive(Debug)]
pub(crate) struct Reshape {
    pub(crate) allow_zero: bool,
    /// The shape of operator set 1, where it was an attribute.
    pub(crate) shape: Vec<i64>,
}

impl Kernel for Reshape {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let wanted = axes(inputs, 1, &self.shape)?;
        let mut shape = Vec::with_capacity(wanted.len());
        let mut open = None;
        for (at, &dim) in wanted.iter().enumerate() {
            match dim {
                -1 if open.is_none() => {
                    open = Some(at);
                    shape.push(1);
                }
                0 if !self.allow_zero => {
                    shape.push(*input.shape.get(at).ok_or("0 beyond the shape of the input")?);
                }
                dim => shape.push(usize::try_from(dim).map_err(|_| format!("dimension {dim}"))?),
            }
        }
        if let Some(dim) = open.and_then(|at| shape.get(at).map(|_| at)) {
            let rest = element_count(&shape)?;
            let inferred = input.data.len().checked_div(rest).unwrap_or(0);
            if let Some(slot) = shape.get_mut(dim) {
                *slot = inferred;
            }
        }
        one(Tensor::new(shape, input.data.clone())?)
    }
}

#[derive(Debug)]
pub(crate) struct Flatten {
    pub(crate) axis: i64,
}

impl Kernel for Flatten {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let rank = input.shape.len();
        let at = if self.axis == rank as i64 { rank } else { axis(self.axis, rank.max(1))? };
        let (outer, inner) = input.shape.split_at_checked(at).ok_or("axis beyond the shape")?;
        one(Tensor::new(vec![outer.iter().product(), inner.iter().product()], input.data.clone())?)
    }
}

#[derive(Debug)]
pub(crate) struct Squeeze {
    pub(crate) axes: Vec<i64>,
}

impl Kernel for Squeeze {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let axes = axes(inputs, 1, &self.axes)?
            .into_iter()
            .map(|at| axis(at, input.shape.len()))
            .collect::<Outcome<Vec<_>>>()?;
        let drop = |at: usize, dim: usize| dim == 1 && (axes.is_empty() || axes.contains(&at));
        let shape = input
            .shape
            .iter()
            .enumerate()
            .filter(|&(at, &dim)| !drop(at, dim))
            .map(|(_, &dim)| dim)
            .collect();
        one(Tensor::new(shape, input.data.clone())?)
    }
}

#[derive(Debug)]
pub(crate) struct Unsqueeze {
    pub(crate) axes: Vec<i64>,
}

impl Kernel for Unsqueeze {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let axes = axes(inputs, 1, &self.axes)?;
        let rank = input.shape.len() + axes.len();
        let mut new: Vec<usize> =
            axes.into_iter().map(|at| axis(at, rank)).collect::<Outcome<_>>()?;
        new.sort_unstable();
        let mut shape = input.shape.clone();
        for at in new {
            if at > shape.len() {
                return Err(format!("axis {at} beyond the shape"));
            }
            shape.insert(at, 1);
        }
        one(Tensor::new(shape, input.data.clone())?)
    }
}

#[derive(Debug)]
pub(crate) struct Transpose {
    pub(crate) permutation: Vec<i64>,
}

impl Kernel for Transpose {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let rank = input.shape.len();
        let order: Vec<usize> = if self.permutation.is_empty() {
            (0..rank).rev().collect()
        } else {
            self.permutation.iter().map(|&at| axis(at, rank)).collect::<Outcome<_>>()?
        };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return Err(format!("{order:?} is not a permutation of {rank} dimensions"));
        }
        let strides = strides(&input.shape);
        let pick = |from: &[usize]| {
            order.iter().filter_map(|&at| from.get(at).copied()).collect::<Vec<_>>()
        };
        let (shape, strides) = (pick(&input.shape), pick(&strides));
        let places = strided(&shape, &strides, 0);
        one(Tensor::new(shape, input.data.take(places.into_iter())?)?)
    }
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let mut stride = 1;
    let mut strides: Vec<usize> = shape
        .iter()
        .rev()
        .map(|dim| {
            let here = stride;
            stride *= dim;
            here
        })
        .collect();
    strides.reverse();
    strides
}

/// Places of a strided view in row-major order.
fn strided(shape: &[usize], strides: &[usize], start: usize) -> Vec<usize> {
    let mut places = vec![start];
    for (&dim, &stride) in shape.iter().zip(strides) {
        places =
            places.iter().flat_map(|&place| (0..dim).map(move |at| place + at * stride)).collect();
    }
    places
}

#[derive(Debug)]
pub(crate) struct Concat {
    pub(crate) axis: i64,
}

impl Kernel for Concat {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let tensors = (0..inputs.len()).map(|at| inputs.tensor(at)).collect::<Outcome<Vec<_>>>()?;
        one(concat(&tensors, self.axis)?)
    }
}

/// Joins tensors of one type along an axis.
pub(crate) fn concat(tensors: &[&Tensor], along: i64) -> Outcome<Tensor> {
    let first = *tensors.first().ok_or("nothing to join")?;
    let at = axis(along, first.shape.len())?;
    let mut shape = first.shape.clone();
    let mut joined = 0_usize;
    for tensor in tensors {
        let fits = tensor.shape.len() == shape.len()
            && tensor.shape.iter().zip(&shape).enumerate().all(|(i, (a, b))| i == at || a == b);
        if !fits || tensor.data.kind() != first.data.kind() {
            return Err(format!(
                "{:?} {:?} does not join {:?} {shape:?}",
                tensor.data.kind(),
                tensor.shape,
                first.data.kind()
            ));
        }
        joined += tensor.shape.get(at).copied().unwrap_or(0);
    }
    if let Some(slot) = shape.get_mut(at) {
        *slot = joined;
    }
    element_count(&shape)?;
    let outer: usize = shape.iter().take(at).product();
    macro_rules! join {
        ($variant:ident) => {{
            let mut result = Vec::with_capacity(shape.iter().product());
            for block in 0..outer {
                for tensor in tensors {
                    let Data::$variant(values) = &tensor.data else { continue };
                    let size: usize = tensor.shape.iter().skip(at).product();
                    result.extend_from_slice(
                        values.get(block * size..(block + 1) * size).unwrap_or_default(),
                    );
                }
            }
            Data::$variant(result)
        }};
    }
    let data = match first.data.kind() {
        Type::F32 => join!(F32),
        Type::F64 => join!(F64),
        Type::I64 => join!(I64),
        Type::I32 => join!(I32),
        Type::Bool => join!(Bool),
        Type::Text => join!(Text),
    };
    Tensor::new(shape, data)
}

#[derive(Debug)]
pub(crate) struct Gather {
    pub(crate) axis: i64,
}

impl Kernel for Gather {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let (input, indices) = (inputs.tensor(0)?, inputs.tensor(1)?);
        let at = axis(self.axis, input.shape.len())?;
        let dim = input.shape.get(at).copied().unwrap_or(0);
        let wanted = indices
            .data
            .to_i64()?
            .into_iter()
            .map(|index| axis(index, dim))
            .collect::<Outcome<Vec<_>>>()?;
        let outer: usize = input.shape.iter().take(at).product();
        let inner: usize = input.shape.iter().skip(at + 1).product();
        let mut shape: Vec<usize> = input.shape.iter().take(at).copied().collect();
        shape.extend(&indices.shape);
        shape.extend(input.shape.iter().skip(at + 1));
        element_count(&shape)?;
        let places: Vec<usize> = (0..outer)
            .flat_map(|o| {
                wanted
                    .iter()
                    .flat_map(move |&index| (0..inner).map(move |i| (o * dim + index) * inner + i))
            })
            .collect();
        one(Tensor::new(shape, input.data.take(places.into_iter())?)?)
    }
}

/// `GatherElements`: picks along an axis by an index for each element.
#[derive(Debug)]
pub(crate) struct GatherElements {
    pub(crate) axis: i64,
}

impl Kernel for GatherElements {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let (input, indices) = (inputs.tensor(0)?, inputs.tensor(1)?);
        let at = axis(self.axis, input.shape.len())?;
        let dim = input.shape.get(at).copied().unwrap_or(0);
        let (of_input, of_output) = (strides(&input.shape), strides(&indices.shape));
        let places = indices
            .data
            .to_i64()?
            .into_iter()
            .enumerate()
            .map(|(flat, index)| {
                let mut rest = flat;
                let mut place = 0;
                for (d, (from, to)) in of_input.iter().zip(&of_output).enumerate() {
                    let coordinate = rest / (*to).max(1);
                    rest %= (*to).max(1);
                    place += if d == at { axis(index, dim)? } else { coordinate } * from;
                }
                Ok(place)
            })
            .collect::<Outcome<Vec<_>>>()?;
        one(Tensor::new(indices.shape.clone(), input.data.take(places.into_iter())?)?)
    }
}

#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) starts: Vec<i64>,
    pub(crate) ends: Vec<i64>,
    pub(crate) axes: Vec<i64>,
}

impl Kernel for Slice {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let starts = axes(inputs, 1, &self.starts)?;
        let ends = axes(inputs, 2, &self.ends)?;
        let along = axes(inputs, 3, &self.axes)?;
        let steps = axes(inputs, 4, &[])?;
        let mut picked: Vec<Vec<usize>> =
            input.shape.iter().map(|&dim| (0..dim).collect()).collect();
        for (number, (&start, &end)) in starts.iter().zip(&ends).enumerate() {
            let at = axis(along.get(number).copied().unwrap_or(number as i64), input.shape.len())?;
            let step = steps.get(number).copied().unwrap_or(1);
            let dim = input.shape.get(at).copied().unwrap_or(0) as i64;
            let from_end = |x: i64| if x < 0 { x.saturating_add(dim) } else { x };
            let slot = picked.get_mut(at).ok_or("axis beyond the shape")?;
            *slot = match step {
                0 => return Err("step 0".into()),
                1.. => (from_end(start).clamp(0, dim)..from_end(end).clamp(0, dim))
                    .step_by(step as usize)
                    .map(|x| x as usize)
                    .collect(),
                _ => {
                    let (first, last) =
                        (from_end(start).clamp(-1, dim - 1), from_end(end).clamp(-1, dim - 1));
                    (last + 1..=first)
                        .rev()
                        .step_by(step.unsigned_abs() as usize)
                        .map(|x| x as usize)
                        .collect()
                }
            };
        }
        let shape: Vec<usize> = picked.iter().map(Vec::len).collect();
        let mut places = vec![0];
        for (picked, stride) in picked.iter().zip(strides(&input.shape)) {
            places = places
                .iter()
                .flat_map(|&place| picked.iter().map(move |&at| place + at * stride))
                .collect();
        }
        one(Tensor::new(shape, input.data.take(places.into_iter())?)?)
    }
}

/// `Shape`: the dimensions as a vector.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
}

impl Kernel for Shape {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let rank = input.shape.len() as i64;
        let at = |x: i64| if x < 0 { x + rank } else { x }.clamp(0, rank) as usize;
        let dims =
            input.shape.get(at(self.start)..at(self.end.unwrap_or(rank))).unwrap_or_default();
        one(Tensor::vector(Data::I64(dims.iter().map(|&dim| dim as i64).collect())))
    }
}

/// `Size`: the number of elements.
#[derive(Debug)]
pub(crate) struct Size;

impl Kernel for Size {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        one(Tensor::new(vec![], Data::I64(vec![inputs.tensor(0)?.data.len() as i64]))?)
    }
}

#[derive(Debug)]
pub(crate) struct Constant(pub(crate) Tensor);

impl Kernel for Constant {
    fn run(&self, _inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        one(self.0.clone())
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// `ConstantOfShape`: one value repeated.
#[derive(Debug)]
pub(crate) struct ConstantOfShape(pub(crate) Tensor);

impl Kernel for ConstantOfShape {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let shape = dimensions(inputs.tensor(0)?)?;
        let count = element_count(&shape)?;
        one(Tensor::new(shape, self.0.data.take(std::iter::repeat_n(0, count))?)?)
    }
}

/// `Expand`: broadcasts to a shape.
#[derive(Debug)]
pub(crate) struct Expand;

impl Kernel for Expand {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        one(expand(inputs.tensor(0)?, &dimensions(inputs.tensor(1)?)?)?)
    }
}

/// `Tile`: repeats whole tensors.
#[derive(Debug)]
pub(crate) struct Tile;

impl Kernel for Tile {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let repeats = dimensions(inputs.tensor(1)?)?;
        if repeats.len() != input.shape.len() {
            return Err(format!("{} repeats of {} dimensions", repeats.len(), input.shape.len()));
        }
        let shape: Vec<usize> = input
            .shape
            .iter()
            .zip(&repeats)
            .map(|(dim, count)| dim.saturating_mul(*count))
            .collect();
        element_count(&shape)?;
        let mut places = vec![0];
        for ((&dim, &count), stride) in input.shape.iter().zip(&repeats).zip(strides(&input.shape))
        {
            places = places
                .iter()
                .flat_map(|&place| (0..dim * count).map(move |at| place + at % dim.max(1) * stride))
                .collect();
        }
        one(Tensor::new(shape, input.data.take(places.into_iter())?)?)
    }
}

fn dimensions(tensor: &Tensor) -> Outcome<Vec<usize>> {
    tensor
        .data
        .to_i64()?
        .into_iter()
        .map(|dim| usize::try_from(dim).map_err(|_| format!("dimension {dim}")))
        .collect()
}

/// `Split` into parts along an axis.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) axis: i64,
    pub(crate) sizes: Vec<i64>,
    pub(crate) parts: usize,
}

impl Kernel for Split {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let at = axis(self.axis, input.shape.len())?;
        let dim = input.shape.get(at).copied().unwrap_or(0);
        let mut sizes = axes(inputs, 1, &self.sizes)?;
        if sizes.is_empty() {
            let size = dim.div_ceil(self.parts.max(1));
            sizes = (0..self.parts)
                .map(|part| (dim - (part * size).min(dim)).min(size) as i64)
                .collect();
        }
        let mut start = 0_i64;
        let mut parts = Vec::with_capacity(sizes.len());
        for size in sizes {
            let indices =
                Tensor::vector(Data::I64((start..start + size.clamp(0, dim as i64)).collect()));
            start += size;
            let indices = Value::Tensor(indices);
            let input = Value::Tensor(input.clone());
            parts.extend(
                Gather { axis: at as i64 }.run(&Inputs(vec![Some(&input), Some(&indices)]))?,
            );
        }
        Ok(parts)
    }
}
