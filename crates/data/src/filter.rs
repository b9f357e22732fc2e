//! Which rows of a table are kept: a window of time and a few simple comparisons.

use std::cmp::Ordering;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch};
use arrow_cast::parse::string_to_timestamp_nanos;
use arrow_schema::{DataType, TimeUnit};

use crate::csv::value::boolean;
use crate::error::{Error, Result, list_names, shorten};

/// Which rows are kept. The default keeps all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// The column that `since` and `until` look at: timestamps, dates, or text in ISO 8601.
    pub time_column: Option<String>,
    /// Earliest time that is kept (`2026-01-31`, `2026-01-31T12:00:00Z`; without a zone it is UTC).
    pub since: Option<String>,
    /// First time that is not kept any more.
    pub until: Option<String>,
    /// Comparisons that must all hold: `column = value`, `!=`, `<`, `<=`, `>`, `>=`; `column = null`.
    /// Nulls satisfy no other comparison. Names and values with blanks or signs go in double quotes.
    pub conditions: Vec<String>,
}

/// A comparison, taken apart.
struct Condition<'a> {
    text: &'a str,
    column: String,
    operator: Operator,
    value: String,
    /// `null` without quotes.
    is_null: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// Spellings, longer ones first.
const OPERATORS: [(&str, Operator); 7] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessEqual),
    (">=", Operator::GreaterEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Operator {
    /// Values that cannot be compared (NaN) are only unequal.
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl RowFilter {
    /// Whether every row is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.conditions.is_empty()
    }

    /// The columns that must be read to decide.
    pub(crate) fn columns(&self) -> Result<Vec<String>> {
        let mut columns = Vec::new();
        if self.since.is_some() || self.until.is_some() {
            columns.push(self.time_column()?.to_owned());
        }
        for text in &self.conditions {
            columns.push(parse(text)?.column);
        }
        Ok(columns)
    }

    fn time_column(&self) -> Result<&str> {
        self.time_column.as_deref().ok_or_else(|| Error::Condition {
            condition: self.since.clone().or_else(|| self.until.clone()).unwrap_or_default(),
            reason: "a window of time needs a column that holds the time".to_owned(),
            hint: "name it as the time column".to_owned(),
        })
    }

    /// Keeps the rows that satisfy everything.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        arrow_select::filter::filter_record_batch(batch, &self.kept(batch)?)
            .map_err(|source| Error::arrow("the filtered table".as_ref(), source))
    }

    /// Which rows satisfy everything.
    pub(crate) fn kept(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let mut keep = vec![true; batch.num_rows()];
        for (bound, operator) in
            [(&self.since, Operator::GreaterEqual), (&self.until, Operator::Less)]
        {
            if let Some(value) = bound {
                let column = self.time_column()?.to_owned();
                let is_null = false;
                let condition =
                    Condition { text: value, column, operator, value: value.clone(), is_null };
                let array = column_of(batch, &condition)?;
                let wanted = time(&condition.value)
                    .ok_or_else(|| not_comparable(&condition, array.data_type()))?;
                narrow(&mut keep, &times(array, &condition)?, |found| {
                    operator.holds(Some(found.cmp(&wanted)))
                });
            }
        }
        for text in &self.conditions {
            apply_condition(&mut keep, batch, &parse(text)?)?;
        }
        Ok(BooleanArray::from(keep))
    }
}

/// Takes a comparison apart.
fn parse(text: &str) -> Result<Condition<'_>> {
    let wrong = |reason: &str| Error::Condition {
        condition: text.to_owned(),
        reason: reason.to_owned(),
        hint: "write: column = value, with = != < <= > >=; names with signs in double quotes"
            .to_owned(),
    };
    let trimmed = text.trim();
    let (column, rest) = if let Some(quoted) = trimmed.strip_prefix('"') {
        quoted.split_once('"').ok_or_else(|| wrong("the quoted name is not closed"))?
    } else {
        let at = trimmed.find(['=', '!', '<', '>']).ok_or_else(|| wrong("it has no comparison"))?;
        trimmed.split_at(at)
    };
    let (column, rest) = if trimmed.starts_with('"') {
        (column, rest.trim_start())
    } else {
        (column.trim_end(), rest)
    };
    let (sign, operator) = OPERATORS
        .iter()
        .find(|(sign, _)| rest.starts_with(sign))
        .ok_or_else(|| wrong("it has no comparison"))?;
    let raw = rest.strip_prefix(sign).unwrap_or(rest).trim();
    if column.is_empty() || raw.is_empty() {
        return Err(wrong("a column or a value is missing"));
    }
    let unquoted = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    let is_null = raw == "null";
    if is_null && !matches!(operator, Operator::Equal | Operator::NotEqual) {
        return Err(wrong("null is neither less nor greater than anything"));
    }
    Ok(Condition {
        text,
        column: column.to_owned(),
        operator: *operator,
        value: unquoted.unwrap_or(raw).to_owned(),
        is_null,
    })
}

