//! Operators that work element by element: arithmetic, comparison, logic, functions, casts.

use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor, Type, element_count};

/// `a op b` with broadcasting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Mod,
    Max,
    Min,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
    /// The first, or below zero their product.
    PRelu,
}

/// Any number of operands, folded with the operator: `Add` and `Max` of one to many.
impl Kernel for Binary {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let mut result = inputs.tensor(0)?.clone();
        for at in 1..inputs.len() {
            result = self.apply(&result, inputs.tensor(at)?)?;
        }
        one(result)
    }
}

/// A comparison to make of each pair.
type Compare<T> = fn(&T, &T) -> bool;

impl Binary {
    fn apply(self, a: &Tensor, b: &Tensor) -> Outcome<Tensor> {
        let shape = broadcast_shape(&a.shape, &b.shape)?;
        let places = (places(&a.shape, &shape), places(&b.shape, &shape));
        let data = match (&a.data, &b.data) {
            (Data::F32(x), Data::F32(y)) => self
                .float(x, y, &places, f32::powf)
                .map_or_else(|compare| Data::Bool(zip(x, y, &places, compare)), Data::F32),
            (Data::F64(x), Data::F64(y)) => self
                .float(x, y, &places, f64::powf)
                .map_or_else(|compare| Data::Bool(zip(x, y, &places, compare)), Data::F64),
            (Data::F32(x), Data::I64(y)) if matches!(self, Self::Pow) => {
                Data::F32(zip(x, y, &places, |x, y| x.powf(*y as f32)))
            }
            (Data::I64(x), Data::I64(y)) => self.integer(x, y, &places, i64::wrapping_pow)?,
            (Data::I32(x), Data::I32(y)) => self.integer(x, y, &places, i32::wrapping_pow)?,
            (Data::Bool(x), Data::Bool(y)) => {
                let logic: fn(&bool, &bool) -> bool = match self {
                    Self::And => |x, y| *x && *y,
                    Self::Or => |x, y| *x || *y,
                    Self::Xor => |x, y| x != y,
                    Self::Equal => |x, y| x == y,
                    _ => return Err(format!("{self:?} of booleans")),
                };
                Data::Bool(zip(x, y, &places, logic))
            }
            (Data::Text(x), Data::Text(y)) if matches!(self, Self::Equal) => {
                Data::Bool(zip(x, y, &places, |x, y| x == y))
            }
            (x, y) => return Err(format!("{self:?} of {:?} and {:?}", x.kind(), y.kind())),
        };
        Tensor::new(shape, data)
    }

    /// Arithmetic on floats, or the comparison to make instead.
    fn float<T>(
        self,
        x: &[T],
        y: &[T],
        places: &Places2,
        power: fn(T, T) -> T,
    ) -> Result<Vec<T>, Compare<T>>
    where
        T: Copy
            + PartialOrd
            + Default
            + std::ops::Add<Output = T>
            + std::ops::Sub<Output = T>
            + std::ops::Mul<Output = T>
            + std::ops::Div<Output = T>
            + std::ops::Rem<Output = T>,
    {
        Ok(match self {
            Self::Add => zip(x, y, places, |x, y| *x + *y),
            Self::Sub => zip(x, y, places, |x, y| *x - *y),
            Self::Mul => zip(x, y, places, |x, y| *x * *y),
            Self::Div => zip(x, y, places, |x, y| *x / *y),
            Self::Pow => zip(x, y, places, |x, y| power(*x, *y)),
            Self::Mod => zip(x, y, places, |x, y| *x % *y),
            // NaN wins, as in NumPy.
            #[expect(clippy::eq_op, reason = "a value that differs from itself is NaN")]
            Self::Max => zip(x, y, places, |x, y| if *x > *y || *x != *x { *x } else { *y }),
            #[expect(clippy::eq_op, reason = "a value that differs from itself is NaN")]
            Self::Min => zip(x, y, places, |x, y| if *x < *y || *x != *x { *x } else { *y }),
            Self::Equal => return Err(|x, y| x == y),
            Self::Less => return Err(|x, y| x < y),
            Self::LessOrEqual => return Err(|x, y| x <= y),
            Self::Greater => return Err(|x, y| x > y),
            Self::GreaterOrEqual => return Err(|x, y| x >= y),
            Self::PRelu => zip(x, y, places, |x, y| if *x < T::default() { *x * *y } else { *x }),
            Self::And | Self::Or | Self::Xor => return Err(|_, _| false),
        })
    }

