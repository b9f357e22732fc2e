//! Compares two columns of a table, row by row.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_schema::DataType;

use super::condition::Operator;
use super::target::{Target, cast, integers};
use super::times::times;
use crate::error::Result;

/// Of each row whether the comparison holds; `None` where one of both is missing.
///
/// # Errors
///
/// Where values of these types do not compare.
pub(super) fn between(
    left: &ArrayRef,
    right: &ArrayRef,
    operator: Operator,
    target: &Target<'_>,
) -> Result<Vec<Option<bool>>> {
    let are = |is: fn(&DataType) -> bool| is(left.data_type()) && is(right.data_type());
    if are(is_time) {
        let (left, right) = (times(left, target)?, times(right, target)?);
        return Ok(held(left.into_iter(), right.into_iter(), operator));
    }
    if are(DataType::is_integer) {
        let (left, right) = (integers(left, target)?, integers(right, target)?);
        return Ok(held(left.into_iter(), right.into_iter(), operator));
    }
    if are(is_number) {
        let (left, right) =
            (cast(left, &DataType::Float64, target)?, cast(right, &DataType::Float64, target)?);
        let [left, right] =
            [&left, &right].map(|side| side.as_primitive::<Float64Type>().iter().map(usable));
        return Ok(held(left, right, operator));
    }
    if are(|data_type| *data_type == DataType::Boolean) {
        return Ok(held(left.as_boolean().iter(), right.as_boolean().iter(), operator));
    }
    if are(is_text) {
        let (left, right) =
            (cast(left, &DataType::Utf8, target)?, cast(right, &DataType::Utf8, target)?);
        let (left, right) = (left.as_string::<i32>(), right.as_string::<i32>());
        return Ok(held(left.iter(), right.iter(), operator));
    }
    Err(target.not_comparable(left.data_type()))
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Decimal128(..))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Dictionary(..))
}

/// What is not a number is missing.
fn usable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| !value.is_nan())
}

fn held<T: PartialOrd>(
    left: impl Iterator<Item = Option<T>>,
    right: impl Iterator<Item = Option<T>>,
    operator: Operator,
) -> Vec<Option<bool>> {
    left.zip(right)
        .map(|(left, right)| left.zip(right).map(|(a, b)| operator.holds(a.partial_cmp(&b))))
        .collect()
}