fn column_of<'a>(batch: &'a RecordBatch, condition: &Condition<'_>) -> Result<&'a ArrayRef> {
    batch.column_by_name(&condition.column).ok_or_else(|| {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        Error::Condition {
            condition: condition.text.to_owned(),
            reason: format!("there is no column {:?}", condition.column),
            hint: format!("the columns are {}", list_names(names)),
        }
    })
}

fn not_comparable(condition: &Condition<'_>, data_type: &DataType) -> Error {
    Error::Condition {
        condition: condition.text.to_owned(),
        reason: format!(
            "{:?} cannot be compared with column {:?} ({data_type})",
            condition.value, condition.column
        ),
        hint: "numbers compare with numbers, times with ISO 8601 times, text with text".to_owned(),
    }
}

/// Drops the rows whose value is null or does not satisfy the test.
fn narrow<T>(keep: &mut [bool], values: &[Option<T>], holds: impl Fn(&T) -> bool) {
    for (keep, value) in keep.iter_mut().zip(values) {
        *keep = *keep && value.as_ref().is_some_and(&holds);
    }
}

fn apply_condition(
    keep: &mut [bool],
    batch: &RecordBatch,
    condition: &Condition<'_>,
) -> Result<()> {
    let array = column_of(batch, condition)?;
    let operator = condition.operator;
    let data_type = array.data_type();
    let refused = || not_comparable(condition, data_type);
    if condition.is_null {
        for (row, keep) in keep.iter_mut().enumerate() {
            *keep = *keep && array.is_null(row) == (operator == Operator::Equal);
        }
        return Ok(());
    }
    match data_type {
        DataType::Boolean => {
            let wanted = boolean(condition.value.as_bytes()).ok_or_else(refused)?;
            let values: Vec<Option<bool>> = array.as_boolean().iter().collect();
            narrow(keep, &values, |found| operator.holds(Some(found.cmp(&wanted))));
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let wanted = time(&condition.value).ok_or_else(refused)?;
            let values = times(array, condition)?;
            narrow(keep, &values, |found| operator.holds(Some(found.cmp(&wanted))));
        }
        _ if data_type.is_integer() && condition.value.parse::<i128>().is_ok() => {
            let wanted = condition.value.parse::<i128>().map_err(|_| refused())?;
            let values = integers(array, condition)?;
            narrow(keep, &values, |found| operator.holds(Some(found.cmp(&wanted))));
        }
        _ if data_type.is_numeric() || matches!(data_type, DataType::Decimal128(..)) => {
            let wanted: f64 = condition.value.parse().map_err(|_| refused())?;
            let floats = cast(array, &DataType::Float64, condition)?;
            let values: Vec<Option<f64>> = floats.as_primitive::<Float64Type>().iter().collect();
            narrow(keep, &values, |found| operator.holds(found.partial_cmp(&wanted)));
        }
        DataType::Utf8 | DataType::Dictionary(..) => {
            let texts = cast(array, &DataType::Utf8, condition)?;
            let values: Vec<Option<&str>> = texts.as_string::<i32>().iter().collect();
            let wanted = condition.value.as_str();
            narrow(keep, &values, |found| operator.holds(Some((*found).cmp(wanted))));
        }
        _ => return Err(refused()),
    }
    Ok(())
}

fn cast(array: &ArrayRef, target: &DataType, condition: &Condition<'_>) -> Result<ArrayRef> {
    arrow_cast::cast(array, target).map_err(|_| not_comparable(condition, array.data_type()))
}

/// Integers of any width, exactly.
fn integers(array: &ArrayRef, condition: &Condition<'_>) -> Result<Vec<Option<i128>>> {
    if array.data_type().is_unsigned_integer() {
        let wide = cast(array, &DataType::UInt64, condition)?;
        return Ok(wide.as_primitive::<UInt64Type>().iter().map(|v| v.map(i128::from)).collect());
    }
    let wide = cast(array, &DataType::Int64, condition)?;
    Ok(wide.as_primitive::<Int64Type>().iter().map(|v| v.map(i128::from)).collect())
}

/// Nanoseconds since 1970 of a time in ISO 8601.
fn time(text: &str) -> Option<i128> {
    string_to_timestamp_nanos(text.trim()).ok().map(i128::from)
}

