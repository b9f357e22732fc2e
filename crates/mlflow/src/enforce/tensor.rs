//! A tensor that fills from nested JSON lists and becomes an Arrow array of fixed-size lists.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, FixedSizeListArray};
use arrow_schema::{ArrowError, DataType as ArrowType, Field};

use super::column::{Column, arrow_type};
use super::context::Context;
use super::json::{Kind, Reader, Syntax};
use super::names::shape_text;
use crate::model::DataType;

/// The column type whose values a tensor of this numpy dtype holds. Narrow integers widen to the
/// next of MLflow's types; text and `object` are strings.
pub(crate) fn element_type(dtype: &str) -> &'static DataType {
    match dtype {
        "bool" => &DataType::Boolean,
        "int8" | "int16" | "int32" | "uint8" | "uint16" => &DataType::Integer,
        "int64" | "uint32" | "uint64" => &DataType::Long,
        "float16" | "float32" => &DataType::Float,
        "float64" => &DataType::Double,
        _ => &DataType::String,
    }
}

/// The Arrow type of a tensor column of this signature: one value a row for shape `(-1,)`, nested
/// fixed-size lists for more dimensions. None when a dimension after the first is free, because
/// then the request decides.
pub(crate) fn tensor_type(dtype: &str, shape: &[i64]) -> Option<ArrowType> {
    let mut arrow = arrow_type(element_type(dtype));
    for dimension in shape.iter().skip(1).rev() {
        let size = i32::try_from(*dimension).ok().filter(|size| *size > 0)?;
        arrow = ArrowType::FixedSizeList(Arc::new(Field::new("item", arrow, true)), size);
    }
    Some(arrow)
}

/// A tensor under construction, row-major.
#[derive(Debug)]
pub(crate) struct Tensor<'s> {
    values: Column<'s>,
    expected: &'s [i64],
    /// Length of each dimension after the first, as far as seen.
    inner: Vec<usize>,
    /// How deep the values lie: the number of dimensions.
    rank: Option<usize>,
    rows: usize,
    ragged: bool,
}

impl<'s> Tensor<'s> {
    pub(crate) fn new(dtype: &str, expected: &'s [i64], capacity: usize) -> Self {
        Self {
            values: Column::new(element_type(dtype), true, capacity),
            expected,
            inner: Vec::new(),
            rank: None,
            rows: 0,
            ragged: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Reads the whole tensor from one JSON value.
    pub(crate) fn read_whole(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Syntax> {
        if reader.kind()? != Kind::Array {
            // A bare scalar has no dimension.
            self.rows = 1;
            return self.read_value(reader, context, 0);
        }
        let mut more = reader.array_start()?;
        while more {
            self.read_row(reader, context)?;
            more = reader.array_next()?;
        }
        Ok(())
    }

    /// Reads one element of the first dimension.
    pub(crate) fn read_row(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Syntax> {
        context.row = self.rows;
        self.rows += 1;
        self.read_value(reader, context, 1)
    }

    /// Reads one element of the first dimension whose parts lie apart, such as the cells of a row.
    pub(crate) fn read_cells(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_>,
        positions: &[usize],
    ) -> Result<(), Syntax> {
        context.row = self.rows;
        self.rows += 1;
        for position in positions {
            reader.seek(*position);
            self.read_value(reader, context, 2)?;
        }
        self.note_length(1, positions.len());
        Ok(())
    }

    fn read_value(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_>,
        depth: usize,
    ) -> Result<(), Syntax> {
        if reader.kind()? != Kind::Array || depth > context.limits.depth_max {
            self.ragged |= *self.rank.get_or_insert(depth) != depth;
            return self.values.read(reader, context);
        }
        let mut length = 0;
        let mut more = reader.array_start()?;
        while more {
            self.read_value(reader, context, depth + 1)?;
            length += 1;
            more = reader.array_next()?;
        }
        self.note_length(depth, length);
        Ok(())
    }

    fn note_length(&mut self, depth: usize, length: usize) {
        match self.inner.get(depth - 1) {
            Some(known) => self.ragged |= *known != length,
            None => {
                // Lists end from the inside out, so outer lengths are noted after inner ones.
                self.inner.resize(depth, length);
            }
        }
    }

    /// What is wrong with the shape, in upstream's words.
    pub(crate) fn shape_problem(&self) -> Option<String> {
        if self.ragged {
            return Some(
                "setting an array element with a sequence. The requested array has an \
                 inhomogeneous shape"
                    .to_owned(),
            );
        }
        let shape = self.shape();
        let fits = shape.len() == self.expected.len()
            && shape
                .iter()
                .zip(self.expected)
                .all(|(found, expected)| *expected < 0 || found == expected);
        let problem = || {
            format!(
                "Shape of input {} does not match expected shape {}.",
                shape_text(&shape),
                shape_text(self.expected)
            )
        };
        (!fits).then(problem)
    }

    fn shape(&self) -> Vec<i64> {
        let to_i64 = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        if self.rank == Some(0) {
            return Vec::new();
        }
        std::iter::once(self.rows).chain(self.inner.iter().copied()).map(to_i64).collect()
    }

    /// The array: rows are elements of the first dimension. Missing numbers are NaN, never null.
    pub(crate) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let mut array = self.values.without_nulls().finish()?;
        for length in self.inner.iter().rev() {
            let size = i32::try_from(*length)
                .map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
            let field = Arc::new(Field::new("item", array.data_type().clone(), true));
            array = Arc::new(FixedSizeListArray::try_new(field, size, array, None)?);
        }
        Ok(array)
    }
}
