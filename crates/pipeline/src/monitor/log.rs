//! The prediction log as data: which columns and rows of it count.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use chrono::{DateTime, SecondsFormat, Utc};
use trainyard_base::words::log_columns::{MODEL_VERSION, TIME};
use trainyard_data::{ReadOptions, RowFilter};

use crate::{Error, Result};

/// Which rows of a prediction log count.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogFilter {
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
    /// Both filters together.
    pub(super) fn over(&self, rows: &RowFilter) -> RowFilter {
        let mut rows = rows.clone();
        if let Some(version) = &self.version {
            rows.conditions.push(format!("\"{MODEL_VERSION}\" = \"{version}\""));
        }
        if rows.since.is_none() {
            rows.since = self.since.map(time);
        }
        with_log_time(rows)
    }
}

/// The filter with the log's own time where none is named.
pub(super) fn with_log_time(mut rows: RowFilter) -> RowFilter {
    if rows.since.is_some() || rows.until.is_some() {
        rows.time_column.get_or_insert_with(|| TIME.to_owned());
    }
    rows
}

/// What model servers logged in this folder, as far as the filter wants it; none if that is nothing.
///
/// Segments are read one by one: those of other versions may have other columns.
pub(super) fn read(folder: &Path, rows: &RowFilter) -> Result<Option<RecordBatch>> {
    if !folder.is_dir() {
        return Ok(None);
    }
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
