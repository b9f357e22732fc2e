//! How many rows came in the windows of time before the one that is compared.

use chrono::{DateTime, Utc};
use trainyard_data::{RowFilter, STDIN, instant};
use trainyard_drift::Options;
use trainyard_engine::Source;

use super::log;
use super::source::{Data, Reading};
use crate::remote;

/// Shorter windows have as many rows as chance has it, in microseconds: an hour.
const LENGTH_MIN: i64 = 3_600_000_000;

/// Rows in `count` windows as long as that which the reading chooses, the last first; fewer where the data begin
/// later, none where no window is chosen or its source would have to be fetched again. One column is read for it.
pub(super) fn earlier(source: &str, reading: &Reading, count: u32, now: DateTime<Utc>) -> Vec<u64> {
    if source == STDIN || remote::is_remote(source) || Source::is_one(source) || count == 0 {
        return Vec::new();
    }
    counts(source, reading, count, now).unwrap_or_default()
}

fn counts(source: &str, reading: &Reading, count: u32, now: DateTime<Utc>) -> Option<Vec<u64>> {
    // A source without a column of time that is named is a prediction log.
    let rows = log::with_log_time(reading.rows.clone());
    let column = rows.time_column.clone()?;
    let start = instant(rows.since.as_deref()?)?;
    let end = rows.until.as_deref().map_or(Some(now.timestamp_micros()), instant)?;
    let length = end.checked_sub(start).filter(|length| *length >= LENGTH_MIN)?;
    let first = start.checked_sub(length.checked_mul(i64::from(count))?)?;
    let text = |micros| DateTime::from_timestamp_micros(micros).map(log::time);
    let rows = RowFilter { since: Some(text(first)?), until: Some(text(start)?), ..rows };
    let reading = Reading {
        columns: Some(vec![column.clone()]),
        rows,
        allow_no_rows: true,
        ..reading.clone()
    };
    let data = Data::open(source, &reading).ok()?;
    let memory = reading.memory.unwrap_or(u64::MAX);
    let times = data.column(&column, &Options::default(), memory).ok()??;
    let in_window = |number: i64| {
        let end = start - number * length;
        times.count_between((end - length) as f64, end as f64)
    };
    let mut windows: Vec<u64> = (0..i64::from(count)).map(in_window).collect();
    while windows.last() == Some(&0) {
        windows.pop();
    }
    // The data begin somewhere within the earliest.
    if windows.len() < count as usize {
        windows.pop();
    }
    Some(windows)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use trainyard_data::{Natural, ReadOptions};

    use super::*;

    #[test]
    fn rows_are_counted_by_window() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let mut text = String::from("x,time\n");
        // Ten rows a day from the 3rd to the 9th of January, two on the 8th.
        for day in 3..10 {
            for hour in 0..if day == 8 { 2 } else { 10 } {
                writeln!(text, "{hour},2026-01-{day:02} {hour:02}:00:00").unwrap();
            }
        }
        std::fs::write(&path, text).unwrap();
        let now = DateTime::parse_from_rfc3339("2026-01-10T00:00:00Z").unwrap().to_utc();
        let windows = |since: Option<&str>, until: Option<&str>, count: u32| {
            let rows = RowFilter {
                time_column: Some("time".to_owned()),
                since: since.map(str::to_owned),
                until: until.map(str::to_owned),
                conditions: Vec::new(),
            };
            let natural = Some(Natural::default());
            let text = ReadOptions { natural, ..ReadOptions::default() };
            let reading = Reading { rows, text: Box::new(text), ..Reading::default() };
            earlier(&path.to_string_lossy(), &reading, count, now)
        };
        assert_eq!(windows(Some("2026-01-09"), None, 3), [2, 10, 10]);
        assert_eq!(windows(Some("2026-01-09"), Some("2026-01-10"), 9), [2, 10, 10, 10, 10]);
        assert!(windows(None, None, 3).is_empty());
    }
}
