//! Holds the rows of a table to a condition.
//!
//! Logic is SQL's, with three values: a comparison with a null is neither true nor false, and so is `not` of
//! it. Rows are kept of which the condition is true.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::condition::{Comparison, Condition, Operand, Operator};
use super::target::{Target, cast};
use super::times::{time, times};
use crate::csv::value::boolean;
use crate::error::{Error, Result, list_names, shorten};

/// Of each row whether the condition holds; `None` where a null decides.
pub(super) fn holds(
    condition: &Condition,
    text: &str,
    batch: &RecordBatch,
) -> Result<Vec<Option<bool>>> {
    let all = |parts: &[Condition], fold: fn(Option<bool>, Option<bool>) -> Option<bool>| {
        let mut rows: Option<Vec<Option<bool>>> = None;
        for part in parts {
            let found = holds(part, text, batch)?;
            rows = Some(match rows {
                None => found,
                Some(rows) => rows.into_iter().zip(found).map(|(a, b)| fold(a, b)).collect(),
            });
        }
        Ok(rows.unwrap_or_default())
    };
    match condition {
        Condition::And(parts) => all(parts, |a, b| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }),
        Condition::Or(parts) => all(parts, |a, b| match (a, b) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        }),
        Condition::Not(inner) => {
            let rows = holds(inner, text, batch)?;
            Ok(rows.into_iter().map(|row| row.map(|holds| !holds)).collect())
        }
        Condition::Comparison(comparison) => compare(comparison, text, batch),
    }
}

fn compare(
    comparison: &Comparison,
    condition: &str,
    batch: &RecordBatch,
) -> Result<Vec<Option<bool>>> {
    let Comparison { column, operator, operand } = comparison;
    let array = column_of(batch, condition, column)?;
    match operand {
        Operand::Null => {
            let wants_null = *operator == Operator::Equal;
            Ok((0..array.len()).map(|row| Some(array.is_null(row) == wants_null)).collect())
        }
        Operand::AnyOf(values) => {
            let mut rows: Vec<Option<bool>> = Vec::new();
            for value in values {
                let found = compare_one(array, *operator, Target { condition, column, value })?;
                if rows.is_empty() {
                    rows = found;
                } else {
                    // A null is one for every value.
                    for (row, found) in rows.iter_mut().zip(found) {
                        *row = row.zip(found).map(|(before, found)| before || found);
                    }
                }
            }
            Ok(rows)
        }
    }
}

/// The column of a batch that a condition names.
pub(super) fn column_of<'a>(
    batch: &'a RecordBatch,
    condition: &str,
    column: &str,
) -> Result<&'a ArrayRef> {
    batch.column_by_name(column).ok_or_else(|| {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        Error::Condition {
            condition: shorten(condition),
            reason: format!("there is no column {column:?}"),
            hint: format!("the columns are {}", list_names(names)),
        }
    })
}

fn compare_one(
    array: &ArrayRef,
    operator: Operator,
    target: Target<'_>,
) -> Result<Vec<Option<bool>>> {
    let data_type = array.data_type();
    let refused = || target.not_comparable(data_type);
    match data_type {
        DataType::Boolean => {
            let wanted = boolean(target.value.as_bytes()).ok_or_else(refused)?;
            let holds = |found: bool| operator.holds(Some(found.cmp(&wanted)));
            Ok(array.as_boolean().iter().map(|found| found.map(holds)).collect())
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let wanted = time(target.value).ok_or_else(refused)?;
            let holds = |found: i128| operator.holds(Some(found.cmp(&wanted)));
            Ok(times(array, &target)?.into_iter().map(|found| found.map(holds)).collect())
        }
        _ if data_type.is_integer() && target.value.parse::<i128>().is_ok() => {
            let wanted = target.value.parse::<i128>().map_err(|_| refused())?;
            let holds = |found: i128| operator.holds(Some(found.cmp(&wanted)));
            Ok(integers(array, &target)?.into_iter().map(|found| found.map(holds)).collect())
        }
        _ if data_type.is_numeric() || matches!(data_type, DataType::Decimal128(..)) => {
            let wanted: f64 = target.value.parse().map_err(|_| refused())?;
            let floats = cast(array, &DataType::Float64, &target)?;
            let holds = |found: f64| operator.holds(found.partial_cmp(&wanted));
            let floats = floats.as_primitive::<Float64Type>();
            Ok(floats.iter().map(|found| found.map(holds)).collect())
        }
        DataType::Utf8 | DataType::Dictionary(..) => {
            let texts = cast(array, &DataType::Utf8, &target)?;
            let holds = |found: &str| operator.holds(Some(found.cmp(target.value)));
            Ok(texts.as_string::<i32>().iter().map(|found| found.map(holds)).collect())
        }
        _ => Err(refused()),
    }
}

/// Integers of any width, exactly.
fn integers(array: &ArrayRef, target: &Target<'_>) -> Result<Vec<Option<i128>>> {
    if array.data_type().is_unsigned_integer() {
        let wide = cast(array, &DataType::UInt64, target)?;
        return Ok(wide.as_primitive::<UInt64Type>().iter().map(|v| v.map(i128::from)).collect());
    }
    let wide = cast(array, &DataType::Int64, target)?;
    Ok(wide.as_primitive::<Int64Type>().iter().map(|v| v.map(i128::from)).collect())
}
