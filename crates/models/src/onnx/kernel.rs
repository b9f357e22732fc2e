//! What a step of a graph is: values in, values out.

use std::fmt;

use super::tensor::{Outcome, Tensor};
use crate::Result;
use crate::contributions::Contributions;

/// A value between steps.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Tensor(Tensor),
    /// A list of maps, one a row, all with the same keys: what `ZipMap` makes of a table.
    Maps(MapKeys, Tensor),
}

/// Keys of the maps, one a column.
#[derive(Debug, Clone)]
pub(crate) enum MapKeys {
    Integers(Vec<i64>),
    Text(Vec<String>),
}

/// One operator with its attributes.
pub(crate) trait Kernel: Send + Sync + fmt::Debug {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>>;

    /// What each column of the first input gives to the scores of an estimator; none of any other operator.
    fn explain(&self, inputs: &Inputs<'_>) -> Option<Result<Contributions>> {
        let _ = inputs;
        None
    }

    /// The classes of a classifier.
    fn classes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Bytes held beyond the struct itself.
    fn size_bytes(&self) -> usize {
        0
    }
}

/// The inputs of one step; optional ones can be absent.
pub(crate) struct Inputs<'a>(pub(crate) Vec<Option<&'a Value>>);

impl<'a> Inputs<'a> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The tensor at this place, which must be there.
    pub(crate) fn tensor(&self, at: usize) -> Outcome<&'a Tensor> {
        self.optional(at)?.ok_or_else(|| format!("input {at} is missing"))
    }

    /// The tensor at this place, if it is given.
    pub(crate) fn optional(&self, at: usize) -> Outcome<Option<&'a Tensor>> {
        match self.0.get(at).copied().flatten() {
            None => Ok(None),
            Some(Value::Tensor(tensor)) => Ok(Some(tensor)),
            Some(Value::Maps(..)) => Err(format!("input {at} is a list of maps, not a tensor")),
        }
    }
}

/// The usual result: one tensor.
#[expect(clippy::unnecessary_wraps, reason = "it ends kernels, whose results are results")]
pub(crate) fn one(tensor: Tensor) -> Outcome<Vec<Value>> {
    Ok(vec![Value::Tensor(tensor)])
}
