//! Moments in a column: dates, times, or numbers that grow with time (a year, seconds since an epoch).

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::column::Column;
use crate::columns::named;
use crate::{Error, Result};

/// The moments of a table's rows, in order.
pub(crate) struct Moments {
    /// Microseconds since 1970 (UTC where nothing else is said), or numbers. Microseconds are exact in a
    /// double for two hundred years to come.
    pub(crate) values: Vec<f64>,
    are_times: bool,
    column: String,
}

impl Moments {
    /// Reads a column; every row must have a moment.
    pub(crate) fn read(table: &RecordBatch, column: &str) -> Result<Self> {
        let chosen = named(table, &[column.to_owned()], "column of the holdout")?;
        let array = chosen.column(0);
        let missing = |rows: &mut dyn Iterator<Item = usize>| match rows.next() {
            None => Ok(()),
            Some(first) => Err(Error::NoSide {
                column: column.to_owned(),
                row: first + 1,
                count: 1 + rows.count(),
            }),
        };
        if let DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) = array.data_type() {
            let zone = match array.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            missing(&mut (0..array.len()).filter(|&row| array.is_null(row)))?;
            let array = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
            let values = array.as_primitive::<TimestampMicrosecondType>().values();
            let values = values.iter().map(|&micros| micros as f64).collect();
            return Ok(Self { values, are_times: true, column: column.to_owned() });
        }
        let read = Column::read(column, array)?;
        missing(&mut read.missing())?;
        let are_times = matches!(read, Column::Text(_));
        let moment = |row: usize| {
            let value = if are_times { parse(&read.text(row)) } else { read.number(row) };
            value.ok_or_else(|| Error::NoMoment {
                what: format!("column {column:?}, row {}", row + 1),
                value: read.text(row),
            })
        };
        let values = (0..read.len()).map(moment).collect::<Result<_>>()?;
        Ok(Self { values, are_times, column: column.to_owned() })
    }

    /// What a text means beside these moments.
    pub(crate) fn parse(&self, text: &str) -> Result<f64> {
        let value = if self.are_times { parse(text) } else { text.trim().parse().ok() };
        value.filter(|value| value.is_finite()).ok_or_else(|| Error::NoMoment {
            what: format!("the holdout by column {:?}", self.column),
            value: text.to_owned(),
        })
    }

    /// A moment as [`Self::parse`] reads it.
    pub(crate) fn text(&self, value: f64) -> String {
        let time = DateTime::from_timestamp_micros(value as i64).filter(|_| self.are_times);
        match time {
            Some(time) if time.time() == NaiveTime::MIN => time.format("%Y-%m-%d").to_string(),
            Some(time) => time.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            None => value.to_string(),
        }
    }
}

/// Microseconds since 1970 of a date or time in ISO 8601, or as databases write it; UTC without a zone.
fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let micros = |time: NaiveDateTime| time.and_utc().timestamp_micros();
    let zoned = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let time = |text: &str| {
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    };
    let date = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let micros = zoned(text)
        .map(|time| time.timestamp_micros())
        .or_else(|| time(text).map(micros))
        .or_else(|| date(text).map(|date| micros(date.and_time(NaiveTime::MIN))))?;
    Some(micros as f64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray};

    use super::*;

    fn moments(array: ArrayRef) -> Result<Moments> {
        Moments::read(&RecordBatch::try_from_iter([("when", array)]).unwrap(), "when")
    }

    #[test]
    fn dates_times_and_numbers_are_moments() {
        let texts = moments(Arc::new(StringArray::from(vec![
            "1970-01-02",
            "1970-01-01 00:00:01",
            "1970-01-01T02:00:00.5+02:00",
        ])))
        .unwrap();
        assert_eq!(texts.values, [86_400e6, 1e6, 5e5]);
        for (value, text) in texts.values.iter().zip(["1970-01-02", "1970-01-01T00:00:01"]) {
            assert_eq!(texts.text(*value), text);
            assert_eq!(texts.parse(text).unwrap(), *value);
        }
        let days = moments(Arc::new(Date32Array::from(vec![1]))).unwrap();
        assert_eq!(days.values, [86_400e6]);
        let years = moments(Arc::new(Int64Array::from(vec![2025, 2026]))).unwrap();
        assert_eq!(years.parse("2025").unwrap(), 2025.0);
        assert_eq!(years.text(2025.0), "2025");
    }

    #[test]
    fn what_is_no_moment_is_named() {
        let error = moments(Arc::new(StringArray::from(vec!["2026-09-01", "9/1/26"]))).err();
        let error = error.unwrap().to_string();
        assert!(error.contains("row 2") && error.contains("9/1/26"), "{error}");
        let gap: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, None]));
        let error = moments(gap).err().unwrap().to_string();
        assert!(error.contains("2 rows without a value, the first in row 2"), "{error}");
        let years = moments(Arc::new(Int64Array::from(vec![2025]))).unwrap();
        assert!(years.parse("2026-09-01").is_err());
    }
}
