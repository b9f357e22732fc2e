//! Times in columns and in conditions, as nanoseconds since 1970.

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef};
use arrow_cast::parse::string_to_timestamp_nanos;
use arrow_schema::{DataType, TimeUnit};

use super::target::{Target, cast};
use crate::error::{Error, Result, shorten};

/// Nanoseconds since 1970 of a time in ISO 8601.
pub(super) fn time(text: &str) -> Option<i128> {
    string_to_timestamp_nanos(text.trim()).ok().map(i128::from)
}

/// Nanoseconds since 1970 of a column that holds times.
pub(super) fn times(array: &ArrayRef, target: &Target<'_>) -> Result<Vec<Option<i128>>> {
    let scale: i128 = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
        DataType::Date32 => 86_400_000_000_000,
        DataType::Utf8 | DataType::Dictionary(..) => return text_times(array, target),
        other => {
            return Err(Error::Condition {
                condition: target.condition.to_owned(),
                reason: format!("column {:?} ({other}) holds no times", target.column),
                hint: "timestamps, dates and text in ISO 8601 are times".to_owned(),
            });
        }
    };
    let plain = match array.data_type() {
        // Days are 32 bits wide and only reach 64 by way of their number.
        DataType::Date32 => cast(array, &DataType::Int32, target)?,
        _ => ArrayRef::clone(array),
    };
    let ticks = cast(&plain, &DataType::Int64, target)?;
    let ticks = ticks.as_primitive::<Int64Type>();
    Ok(ticks.iter().map(|tick| tick.map(|tick| i128::from(tick) * scale)).collect())
}

fn text_times(array: &ArrayRef, target: &Target<'_>) -> Result<Vec<Option<i128>>> {
    let texts = cast(array, &DataType::Utf8, target)?;
    let read = |(row, text): (usize, Option<&str>)| {
        let Some(text) = text else { return Ok(None) };
        time(text).map(Some).ok_or_else(|| Error::Condition {
            condition: target.condition.to_owned(),
            reason: format!(
                "{:?} in row {} of column {:?} is no time",
                shorten(text),
                row + 1,
                target.column
            ),
            hint: "times are written 2026-01-31 or 2026-01-31T12:00:00Z".to_owned(),
        })
    };
    texts.as_string::<i32>().iter().enumerate().map(read).collect()
}
