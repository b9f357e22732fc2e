//! Several files, or several parts of one, as one table: which columns it has, and of which type.

use std::collections::HashSet;
use std::path::Path;

use arrow_schema::DataType;

use crate::ReadOptions;
use crate::error::{Error, Result, list_names};
use crate::remarks::Remark;

/// The type of a column that holds nothing but nulls: pandas' float64.
pub(crate) const NOTHING: DataType = DataType::Float64;

/// The columns of the table in order: as chosen, or as in the first part (others behind).
pub(crate) fn column_order(
    parts: &[(&Path, Vec<String>)],
    options: &ReadOptions,
) -> Result<Vec<String>> {
    let Some(((first, first_names), others)) = parts.split_first() else {
        return Ok(Vec::new());
    };
    let mut order = first_names.clone();
    if let Some(columns) = &options.columns
        && options.fill_missing_columns
        && !options.skip_missing_columns
    {
        // A single file may lack all chosen columns when missing ones are to be filled.
        order.clone_from(columns);
    }
    let mut seen: HashSet<String> = order.iter().cloned().collect();
    for (path, names) in others {
        let here: HashSet<&String> = names.iter().collect();
        let missing: Vec<&str> =
            order.iter().filter(|name| !here.contains(name)).map(String::as_str).collect();
        let additional: Vec<&str> =
            names.iter().filter(|name| !seen.contains(*name)).map(String::as_str).collect();
        if !(missing.is_empty() && additional.is_empty() || options.fill_missing_columns) {
            let difference = format!(
                "missing {}, additional {}",
                list_names(missing.into_iter()),
                list_names(additional.into_iter())
            );
            return Err(Error::MixedColumns {
                path: (*path).to_owned(),
                first: (*first).to_owned(),
                difference,
            });
        }
        for name in names {
            if seen.insert(name.clone()) {
                order.push(name.clone());
            }
        }
    }
    remark_on_gaps(parts, &order, options);
    Ok(order)
}

/// Says which columns are missing in some of the files: their rows have nothing there.
fn remark_on_gaps(parts: &[(&Path, Vec<String>)], order: &[String], options: &ReadOptions) {
    let held: Vec<HashSet<&String>> =
        parts.iter().map(|(_, names)| names.iter().collect()).collect();
    // What no file has is said by whoever asked for it.
    let in_some = |column: &&String| {
        let with = held.iter().filter(|names| names.contains(column)).count();
        (1..held.len()).contains(&with)
    };
    let columns: Vec<String> = order.iter().filter(in_some).cloned().collect();
    if !columns.is_empty() {
        options.remarks.add(Remark::InSomeFiles { columns });
    }
}

/// What one part of a table has of a column.
pub(crate) struct Found<'a> {
    pub(crate) path: &'a Path,
    /// CSV text can always be read again as it is written.
    pub(crate) is_csv: bool,
    /// Its type, and whether it has no rows; `None` where the part lacks the column.
    pub(crate) column: Option<(&'a DataType, bool)>,
}

/// The type that holds the column of every part; [`DataType::Null`] when there are only nulls.
pub(crate) fn common_type<'a>(
    name: &str,
    parts: impl Iterator<Item = Found<'a>>,
) -> Result<DataType> {
    let mut common = DataType::Null;
    let mut from_csv = true;
    let mut has_nulls = false;
    for part in parts {
        let Some((found, is_empty)) = part.column else {
            has_nulls = true;
            continue;
        };
        has_nulls |= *found == DataType::Null && !is_empty;
        let as_text =
            (from_csv || common == DataType::Utf8) && (part.is_csv || *found == DataType::Utf8);
        let joined = widen(&common, found).or_else(|| as_text.then_some(DataType::Utf8));
        let Some(joined) = joined else {
            return Err(Error::MixedTypes {
                column: name.to_owned(),
                path: part.path.to_owned(),
                expected: common,
                found: found.clone(),
            });
        };
        if *found != DataType::Null {
            from_csv &= part.is_csv;
        }
        common = joined;
    }
    // Integers with nulls follow the rule within one file.
    Ok(match common {
        DataType::Int64 if from_csv && has_nulls => DataType::Float64,
        DataType::UInt64 if from_csv && has_nulls => DataType::Utf8,
        other => other,
    })
}

/// The narrowest type that holds the values of both; `None` when there is none without text.
fn widen(left: &DataType, right: &DataType) -> Option<DataType> {
    if left == right {
        return Some(left.clone());
    }
    match (left, right) {
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        (DataType::Dictionary(_, values), other) | (other, DataType::Dictionary(_, values)) => {
            widen(values, other)
        }
        _ if left.is_signed_integer() && right.is_signed_integer() => Some(DataType::Int64),
        _ if left.is_unsigned_integer() && right.is_unsigned_integer() => Some(DataType::UInt64),
        _ if left.is_numeric() && right.is_numeric() => {
            let narrow = |kind: &DataType| {
                matches!(kind, DataType::UInt8 | DataType::UInt16 | DataType::UInt32)
                    || kind.is_signed_integer()
            };
            Some(if narrow(left) && narrow(right) { DataType::Int64 } else { DataType::Float64 })
        }
        (DataType::Date32, DataType::Date64) | (DataType::Date64, DataType::Date32) => {
            Some(DataType::Date64)
        }
        (DataType::Timestamp(_, left_zone), DataType::Timestamp(_, right_zone))
            if left_zone == right_zone =>
        {
            Some(DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, left_zone.clone()))
        }
        _ => None,
    }
}
