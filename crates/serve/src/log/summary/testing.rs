//! What tests of summaries share: segments of a small log, and looks at them.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, UNIX_EPOCH};

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION, REQUEST_ID, TIME};

use super::super::segment::Segment;
use super::all::LogSummaries;
use super::file::HOUR_MS;
use super::keeper::{Keeper, LOOK_EVERY};
use crate::disk_quota::DiskQuota;
use crate::options::LogOptions;

/// A row for each of so many seconds from this minute on.
pub(super) fn table(minute: i64, version: &str, seconds: i64) -> RecordBatch {
    let begins = minute * 60_000;
    let times: Vec<i64> = (0..seconds).map(|second| begins + second * 1000).collect();
    let of = |text: &str| Arc::new(StringArray::from(vec![text; times.len()])) as ArrayRef;
    let ids = times.iter().map(|time| format!("{version}-{time}"));
    let values = times.iter().map(|time| (time % 7919) as f64);
    let columns: [(&str, ArrayRef); 7] = [
        (REQUEST_ID, Arc::new(StringArray::from_iter_values(ids.clone()))),
        (TIME, Arc::new(TimestampMillisecondArray::from(times.clone()).with_timezone("UTC"))),
        (MODEL, of("iris")),
        (MODEL_VERSION, of(version)),
        ("x", Arc::new(Float64Array::from_iter_values(values))),
        ("side", of("left")),
        ("free text", Arc::new(StringArray::from_iter_values(ids))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A segment that was begun in this minute, with a row for each second of two minutes.
pub(super) fn segment(dir: &Path, minute: i64, version: &str) -> String {
    let rows = table(minute, version, 120);
    let begins = minute * 60_000;
    let name = format!("predictions-{begins:013}-7-00000000-{version:0>6}.parquet");
    let mut segment = Segment::at(&dir.join(&name), rows.schema()).unwrap();
    segment.write(&rows).unwrap();
    segment.close().unwrap();
    name
}

pub(super) fn keeper(dir: &Path) -> Keeper {
    let log = LogOptions::new(dir);
    Keeper::new(&log, Arc::new(DiskQuota::new(&log)), Arc::default())
}

/// Looks until nothing is due at this minute.
pub(super) fn look(keeper: &Keeper, minute: u64) {
    let now = UNIX_EPOCH + Duration::from_mins(minute);
    let (_alive, stopped) = sync_channel(0);
    while keeper.look(now, &stopped).unwrap() != LOOK_EVERY {}
}

pub(super) fn summaries(dir: &Path) -> LogSummaries {
    LogSummaries::read(dir, 0..i64::MAX).unwrap()
}

pub(super) fn rows(dir: &Path) -> Vec<(i64, String, u64)> {
    let all = summaries(dir).parts.into_iter();
    all.map(|one| (one.begins_ms / HOUR_MS, one.version, one.rows)).collect()
}
