//! Operators that sum, order or normalise along axes.

use super::shaping::axis;
use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor};

/// A tensor seen as `outer x along x inner` around one axis.
struct Lanes {
    outer: usize,
    along: usize,
    inner: usize,
}

impl Lanes {
    fn new(shape: &[usize], at: usize) -> Self {
        Self {
            outer: shape.iter().take(at).product(),
            along: shape.get(at).copied().unwrap_or(1),
            inner: shape.iter().skip(at + 1).product(),
        }
    }

    /// Places of the elements of each lane.
    fn places(&self) -> impl Iterator<Item = Vec<usize>> + '_ {
        (0..self.outer * self.inner).map(|lane| {
            let (o, i) = (lane / self.inner, lane % self.inner);
            (0..self.along).map(|a| (o * self.along + a) * self.inner + i).collect()
        })
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fold {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    L1,
    L2,
    SumSquare,
    LogSumExp,
}

#[derive(Debug)]
pub(crate) struct Reduce {
    pub(crate) fold: Fold,
    pub(crate) axes: Vec<i64>,
    pub(crate) keep: bool,
    pub(crate) noop_with_empty_axes: bool,
}

impl Kernel for Reduce {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let given = match inputs.optional(1)? {
            Some(axes) => axes.data.to_i64()?,
            None => self.axes.clone(),
        };
        if given.is_empty() && self.noop_with_empty_axes {
            return one(input.clone());
        }
        let rank = input.shape.len();
        let mut axes: Vec<usize> = if given.is_empty() {
            (0..rank).collect()
        } else {
            given.into_iter().map(|at| axis(at, rank)).collect::<Outcome<_>>()?
        };
        axes.sort_unstable();
        axes.dedup();
        // The place in the result that each element adds to.
        let kept: Vec<usize> = (0..rank)
            .map(
                |at| if axes.contains(&at) { 1 } else { input.shape.get(at).copied().unwrap_or(1) },
            )
            .collect();
        let mut groups: Vec<Vec<f64>> = vec![Vec::new(); kept.iter().product()];
        for (flat, x) in input.data.to_f64()?.into_iter().enumerate() {
            let (mut rest, mut place, mut stride) = (flat, 0, 1);
            for (&dim, &kept) in input.shape.iter().zip(&kept).rev() {
                let coordinate = rest % dim.max(1);
                rest /= dim.max(1);
                place += if kept == 1 { 0 } else { coordinate * stride };
                stride *= kept;
            }
            if let Some(group) = groups.get_mut(place) {
                group.push(x);
            }
        }
        let folded = groups.iter().map(|group| self.fold.apply(group));
        let data = match &input.data {
            Data::F64(_) => Data::F64(folded.collect()),
            Data::F32(_) => Data::F32(folded.map(|x| x as f32).collect()),
            Data::I64(_) => Data::I64(folded.map(|x| x as i64).collect()),
            Data::I32(_) => Data::I32(folded.map(|x| x as i32).collect()),
            other => return Err(format!("reduction of {:?}", other.kind())),
        };
        let shape = if self.keep {
            kept
        } else {
            input
                .shape
                .iter()
                .enumerate()
                .filter(|(at, _)| !axes.contains(at))
                .map(|(_, &dim)| dim)
                .collect()
        };
        one(Tensor::new(shape, data)?)
    }
}

impl Fold {
    fn apply(self, values: &[f64]) -> f64 {
        let sum = |f: fn(f64) -> f64| values.iter().map(|&x| f(x)).sum::<f64>();
        match self {
            Self::Sum => sum(|x| x),
            Self::Mean => sum(|x| x) / values.len() as f64,
            Self::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Prod => values.iter().product(),
            Self::L1 => sum(f64::abs),
            Self::L2 => sum(|x| x * x).sqrt(),
            Self::SumSquare => sum(|x| x * x),
            Self::LogSumExp => {
                let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if max.is_finite() {
                    max + values.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
                } else {
                    max
                }
            }
        }
    }
}

/// `ArgMax` and `ArgMin`; of equals the first, or the last when asked.
#[derive(Debug)]
pub(crate) struct ArgExtreme {
    pub(crate) axis: i64,
    pub(crate) keep: bool,
    pub(crate) max: bool,
    pub(crate) last: bool,
}

impl Kernel for ArgExtreme {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let at = axis(self.axis, input.shape.len())?;
        let lanes = Lanes::new(&input.shape, at);
        if lanes.along == 0 {
            return Err("no elements along the axis".into());
        }
        let values = input.data.to_f64()?;
        let mut best_places = Vec::with_capacity(lanes.outer * lanes.inner);
        for places in lanes.places() {
            let mut best = (0_i64, f64::NAN);
            for (number, x) in places.iter().filter_map(|&at| values.get(at)).enumerate() {
                let better = if self.max { *x > best.1 } else { *x < best.1 };
                if number == 0 || better || (self.last && *x == best.1) {
                    best = (number as i64, *x);
                }
            }
            best_places.push(best.0);
        }
        let mut shape = input.shape.clone();
        if self.keep {
            if let Some(slot) = shape.get_mut(at) {
                *slot = 1;
            }
        } else {
            shape.remove(at);
        }
        one(Tensor::new(shape, Data::I64(best_places))?)
    }
}