    fn integer<T>(self, x: &[T], y: &[T], places: &Places2, power: fn(T, u32) -> T) -> Outcome<Data>
    where
        T: Copy + Ord + Default + TryInto<u32> + Wrapping,
        Data: From<Vec<T>>,
    {
        let arithmetic: fn(&T, &T) -> T = match self {
            Self::Add => |x, y| x.add(*y),
            Self::Sub => |x, y| x.sub(*y),
            Self::Mul => |x, y| x.mul(*y),
            Self::Max => |x, y| *x.max(y),
            Self::Min => |x, y| *x.min(y),
            Self::Div | Self::Mod => {
                if y.contains(&T::default()) {
                    return Err("division of an integer by zero".into());
                }
                if matches!(self, Self::Div) { |x, y| x.div(*y) } else { |x, y| x.rem_floor(*y) }
            }
            Self::Pow => {
                return Ok(Data::from(zip(x, y, places, |x, y| {
                    power(*x, (*y).try_into().unwrap_or(0))
                })));
            }
            Self::Equal => return Ok(Data::Bool(zip(x, y, places, |x, y| x == y))),
            Self::Less => return Ok(Data::Bool(zip(x, y, places, |x, y| x < y))),
            Self::LessOrEqual => return Ok(Data::Bool(zip(x, y, places, |x, y| x <= y))),
            Self::Greater => return Ok(Data::Bool(zip(x, y, places, |x, y| x > y))),
            Self::GreaterOrEqual => return Ok(Data::Bool(zip(x, y, places, |x, y| x >= y))),
            Self::PRelu | Self::And | Self::Or | Self::Xor => {
                return Err(format!("{self:?} of integers"));
            }
        };
        Ok(Data::from(zip(x, y, places, arithmetic)))
    }
}

/// Integer arithmetic that wraps, as the compiled kernels of other runtimes do.
trait Wrapping: Sized {
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// Remainder with the sign of the divisor, as Python has it.
    fn rem_floor(self, other: Self) -> Self;
}

macro_rules! wrapping {
    ($type:ty, $variant:ident) => {
        impl Wrapping for $type {
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn div(self, other: Self) -> Self {
                self.wrapping_div(other)
            }
            fn rem_floor(self, other: Self) -> Self {
                let rest = self.wrapping_rem(other);
                if rest != 0 && (rest < 0) != (other < 0) { rest + other } else { rest }
            }
        }
        impl From<Vec<$type>> for Data {
            fn from(values: Vec<$type>) -> Self {
                Self::$variant(values)
            }
        }
    };
}
wrapping!(i64, I64);
wrapping!(i32, I32);

/// How the elements of an operand repeat: strides by output dimension, or `None` when it has the shape
/// of the output.
type Places = Option<Vec<(usize, usize)>>;
type Places2 = (Places, Places);

fn zip<T, U, R>(x: &[T], y: &[U], (at_x, at_y): &Places2, op: impl Fn(&T, &U) -> R) -> Vec<R> {
    match (at_x, at_y, y) {
        (None, None, _) => x.iter().zip(y).map(|(x, y)| op(x, y)).collect(),
        (None, Some(_), [y]) => x.iter().map(|x| op(x, y)).collect(),
        _ => walk(at_x.as_deref(), x.len())
            .zip(walk(at_y.as_deref(), y.len()))
            .filter_map(|(i, j)| Some(op(x.get(i)?, y.get(j)?)))
            .collect(),
    }
}

/// The shape that both operands stretch to.
pub(crate) fn broadcast_shape(a: &[usize], b: &[usize]) -> Outcome<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], at: usize| {
        (at + shape.len()).checked_sub(rank).and_then(|at| shape.get(at).copied()).unwrap_or(1)
    };
    let shape = (0..rank)
        .map(|at| match (dim(a, at), dim(b, at)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(format!("shapes {a:?} and {b:?} do not broadcast")),
        })
        .collect::<Outcome<Vec<_>>>()?;
    element_count(&shape)?;
    Ok(shape)
}

fn places(from: &[usize], to: &[usize]) -> Places {
    if from == to {
        return None;
    }
    let mut stride = 1;
    let mut strides: Vec<(usize, usize)> = to
        .iter()
        .rev()
        .zip(from.iter().rev().copied().chain(std::iter::repeat(1)))
        .map(|(&to, from)| {
            let here = if from == 1 { 0 } else { stride };
            stride *= from;
            (to, here)
        })
        .collect();
    strides.reverse();
    Some(strides)
}

/// Places of an operand's elements in the order of the output.
fn walk(strides: Option<&[(usize, usize)]>, len: usize) -> Box<dyn Iterator<Item = usize> + '_> {
    let Some(strides) = strides else { return Box::new(0..len) };
    let total: usize = strides.iter().map(|(dim, _)| dim).product();
    Box::new((0..total).map(move |flat| {
        let mut rest = flat;
        let mut place = 0;
        for &(dim, stride) in strides.iter().rev() {
            place += rest % dim.max(1) * stride;
            rest /= dim.max(1);
        }
        place
    }))
}

