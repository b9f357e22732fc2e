//! A tensor that fills from nested JSON lists and becomes an Arrow array of fixed-size lists.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Int8Type, Int16Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array as _, ArrayRef, ArrowPrimitiveType, FixedSizeListArray, Int64Array, ListArray,
    PrimitiveArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType as ArrowType, Field};
use trainyard_base::json::{Kind, Reader, Syntax};

use super::column::Column;
use super::context::Context;
use super::names::shape_text;
use crate::model::DataType;

/// The column type through which values of this numpy dtype are read.
fn element_type(dtype: &str) -> &'static DataType {
    match dtype {
        "bool" => &DataType::Boolean,
        "int32" => &DataType::Integer,
        "int8" | "int16" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" => &DataType::Long,
        "float16" | "float32" => &DataType::Float,
        "float64" => &DataType::Double,
        "bytes" => &DataType::Binary,
        "datetime64[ns]" => &DataType::Datetime,
        "object" => &DataType::Any,
        _ => &DataType::String,
    }
}

/// The array in the width that the dtype says; refuses values that do not fit.
fn narrow(dtype: &str, array: ArrayRef) -> Result<ArrayRef, ArrowError> {
    if dtype == "float16" {
        return arrow_cast::cast(&array, &ArrowType::Float16);
    }
    let Some(values) = array.as_primitive_opt::<Int64Type>() else { return Ok(array) };
    Ok(match dtype {
        "int8" => Arc::new(try_narrow::<Int8Type>(dtype, values)?),
        "int16" => Arc::new(try_narrow::<Int16Type>(dtype, values)?),
        "uint8" => Arc::new(try_narrow::<UInt8Type>(dtype, values)?),
        "uint16" => Arc::new(try_narrow::<UInt16Type>(dtype, values)?),
        "uint32" => Arc::new(try_narrow::<UInt32Type>(dtype, values)?),
        "uint64" => Arc::new(try_narrow::<UInt64Type>(dtype, values)?),
        _ => array,
    })
}

fn try_narrow<T>(dtype: &str, values: &Int64Array) -> Result<PrimitiveArray<T>, ArrowError>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i64>,
{
    values.try_unary(|value| {
        T::Native::try_from(value)
            .map_err(|_range| ArrowError::ComputeError(format!("{value} is beyond {dtype}")))
    })
}

/// A tensor under construction, row-major.
#[derive(Debug)]
pub(crate) struct Tensor<'s> {
    values: Column<'s>,
    dtype: &'s str,
    expected: &'s [i64],
    /// Length of each dimension after the first, as far as seen.
    inner: Vec<Option<usize>>,
    /// How deep the values lie: the number of dimensions.
    rank: Option<usize>,
    rows: usize,
    ragged: bool,
}

impl<'s> Tensor<'s> {
    pub(crate) fn new(dtype: &'s str, expected: &'s [i64], capacity: usize) -> Self {
        Self {
            values: Column::new(element_type(dtype), true, capacity),
            dtype,
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

    /// Counts an element that the request does not have; the caller reports it.
    pub(crate) fn push_missing(&mut self) {
        self.rows += 1;
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
        // Over the limit, which the caller refuses, the rest is not read.
        while more && self.rows <= context.limits.rows_max {
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

    /// The values, to be read one by one; the shape is told after the last, with [`Self::shape_as`].
    pub(crate) fn values(&mut self) -> &mut Column<'s> {
        &mut self.values
    }

    /// The values read so far fill this shape.
    pub(crate) fn shape_as(&mut self, shape: &[usize]) {
        self.rank = Some(shape.len());
        self.rows = shape.first().copied().unwrap_or(1);
        self.inner = shape.iter().skip(1).copied().map(Some).collect();
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
        // Lists end from the inside out, so inner lengths are known before outer ones.
        if self.inner.len() < depth {
            self.inner.resize(depth, None);
        }
        if let Some(known) = self.inner.get_mut(depth - 1) {
            self.ragged |= *known.get_or_insert(length) != length;
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
        if !self.inner.is_empty() && self.values.lacks_values() {
            return Some("a value of a tensor is missing".to_owned());
        }
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
        std::iter::once(self.rows).chain(self.inner.iter().flatten().copied()).map(to_i64).collect()
    }

    /// The array: rows are elements of the first dimension, dimensions that the signature fixes
    /// are lists of fixed size. Missing numbers are NaN, never null.
    pub(crate) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let mut array = narrow(self.dtype, self.values.without_nulls().finish()?)?;
        let lengths: Vec<usize> = self.inner.iter().flatten().copied().collect();
        for (position, length) in lengths.iter().enumerate().rev() {
            let field = Arc::new(Field::new("item", array.data_type().clone(), false));
            let fixed = self.expected.get(position + 1).is_some_and(|expected| *expected >= 0);
            array = if fixed {
                let size = i32::try_from(*length)
                    .map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
                Arc::new(FixedSizeListArray::try_new(field, size, array, None)?)
            } else {
                let lists = array.len().checked_div(*length).unwrap_or(self.rows);
                let offsets = OffsetBuffer::from_repeated_length(*length, lists);
                Arc::new(ListArray::try_new(field, offsets, array, None)?)
            };
        }
        Ok(array)
    }
}
