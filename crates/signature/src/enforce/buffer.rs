//! The buffers that the values of a request are read into, one an input of the model.

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use trainyard_base::json::{Reader, Syntax};

use super::column::Column;
use super::context::Context;
use super::plan::{Content, Plan};
use super::tensor::Tensor;

/// The buffer of one input.
#[derive(Debug)]
pub(crate) enum Buffer<'s> {
    Column(Column<'s>),
    Tensor(Tensor<'s>),
}

impl<'s> Buffer<'s> {
    /// Empty buffers for all inputs of a plan, with room for so many values.
    pub(crate) fn all(plan: &'s Plan, capacity: usize) -> Vec<Self> {
        let buffer = |content: &'s Content| match content {
            Content::Column { data_type, required } => {
                Self::Column(Column::new(data_type, *required, capacity))
            }
            Content::Tensor { dtype, shape } => Self::Tensor(Tensor::new(dtype, shape, capacity)),
        };
        plan.inputs.iter().map(|input| buffer(&input.content)).collect()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Column(column) => column.len(),
            Self::Tensor(tensor) => tensor.len(),
        }
    }

    /// Reads the next JSON value as the next row.
    #[inline]
    pub(crate) fn read_row(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Syntax> {
        match self {
            Self::Column(column) => column.read(reader, context),
            Self::Tensor(tensor) => tensor.read_row(reader, context),
        }
    }

    /// The array of all values read.
    pub(crate) fn finish(self) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Column(column) => column.finish(),
            Self::Tensor(tensor) => tensor.finish(),
        }
    }
}