/// The elements of a tensor repeated to a larger shape.
pub(crate) fn expand(tensor: &Tensor, shape: &[usize]) -> Outcome<Tensor> {
    let shape = broadcast_shape(&tensor.shape, shape)?;
    let strides = places(&tensor.shape, &shape);
    let order: Vec<usize> = walk(strides.as_deref(), tensor.data.len()).collect();
    Tensor::new(shape, tensor.data.take(order.into_iter())?)
}

/// `Where`: picks from two tensors by a condition.
#[derive(Debug)]
pub(crate) struct Where;

impl Kernel for Where {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let (condition, yes, no) = (inputs.tensor(0)?, inputs.tensor(1)?, inputs.tensor(2)?);
        let shape = broadcast_shape(&broadcast_shape(&condition.shape, &yes.shape)?, &no.shape)?;
        let (condition, yes, no) =
            (expand(condition, &shape)?, expand(yes, &shape)?, expand(no, &shape)?);
        let Data::Bool(condition) = &condition.data else {
            return Err("the condition is not boolean".into());
        };
        let data = match (&yes.data, &no.data) {
            (Data::F32(y), Data::F32(n)) => Data::F32(pick(condition, y, n)),
            (Data::F64(y), Data::F64(n)) => Data::F64(pick(condition, y, n)),
            (Data::I64(y), Data::I64(n)) => Data::I64(pick(condition, y, n)),
            (Data::I32(y), Data::I32(n)) => Data::I32(pick(condition, y, n)),
            (Data::Bool(y), Data::Bool(n)) => Data::Bool(pick(condition, y, n)),
            (Data::Text(y), Data::Text(n)) => Data::Text(pick(condition, y, n)),
            (y, n) => return Err(format!("branches of {:?} and {:?}", y.kind(), n.kind())),
        };
        one(Tensor::new(shape, data)?)
    }
}

fn pick<T: Clone>(condition: &[bool], yes: &[T], no: &[T]) -> Vec<T> {
    condition
        .iter()
        .zip(yes.iter().zip(no))
        .map(|(&c, (y, n))| if c { y.clone() } else { n.clone() })
        .collect()
}

/// A function of one number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unary {
    Neg,
    Abs,
    Sqrt,
    Reciprocal,
    Exp,
    Log,
    Sigmoid,
    Tanh,
    Relu,
    LeakyRelu(f32),
    /// An exponential below zero, by the first factor; all of it by the second.
    Elu(f32, f32),
    Softplus,
    Erf,
    Floor,
    Ceil,
    Round,
    Sign,
    Not,
    IsNaN,
    Identity,
    Sin,
    Cos,
}

impl Kernel for Unary {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let data = match (&input.data, self) {
            (data, Self::Identity) => data.clone(),
            (Data::F32(v), Self::IsNaN) => Data::Bool(v.iter().map(|x| x.is_nan()).collect()),
            (Data::F64(v), Self::IsNaN) => Data::Bool(v.iter().map(|x| x.is_nan()).collect()),
            (Data::Bool(v), Self::Not) => Data::Bool(v.iter().map(|x| !x).collect()),
            (Data::F32(v), _) => Data::F32(v.iter().map(|&x| self.single(x)).collect()),
            (Data::F64(v), _) => Data::F64(v.iter().map(|&x| self.double(x)).collect()),
            (Data::I64(v), _) => {
                Data::I64(v.iter().map(|&x| self.integer(x)).collect::<Outcome<_>>()?)
            }
            (Data::I32(v), _) => Data::I32(
                v.iter()
                    .map(|&x| self.integer(i64::from(x)).map(|x| x as i32))
                    .collect::<Outcome<_>>()?,
            ),
            (data, _) => return Err(format!("{self:?} of {:?}", data.kind())),
        };
        one(Tensor::new(input.shape.clone(), data)?)
    }
}

impl Unary {
    fn double(self, x: f64) -> f64 {
        match self {
            Self::Neg => -x,
            Self::Abs => x.abs(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => 1.0 / x,
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Self::LeakyRelu(alpha) => {
                if x < 0.0 {
                    f64::from(alpha) * x
                } else {
                    x
                }
            }
            Self::Elu(alpha, gamma) => {
                let below = if x < 0.0 { f64::from(alpha) * x.exp_m1() } else { x };
                f64::from(gamma) * below
            }
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Erf => libm::erf(x),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Round => x.round_ties_even(),
            Self::Sign => {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    x
                }
            }
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Not | Self::IsNaN | Self::Identity => x,
        }
    }