/// `TopK`: values and places; of equals the first.
#[derive(Debug)]
pub(crate) struct TopK {
    pub(crate) axis: i64,
    pub(crate) largest: bool,
    /// `k` of operator set 1, where it was an attribute.
    pub(crate) k: i64,
}

impl Kernel for TopK {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let k = match inputs.optional(1)? {
            Some(k) => k.data.to_i64()?.first().copied().unwrap_or(0),
            None => self.k,
        };
        let at = axis(self.axis, input.shape.len())?;
        let lanes = Lanes::new(&input.shape, at);
        let k = usize::try_from(k)
            .ok()
            .filter(|&k| k <= lanes.along)
            .ok_or_else(|| format!("k = {k} of {}", lanes.along))?;
        let values = input.data.to_f64()?;
        let mut picked = vec![0_usize; lanes.outer * k * lanes.inner];
        let mut numbers = vec![0_i64; picked.len()];
        for (lane, places) in lanes.places().enumerate() {
            let (o, i) = (lane / lanes.inner, lane % lanes.inner);
            let mut order: Vec<usize> = (0..places.len()).collect();
            let value = |n: usize| {
                places.get(n).and_then(|&at| values.get(at)).copied().unwrap_or(f64::NAN)
            };
            order.sort_by(|&a, &b| {
                if self.largest {
                    value(b).total_cmp(&value(a))
                } else {
                    value(a).total_cmp(&value(b))
                }
            });
            for (rank, &number) in order.iter().take(k).enumerate() {
                let to = (o * k + rank) * lanes.inner + i;
                if let (Some(slot), Some(index), Some(&place)) =
                    (picked.get_mut(to), numbers.get_mut(to), places.get(number))
                {
                    *slot = place;
                    *index = number as i64;
                }
            }
        }
        let mut shape = input.shape.clone();
        if let Some(slot) = shape.get_mut(at) {
            *slot = k;
        }
        let best = Tensor::new(shape.clone(), input.data.take(picked.into_iter())?)?;
        Ok(vec![Value::Tensor(best), Value::Tensor(Tensor::new(shape, Data::I64(numbers))?)])
    }
}

/// `Softmax` and `LogSoftmax`.
#[derive(Debug)]
pub(crate) struct Softmax {
    pub(crate) axis: i64,
    /// Before operator set 13 the tensor was seen as a matrix split at the axis.
    pub(crate) as_matrix: bool,
    pub(crate) log: bool,
}

impl Kernel for Softmax {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let at = axis(self.axis, input.shape.len())?;
        let lanes = if self.as_matrix {
            let (outer, along) = input.shape.split_at_checked(at).ok_or("axis beyond the shape")?;
            Lanes { outer: outer.iter().product(), along: along.iter().product(), inner: 1 }
        } else {
            Lanes::new(&input.shape, at)
        };
        let values = input.data.to_f64()?;
        let mut result = vec![0.0; values.len()];
        for places in lanes.places() {
            let lane = || places.iter().filter_map(|&at| values.get(at));
            let max = lane().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = lane().map(|x| (x - max).exp()).sum();
            for &place in &places {
                if let (Some(slot), Some(x)) = (result.get_mut(place), values.get(place)) {
                    *slot = if self.log { x - max - sum.ln() } else { (x - max).exp() / sum };
                }
            }
        }
        let data = match &input.data {
            Data::F64(_) => Data::F64(result),
            Data::F32(_) => Data::F32(result.into_iter().map(|x| x as f32).collect()),
            other => return Err(format!("Softmax of {:?}", other.kind())),
        };
        one(Tensor::new(input.shape.clone(), data)?)
    }
}

/// `CumSum` along an axis given as input.
#[derive(Debug)]
pub(crate) struct CumSum {
    pub(crate) exclusive: bool,
    pub(crate) reverse: bool,
}

impl Kernel for CumSum {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let along = inputs.tensor(1)?.data.to_i64()?.first().copied().ok_or("no axis")?;
        let lanes = Lanes::new(&input.shape, axis(along, input.shape.len())?);
        let values = input.data.to_f64()?;
        let mut result = vec![0.0; values.len()];
        for mut places in lanes.places() {
            if self.reverse {
                places.reverse();
            }
            let mut sum = 0.0;
            for place in places {
                let (Some(slot), Some(x)) = (result.get_mut(place), values.get(place)) else {
                    continue;
                };
                *slot = if self.exclusive { sum } else { sum + x };
                sum += x;
            }
        }
        let data = match &input.data {
            Data::F64(_) => Data::F64(result),
            Data::F32(_) => Data::F32(result.into_iter().map(|x| x as f32).collect()),
            Data::I64(_) => Data::I64(result.into_iter().map(|x| x as i64).collect()),
            other => return Err(format!("CumSum of {:?}", other.kind())),
        };
        one(Tensor::new(input.shape.clone(), data)?)
    }
}
