//! Functions that models call by name: those of NumPy that work on each value.
//!
//! `FunctionTransformer(np.log1p)` is a common step. Nothing is called: the name chooses a function of
//! ours, and every other name is refused.

use super::compose::Identity;
use super::data::{Column, Frame, Missing, Table};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Names, Reader};
use crate::python::Value;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("FunctionTransformer", |fields, _| transformer(fields))
        .note("without a function, or one of NumPy's: `log1p`, `sqrt`, …")
        .names(Names::Unseen)];

/// A function of each value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    Identity,
    Each(fn(f64) -> f64),
}

impl Function {
    /// By name: `numpy.log1p`, or a ufunc as pickles of older versions rebuild it from module and name.
    pub(super) fn read(value: Value<'_>) -> Option<Self> {
        let name = match (value.global(), value.class()) {
            (Some(name), _) => name,
            (None, Some(class)) if class.ends_with("._ufunc_reconstruct") => {
                value.arguments().get(1).and_then(|name| name.text())?
            }
            // A function of scikit-learn that checks its input and answers it.
            (None, Some("functools.partial")) => {
                let function = value.arguments().first().copied()?;
                return function.describe().ends_with(".check_array").then_some(Self::Identity);
            }
            _ => return None,
        };
        let (module, name) = name.rsplit_once('.').unwrap_or(("numpy", name));
        if module != "numpy" && !module.starts_with("numpy.") {
            return None;
        }
        Some(Self::Each(match name {
            "log1p" => libm::log1p,
            "expm1" => libm::expm1,
            "log" => f64::ln,
            "log2" => f64::log2,
            "log10" => f64::log10,
            "exp" => f64::exp,
            "sqrt" => f64::sqrt,
            "cbrt" => f64::cbrt,
            "square" => |x| x * x,
            "abs" | "absolute" | "fabs" => f64::abs,
            "negative" => |x| -x,
            "reciprocal" => |x| 1.0 / x,
            "sign" => |x| if x == 0.0 || x.is_nan() { x } else { x.signum() },
            "sin" => f64::sin,
            "cos" => f64::cos,
            "tanh" => f64::tanh,
            "arctan" => f64::atan,
            "arcsinh" => f64::asinh,
            "floor" => f64::floor,
            "ceil" => f64::ceil,
            "rint" => f64::round_ties_even,
            _ => return None,
        }))
    }
}

/// `FunctionTransformer`
fn transformer(fields: Fields<'_>) -> Result<Boxed> {
    let validate = fields.flag("validate", false);
    let identity = || -> Boxed {
        if validate { Box::new(Each { function: |x| x, validate }) } else { Box::new(Identity) }
    };
    let Some(function) = fields.optional("func") else { return Ok(identity()) };
    if fields
        .optional("kw_args")
        .and_then(Value::entries)
        .is_some_and(|entries| !entries.is_empty())
    {
        return Err(fields.unsupported("kw_args"));
    }
    match Function::read(function) {
        Some(Function::Identity) => Ok(identity()),
        Some(Function::Each(function)) => Ok(Box::new(Each { function, validate })),
        None => Err(fields.unsupported(format!("function {}", function.describe()))),
    }
}

#[derive(Debug)]
struct Each {
    function: fn(f64) -> f64,
    /// Refuse numbers that are missing or infinite.
    validate: bool,
}

impl Estimator for Each {
    fn transform(&self, x: Table) -> Result<Table> {
        if self.validate {
            x.check_numbers(Missing::Refused)?;
        }
        if let Table::Frame(frame) = &x {
            let columns =
                frame.columns.iter().zip(&frame.names).map(|(column, name)| match column {
                    Column::Numbers(values) => {
                        Ok(Column::Numbers(values.iter().map(|&x| (self.function)(x)).collect()))
                    }
                    Column::Text(_) | Column::Mixed(_) | Column::Other(_) => Err(Error::Input(
                        format!("column {name:?} holds text where the model takes numbers"),
                    )),
                });
            let columns = columns.collect::<Result<_>>()?;
            return Ok(Table::Frame(Frame {
                rows: frame.rows,
                names: frame.names.clone(),
                columns,
            }));
        }
        let mut matrix = x.matrix()?.into_owned();
        matrix.is_single = false;
        matrix.values.iter_mut().for_each(|x| *x = (self.function)(*x));
        Ok(Table::Matrix(matrix))
    }

    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        Some(Ok((0..x.width()).collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}
