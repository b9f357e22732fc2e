//! The prediction log as data: which columns and rows of it count.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION, TIME};
use trainyard_data::{ReadOptions, RowFilter};
use trainyard_serve::LogReading;

use crate::{Error, Result};

/// Segments that are looked through for the last rows: a quiet service closes one a minute, with a row each.
const SEGMENTS_MAX: usize = 2_000;

/// Which rows of a prediction log count.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogFilter {
    /// Only what this model predicted: a server may have others beside it, with versions of the same numbers.
    pub(crate) model: Option<String>,
    /// Only what this version predicted.
    pub(crate) version: Option<String>,
    /// Only what was predicted at this time or later.
    pub(crate) since: Option<DateTime<Utc>>,
}

/// Whether a table with these columns was written by a model server.
pub(super) fn is_prediction_log<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| name == MODEL_VERSION)
}

/// A time as row filters take it.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl LogFilter {
    /// The filter as one of rows.
    pub(crate) fn rows(&self) -> RowFilter {
        self.over(&RowFilter::default())
    }

    /// Both filters together: of two times from which on rows count the later.
    pub(super) fn over(&self, rows: &RowFilter) -> RowFilter {
        let mut rows = rows.clone();
        for (column, value) in [(MODEL, &self.model), (MODEL_VERSION, &self.version)] {
            if let Some(value) = value {
                let value = value.replace('"', "\"\"");
                rows.conditions.push(format!("\"{column}\" = \"{value}\""));
            }
        }
        if let Some(since) = self.since {
            let is_later = |given: &String| parsed(given).is_none_or(|given| given > since);
            rows.since = rows.since.filter(is_later).or_else(|| Some(time(since)));
        }
        with_log_time(rows)
    }
}

/// A time as users write it; what cannot be read here is refused where rows are chosen.
fn parsed(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN));
    let time = text.parse::<NaiveDateTime>().ok().or_else(day)?;
    Some(time.and_utc())
}

/// The filter with the log's own time where none is named.
pub(super) fn with_log_time(mut rows: RowFilter) -> RowFilter {
    if rows.since.is_some() || rows.until.is_some() {
        rows.time_column.get_or_insert_with(|| TIME.to_owned());
    }
    rows
}

/// The last rows that model servers logged in this folder, at most so many, as tables from the newest on; no
/// more of the folder is read than that takes.
pub(crate) fn last(folder: &Path, rows: &RowFilter, rows_max: usize) -> Result<Vec<RecordBatch>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let _reading = LogReading::begin(folder);
    let mut files = match trainyard_data::files(&folder.to_string_lossy()) {
        Ok(files) => files,
        Err(trainyard_data::Error::NoFiles { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    // A segment has the time of its beginning in its name.
    files.sort_by(|left, right| right.file_name().cmp(&left.file_name()));
    let options = ReadOptions { rows: rows.clone(), allow_no_rows: true, ..ReadOptions::default() };
    let (mut tables, mut left) = (Vec::new(), rows_max);
    for file in files.into_iter().take(SEGMENTS_MAX) {
        if left == 0 {
            break;
        }
        // Feedback is in the same folder.
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("predictions-") {
            continue;
        }
        let segment = trainyard_data::read(&file.to_string_lossy(), &options)?;
        let taken = segment.num_rows().min(left);
        if taken > 0 {
            tables.push(segment.slice(segment.num_rows() - taken, taken));
            left -= taken;
        }
    }
    Ok(tables)
}

/// What model servers logged in this folder, as far as the filter wants it; none if that is nothing.
///
/// Segments are read one by one: those of other versions may have other columns.
pub(super) fn read(folder: &Path, rows: &RowFilter) -> Result<Option<RecordBatch>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let _reading = LogReading::begin(folder);
    let files = match trainyard_data::files(&folder.to_string_lossy()) {
        Ok(files) => files,
        // The first segment is not there yet.
        Err(trainyard_data::Error::NoFiles { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let options = ReadOptions { rows: rows.clone(), allow_no_rows: true, ..ReadOptions::default() };
    let mut parts = Vec::new();
    for file in files {
        let segment = trainyard_data::read(&file.to_string_lossy(), &options)?;
        if segment.num_rows() > 0 {
            parts.push(segment);
        }
    }
    let Some(first) = parts.first() else { return Ok(None) };
    let schema = first.schema();
    concat_batches(&schema, &parts).map(Some).map_err(|error| Error::Missing {
        what: format!("the prediction log cannot be read: {error}"),
        hint: "is the folder written by `trainyard serve` alone?".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_several_models_is_read_by_name_and_version() {
        let model = Some("Iris \"new\"".to_owned());
        let filter = LogFilter { model, version: Some("3".to_owned()), since: None };
        let name = r#""trainyard.model" = "Iris ""new""""#;
        let version = r#""trainyard.model_version" = "3""#;
        assert_eq!(filter.rows().conditions, [name, version]);
    }

    #[test]
    fn of_two_windows_the_smaller_counts() {
        let since = DateTime::parse_from_rfc3339("2026-03-08T12:00:00Z").unwrap().to_utc();
        let over = |given: Option<&str>, since| {
            let rows = RowFilter { since: given.map(str::to_owned), ..RowFilter::default() };
            LogFilter { since, ..LogFilter::default() }.over(&rows).since
        };
        let mine = Some("2026-03-08T12:00:00.000Z".to_owned());
        assert_eq!(over(None, Some(since)), mine);
        for earlier in ["2026-03-01", "2026-03-08T11:59:59", "2026-03-08T13:00:00+02:00"] {
            assert_eq!(over(Some(earlier), Some(since)), mine, "{earlier}");
        }
        for later in ["2026-03-09", "2026-03-08T12:00:01Z", "soon"] {
            assert_eq!(over(Some(later), Some(since)).as_deref(), Some(later));
        }
        assert_eq!(over(Some("2026-03-01"), None).as_deref(), Some("2026-03-01"));
        assert_eq!(over(None, None), None);
    }
}