    /// Computed in `f32` where the rounding of the steps shows, through `f64` where it does not.
    fn single(self, x: f32) -> f32 {
        match self {
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Tanh => x.tanh(),
            Self::Reciprocal => 1.0 / x,
            Self::LeakyRelu(alpha) => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            _ => self.double(f64::from(x)) as f32,
        }
    }

    fn integer(self, x: i64) -> Outcome<i64> {
        Ok(match self {
            Self::Neg => x.wrapping_neg(),
            Self::Abs => x.wrapping_abs(),
            Self::Sign => x.signum(),
            Self::Relu => x.max(0),
            _ => return Err(format!("{self:?} of integers")),
        })
    }
}

/// `Clip`, with bounds as attributes or as inputs.
#[derive(Debug)]
pub(crate) struct Clip {
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Kernel for Clip {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let bound = |at: usize, attribute: Option<f64>| match inputs.optional(at)? {
            Some(tensor) => Ok::<_, String>(tensor.data.to_f64()?.first().copied()),
            None => Ok(attribute),
        };
        let (min, max) = (
            bound(1, self.min)?.unwrap_or(f64::NEG_INFINITY),
            bound(2, self.max)?.unwrap_or(f64::INFINITY),
        );
        let input = inputs.tensor(0)?;
        // Comparisons rather than `clamp`: NaN stays, and bounds in the wrong order are no panic.
        let clip = |x: f64| {
            if x < min {
                min
            } else if x > max {
                max
            } else {
                x
            }
        };
        let data = match &input.data {
            Data::F32(v) => Data::F32(v.iter().map(|&x| clip(f64::from(x)) as f32).collect()),
            Data::F64(v) => Data::F64(v.iter().map(|&x| clip(x)).collect()),
            Data::I64(v) => Data::I64(
                v.iter()
                    .map(|&x| {
                        if (x as f64) < min {
                            min as i64
                        } else if x as f64 > max {
                            max as i64
                        } else {
                            x
                        }
                    })
                    .collect(),
            ),
            other => return Err(format!("Clip of {:?}", other.kind())),
        };
        one(Tensor::new(input.shape.clone(), data)?)
    }
}

/// `Cast` to another element type.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) to: Type,
}

impl Kernel for Cast {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        one(Tensor::new(input.shape.clone(), cast(&input.data, self.to)?)?)
    }
}

fn cast(data: &Data, to: Type) -> Outcome<Data> {
    if data.kind() == to {
        return Ok(data.clone());
    }
    Ok(match (data, to) {
        (Data::Text(v), Type::F32) => {
            Data::F32(v.iter().map(|s| parse(s)).collect::<Outcome<_>>()?)
        }
        (Data::Text(v), Type::F64) => {
            Data::F64(v.iter().map(|s| parse(s)).collect::<Outcome<_>>()?)
        }
        (Data::Text(v), Type::I64) => {
            Data::I64(v.iter().map(|s| parse(s)).collect::<Outcome<_>>()?)
        }
        (Data::Text(v), Type::I32) => {
            Data::I32(v.iter().map(|s| parse(s)).collect::<Outcome<_>>()?)
        }
        (Data::Text(_), Type::Bool) => return Err("text cannot be cast to boolean".into()),
        (_, Type::F32) => Data::F32(data.to_f32()?),
        (_, Type::F64) => Data::F64(data.to_f64()?),
        (Data::F32(v), Type::I64) => Data::I64(v.iter().map(|&x| x as i64).collect()),
        (Data::F64(v), Type::I64) => Data::I64(v.iter().map(|&x| x as i64).collect()),
        (Data::F32(v), Type::I32) => Data::I32(v.iter().map(|&x| x as i32).collect()),
        (Data::F64(v), Type::I32) => Data::I32(v.iter().map(|&x| x as i32).collect()),
        (_, Type::I64) => Data::I64(data.to_i64()?),
        (_, Type::I32) => Data::I32(data.to_i64()?.into_iter().map(|x| x as i32).collect()),
        (_, Type::Bool) => Data::Bool(data.to_f64()?.into_iter().map(|x| x != 0.0).collect()),
        (Data::F32(v), Type::Text) => Data::Text(v.iter().map(ToString::to_string).collect()),
        (Data::F64(v), Type::Text) => Data::Text(v.iter().map(ToString::to_string).collect()),
        (Data::Bool(v), Type::Text) => {
            Data::Text(v.iter().map(|&x| if x { "1" } else { "0" }.to_owned()).collect())
        }
        (_, Type::Text) => Data::Text(data.to_i64()?.into_iter().map(|x| x.to_string()).collect()),
    })
}

fn parse<T: std::str::FromStr>(text: &str) -> Outcome<T> {
    text.trim().parse().map_err(|_| format!("{text:?} is not a number"))
}