/// Nanoseconds since 1970 of a column that holds times.
fn times(array: &ArrayRef, condition: &Condition<'_>) -> Result<Vec<Option<i128>>> {
    let scale: i128 = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
        DataType::Date32 => 86_400_000_000_000,
        DataType::Utf8 | DataType::Dictionary(..) => return text_times(array, condition),
        other => {
            return Err(Error::Condition {
                condition: condition.text.to_owned(),
                reason: format!("column {:?} ({other}) holds no times", condition.column),
                hint: "timestamps, dates and text in ISO 8601 are times".to_owned(),
            });
        }
    };
    let plain = match array.data_type() {
        // Days are 32 bits wide and only reach 64 by way of their number.
        DataType::Date32 => cast(array, &DataType::Int32, condition)?,
        _ => ArrayRef::clone(array),
    };
    let ticks = cast(&plain, &DataType::Int64, condition)?;
    let ticks = ticks.as_primitive::<Int64Type>();
    Ok(ticks.iter().map(|tick| tick.map(|tick| i128::from(tick) * scale)).collect())
}

fn text_times(array: &ArrayRef, condition: &Condition<'_>) -> Result<Vec<Option<i128>>> {
    let texts = cast(array, &DataType::Utf8, condition)?;
    let read = |(row, text): (usize, Option<&str>)| {
        let Some(text) = text else { return Ok(None) };
        time(text).map(Some).ok_or_else(|| Error::Condition {
            condition: condition.text.to_owned(),
            reason: format!(
                "{:?} in row {} of column {:?} is no time",
                shorten(text),
                row + 1,
                condition.column
            ),
            hint: "times are written 2026-01-31 or 2026-01-31T12:00:00Z".to_owned(),
        })
    };
    texts.as_string::<i32>().iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use trainyard_base::Advise as _;

    use super::*;
    use crate::{ReadOptions, read_csv_text};

    fn kept(filter: &RowFilter) -> Result<String> {
        let text = b"id,x,name,ok,at,big\n1,0.5,a b,True,2026-01-01,9007199254740993\n2,,b,False,2026-01-02T12:00:00Z,9007199254740992\n3,-3,,True,2026-01-03 00:00:00,1\n";
        let batch = read_csv_text("t.csv", text, &ReadOptions::default())?;
        let ids = filter.apply(&batch)?;
        let ids = ids.column(0).as_primitive::<Int64Type>();
        Ok(ids.values().iter().map(i64::to_string).collect::<Vec<_>>().join(","))
    }

    fn check(condition: &str, expected: &str) {
        let filter = RowFilter { conditions: vec![condition.to_owned()], ..RowFilter::default() };
        assert_eq!(kept(&filter).unwrap(), expected, "{condition}");
    }

    #[test]
    fn comparisons() {
        check("x > 0", "1");
        check("x<=0.5", "1,3");
        check("x = null", "2");
        check("x != null", "1,3");
        check("name == \"a b\"", "1");
        check("name != b", "1");
        check("\"name\" >= b", "2");
        check("ok = true", "1,3");
        check("id != 2", "1,3");
        check("id < 2.5", "1,2");
        // Beyond the integers that a float holds.
        check("big = 9007199254740993", "1");
        check("at = 2026-01-01", "1");
    }

    #[test]
    fn windows_include_their_start_and_not_their_end() {
        let window = |since: Option<&str>, until: Option<&str>| {
            kept(&RowFilter {
                time_column: Some("at".to_owned()),
                since: since.map(str::to_owned),
                until: until.map(str::to_owned),
                conditions: Vec::new(),
            })
            .unwrap()
        };
        assert_eq!(window(Some("2026-01-02"), None), "2,3");
        assert_eq!(window(None, Some("2026-01-03")), "1,2");
        assert_eq!(window(Some("2026-01-02T12:00:00Z"), Some("2026-01-02T13:00:00+00:30")), "2");
    }

    #[test]
    fn mistakes_are_named() {
        let fails = |condition: &str, part: &str| {
            let filter =
                RowFilter { conditions: vec![condition.to_owned()], ..RowFilter::default() };
            let text = kept(&filter).unwrap_err().with_hint();
            assert!(text.contains(part) && text.contains("\nhint: "), "{condition}: {text}");
        };
        fails("x", "it has no comparison");
        fails("y = 1", "there is no column \"y\"");
        fails("x = abc", "\"abc\" cannot be compared with column \"x\" (Float64)");
        fails("x < null", "neither less nor greater");
        fails("\"x = 1", "not closed");
        fails("x =", "a value is missing");
        let filter = RowFilter { since: Some("2026".to_owned()), ..RowFilter::default() };
        assert!(kept(&filter).unwrap_err().with_hint().contains("time column"));
        let filter = RowFilter {
            time_column: Some("name".to_owned()),
            since: Some("2026-01-01".to_owned()),
            ..RowFilter::default()
        };
        let text = kept(&filter).unwrap_err().to_string();
        assert!(text.contains("\"a b\" in row 1 of column \"name\" is no time"), "{text}");
    }
}
