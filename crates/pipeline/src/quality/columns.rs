//! Columns of a table as rows need them: some rows of one, as texts, numbers, or what a model learns from.

use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_cast::cast;
use arrow_select::concat::concat;
use arrow_select::take::take;
use trainyard_data::Columns;
use trainyard_data::arrow_schema::{ArrowError, DataType};
use trainyard_quality::Feature;

use crate::{Error, Result};

/// Rows of one table at most: positions have 32 bits.
const ROWS_MAX: usize = u32::MAX as usize;

pub(super) fn arrow(error: ArrowError) -> Error {
    trainyard_train::Error::from(error).into()
}

/// Refuses tables whose rows cannot be counted in 32 bits.
pub(super) fn check_rows(columns: &Columns, source: &str) -> Result<()> {
    if columns.rows() <= ROWS_MAX {
        return Ok(());
    }
    Err(Error::Missing {
        what: format!("{source} has {} rows", columns.rows()),
        hint: "choose fewer of them with --since, --until or --where".to_owned(),
    })
}

/// The rows at these positions, which rise; none if there is no such column. No more than a piece of the column and
/// these rows are in memory.
pub(super) fn gather(columns: &Columns, name: &str, positions: &[u32]) -> Result<Option<ArrayRef>> {
    let (mut start, mut next) = (0_usize, 0_usize);
    let mut parts: Vec<ArrayRef> = Vec::new();
    let mut failed = None;
    let found = columns.for_each_piece(name, |piece| {
        let end = start + piece.len();
        let until = next + positions[next..].partition_point(|row| (*row as usize) < end);
        if until > next && failed.is_none() {
            let places = positions[next..until].iter().map(|row| (*row as usize - start) as u32);
            match take(piece.as_ref(), &UInt32Array::from_iter_values(places), None) {
                Ok(part) => parts.push(part),
                Err(error) => failed = Some(error),
            }
        }
        (start, next) = (end, until);
    })?;
    if let Some(error) = failed {
        return Err(arrow(error));
    }
    if !found {
        return Ok(None);
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    if parts.is_empty() {
        return Ok(Some(new_null_array(&DataType::Null, 0)));
    }
    concat(&parts).map(Some).map_err(arrow)
}

/// The same for a column that must be there.
pub(super) fn wanted(
    columns: &Columns,
    source: &str,
    name: &str,
    positions: &[u32],
) -> Result<ArrayRef> {
    gather(columns, name, positions)?.ok_or_else(|| lacks(columns, source, name))
}

/// What is said of a column that is not there.
pub(super) fn lacks(columns: &Columns, source: &str, name: &str) -> Error {
    let names = columns.names().iter().map(String::as_str);
    let hint = match trainyard_base::nearest(name, names) {
        Some(nearest) => format!("there is {nearest:?}"),
        None => format!("it has {}", listed(columns.names())),
    };
    Error::Missing { what: format!("{source} has no column {name:?}"), hint }
}

/// Names, as many as a line holds.
fn listed(names: &[String]) -> String {
    const NAMES_MAX: usize = 12;
    let shown = names.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_MAX { format!("{shown}, …") } else { shown }
}

/// Values as labels: the same for 1 and 1.0, none where one is missing.
pub(super) fn texts(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    if array.data_type().is_floating() {
        let text = |value: f64| (!value.is_nan()).then(|| value.to_string());
        return Ok(numbers(array)?.into_iter().map(text).collect());
    }
    let texts = cast(array, &DataType::Utf8).map_err(arrow)?;
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(texts.as_string::<i32>().iter().map(text).collect())
}

/// Values as numbers: NaN where one is missing or none.
pub(super) fn numbers(array: &ArrayRef) -> Result<Vec<f64>> {
    let numbers = cast(array, &DataType::Float64).map_err(arrow)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    Ok(numbers.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// A column as a model learns from it; none of times, lists and the like. Infinite numbers are missing ones.
pub(super) fn feature(array: &ArrayRef) -> Result<Option<Feature>> {
    let kind = match array.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    Ok(match kind {
        kind if kind.is_numeric() => {
            let known = |value: f64| if value.is_finite() { value } else { f64::NAN };
            Some(Feature::Numbers(numbers(array)?.into_iter().map(known).collect()))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => {
            Some(Feature::Labels(texts(array)?))
        }
        _ => None,
    })
}
