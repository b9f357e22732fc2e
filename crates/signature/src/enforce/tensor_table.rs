//! A tensor signature against a table: columns of lists or of scalars, or all columns side by side.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, FixedSizeListArray, RecordBatch};
use arrow_schema::{ArrowError, DataType as ArrowType, Field};
use arrow_select::interleave::interleave;

use super::convert::{Misfit, exact};
use super::names::shape_text;
use super::plan::{Content, Plan};
use crate::model::TensorSpec;

/// All columns of the table as the rows of the one unnamed tensor; none where the signature is
/// another, or the table has one column.
pub(super) fn side_by_side(plan: &Plan, table: &RecordBatch) -> Option<Result<ArrayRef, String>> {
    let [input] = plan.inputs.as_slice() else { return None };
    let Content::Tensor { dtype, shape } = &input.content else { return None };
    if plan.named || table.num_columns() == 1 {
        return None;
    }
    Some(rows(dtype, shape, table))
}

fn rows(dtype: &str, shape: &[i64], table: &RecordBatch) -> Result<ArrayRef, String> {
    let width = table.num_columns();
    if shape != [-1, i64::try_from(width).unwrap_or(i64::MAX)] {
        return Err(format!(
            "Shape of input {} does not match expected shape {}.",
            shape_text(&[-1, i64::try_from(width).unwrap_or(i64::MAX)]),
            shape_text(shape)
        ));
    }
    let element = element(dtype).map_err(|misfit| sentence(&misfit))?;
    for column in table.columns() {
        if column.data_type() != &element {
            return Err(format!(
                "dtype of input {} does not match expected dtype {dtype}",
                column.data_type().to_string().to_lowercase()
            ));
        }
        if column.null_count() > 0 {
            return Err("a value of a tensor is missing".to_owned());
        }
    }
    let columns: Vec<_> = table.columns().iter().map(AsRef::as_ref).collect();
    let cells: Vec<(usize, usize)> =
        (0..table.num_rows()).flat_map(|row| (0..width).map(move |column| (column, row))).collect();
    let flat = interleave(&columns, &cells).map_err(|error| error.to_string())?;
    nested(flat, shape).map_err(|error| error.to_string())
}

fn sentence(misfit: &Misfit) -> String {
    match misfit {
        Misfit::Type(found) => format!("{found} does not fit"),
        Misfit::Value(row, problem) => format!("row {row}: {problem}"),
        Misfit::Other(problem) => problem.clone(),
    }
}

fn element(dtype: &str) -> Result<ArrowType, Misfit> {
    let spec = TensorSpec::unnamed(dtype, Vec::new());
    spec.element_type().ok_or_else(|| {
        Misfit::Other(format!("tensors of {dtype} cannot be sent as Parquet; send JSON"))
    })
}

/// A tensor from one column: scalars for `(-1,)` and `(-1, 1)`, lists for the rest.
pub(super) fn column(array: &ArrayRef, dtype: &str, shape: &[i64]) -> Result<ArrayRef, Misfit> {
    let element = element(dtype)?;
    let inner: usize =
        shape.iter().skip(1).map(|size| usize::try_from(*size).unwrap_or(0)).product();
    if shape.first() != Some(&-1) || shape.iter().skip(1).any(|size| *size < 0) {
        return Err(Misfit::Other(format!(
            "for a table, the first dimension of shape must be a variable dimension and other \
             dimensions must be fixed, but the signature says {}",
            shape_text(shape)
        )));
    }
    let mut values = Arc::clone(array);
    while let Some(lists) = values.as_list_opt::<i32>() {
        if lists.null_count() > 0 {
            return Err(Misfit::Other("a list of a tensor is missing".to_owned()));
        }
        let (first, last) = (lists.value_offsets().first(), lists.value_offsets().last());
        let (first, last) = (first.copied().unwrap_or(0), last.copied().unwrap_or(0));
        let uneven =
            lists.value_offsets().windows(2).map(|pair| pair.iter().rev()).any(|mut pair| {
                let length = pair.next().unwrap_or(&0) - pair.next().unwrap_or(&0);
                lists.len() > 0 && i64::from(length) * lists.len() as i64 != i64::from(last - first)
            });
        if uneven {
            return Err(Misfit::Other("the lists are not equally long".to_owned()));
        }
        values = lists.values().slice(first as usize, (last - first) as usize);
    }
    let is_scalar = array.as_list_opt::<i32>().is_none();
    if is_scalar && inner != 1 {
        return Err(Misfit::Other(format!(
            "a column of scalar values requires the shape to be (-1,) or (-1, 1), but the \
             signature says {}",
            shape_text(shape)
        )));
    }
    if values.len() != array.len().saturating_mul(inner) {
        return Err(Misfit::Other(format!(
            "its lists do not fill the shape {}",
            shape_text(shape)
        )));
    }
    if values.null_count() > 0 {
        return Err(Misfit::Other("a value of a tensor is missing".to_owned()));
    }
    if values.data_type() != &element {
        if !is_scalar {
            return Err(Misfit::Type(values.data_type().to_string().to_lowercase()));
        }
        values = exact(&values, &element)?;
    }
    Ok(nested(values, shape)?)
}

/// Row-major values as lists within lists; the first dimension are the rows.
fn nested(mut array: ArrayRef, shape: &[i64]) -> Result<ArrayRef, ArrowError> {
    for size in shape.iter().skip(1).rev() {
        let field = Arc::new(Field::new("item", array.data_type().clone(), false));
        let size = i32::try_from(*size)
            .map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
        array = Arc::new(FixedSizeListArray::try_new(field, size, array, None)?);
    }
    Ok(array)
}
