//! Functions that models call by name: those of NumPy that work on each value.
//!
//! `FunctionTransformer(np.log1p)` is a common step. Nothing is called: the name chooses a function of
//! ours, and every other name is refused.

use super::compose::Identity;
use super::data::{Column, Frame, Missing, Table};
use super::estimator::{Estimator, Fields};
use super::matrix::single;
use super::reader::{Boxed, Names, Reader};
use crate::numeric::functions::named;
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
        named(name).map(Self::Each)
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

impl Each {
    /// Rounded to 32 bits where the values are so.
    fn value(&self, x: f64, is_single: bool) -> f64 {
        let value = (self.function)(x);
        if is_single { single(value) } else { value }
    }
}

impl Estimator for Each {
    fn transform(&self, x: Table) -> Result<Table> {
        if self.validate {
            x.check_numbers(Missing::Refused)?;
        }
        if let Table::Frame(frame) = &x {
            // What is checked is one array, of 32 bits where all columns are.
            let singles = if self.validate {
                vec![x.is_single(); frame.singles.len()]
            } else {
                frame.singles.clone()
            };
            let each = frame.columns.iter().zip(&frame.names).zip(&singles);
            let columns = each.map(|((column, name), &is_single)| match column {
                Column::Numbers(values) => {
                    Ok(Column::Numbers(values.iter().map(|&x| self.value(x, is_single)).collect()))
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
                singles,
            }));
        }
        let mut matrix = x.matrix()?.into_owned();
        let is_single = matrix.is_single;
        matrix.values.iter_mut().for_each(|x| *x = self.value(*x, is_single));
        Ok(Table::Matrix(matrix))
    }

    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        Some(Ok((0..x.width()).collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}
