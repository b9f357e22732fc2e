//! The monitor step: production data against reference data.

mod bytes;
mod log;
mod project;
mod record;
mod remote;
mod settings;
mod source;
mod starter;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use trainyard_data::write_atomically;
use trainyard_drift::{
    Compat, DatasetDrift, Options, Profile, column_names, compare_columns, conclude, unreadable,
    with_pandas_types,
};
use trainyard_mlflow::uri::without_credentials;
use trainyard_report::drift::{self as report, Meta};

use crate::{Error, Result};

pub use bytes::Bytes;
pub use log::LogFilter;
pub use project::{monitor_project, options, report, served_version};
pub use record::log_run;
pub use settings::Settings;
pub use source::{Data, Reading, open, open_reference, read_profile};
pub use starter::starter;

pub(crate) use project::wait_for_log;

/// Two sides to compare.
#[derive(Debug)]
pub struct Sides {
    pub reference: Data,
    pub current: Data,
    pub meta: Meta,
}

/// A comparison and its reports.
#[derive(Debug, Clone)]
pub struct Monitored {
    pub drift: DatasetDrift,
    pub meta: Meta,
    /// The page, HTML.
    pub page: String,
    pub took: Duration,
}

/// Bytes that one row of one column takes while it is compared: as it is read, as it is sorted, and
/// the sort's second copy.
const BYTES_A_VALUE: u64 = 24;

/// Bytes to spend on data: what was asked for, or half of what is free.
pub fn memory(asked: Option<Bytes>) -> u64 {
    asked.map_or_else(bytes::half_of_free, |bytes| bytes.0)
}

/// Compares the sides column by column, as many at once as the memory allows, and draws the page.
/// `progress` is told how many columns of how many are done.
///
/// A prediction log holds no truth: columns that only the reference has (the target) are left out
/// then, not reported missing. A column that cannot be read fails; the others go on.
pub fn compare(
    sides: Sides,
    options: &Options,
    memory: u64,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Monitored> {
    let started = Instant::now();
    let Sides { reference, current, meta } = sides;
    let mut options = with_pandas_types(options, current.pandas());
    let (before, after) = (reference.names(), current.names());
    if log::is_prediction_log(after.iter().copied()) && options.columns.is_none() {
        let both = before.iter().filter(|name| after.contains(name));
        options.columns = Some(both.map(|name| (*name).to_owned()).collect());
    }
    if let Some(profile) = reference.profile()
        && options.compat != Compat::Evidently
    {
        options = profile.pinned(&options);
    }
    let names = column_names(before, after, &options);
    let rows = reference.rows() + current.rows();
    let threads = (memory / (rows * BYTES_A_VALUE).max(1))
        .clamp(1, rayon::current_num_threads() as u64) as usize;
    let memory = memory / threads as u64 / 2;
    let done = AtomicUsize::new(0);
    let column = |name: &String| {
        let read = |side: &Data| side.column(name, &options, memory);
        let drift = match rayon::join(|| read(&reference), || read(&current)) {
            (Ok(old), Ok(new)) => compare_columns(name, old.as_ref(), new.as_ref(), &options),
            (Err(error), _) | (_, Err(error)) => unreadable(name, &error.message(), &options),
        };
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, names.len());
        drift
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Error::io("threads", std::io::Error::other(error)))?;
    let columns = pool.install(|| names.par_iter().map(column).collect());
    let drift = conclude(columns, reference.rows(), current.rows(), &options);
    let page = report::page(&drift, &meta);
    Ok(Monitored { drift, meta, page, took: started.elapsed() })
}

/// All of a side, sorted or counted; of a profile, what it holds already.
pub fn profile(data: &Data, options: &Options) -> Result<Profile> {
    if let Some(profile) = data.profile() {
        return Ok(profile.clone());
    }
    let names: Vec<&str> = data.names();
    let columns = column_names(names.iter().copied(), [], options);
    let columns = columns
        .into_par_iter()
        .filter(|name| names.contains(&name.as_str()))
        .filter_map(|name| match data.column(&name, &Options::default(), u64::MAX) {
            Ok(column) => column.map(|column| Ok((name, column))),
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Profile::from_columns(data.rows(), columns))
}

/// Writes a profile; it appears whole or not at all. Returns its bytes.
pub fn write_profile(path: &Path, profile: &Profile) -> Result<u64> {
    let mut bytes = Vec::new();
    profile.write(&mut bytes).map_err(|source| Error::Profile { path: path.to_owned(), source })?;
    write_atomically(path, |file| file.write_all(&bytes))?;
    Ok(bytes.len() as u64)
}

/// Writes the metrics of a comparison for Prometheus' textfile collector, which must never see half
/// a file.
pub fn write_metrics(path: &Path, monitored: &Monitored) -> Result<()> {
    let metrics = report::prometheus(&monitored.drift, &monitored.meta);
    Ok(write_atomically(path, |file| file.write_all(metrics.as_bytes()))?)
}

/// The head of a report.
pub fn meta(title: &str, reference: &str, current: &str, time: DateTime<Utc>) -> Meta {
    Meta {
        title: title.to_owned(),
        reference: without_credentials(reference),
        current: without_credentials(current),
        time: time.format("%Y-%m-%d %H:%M UTC").to_string(),
    }
}

/// Writes a page, with the folder it lies in.
pub fn write_page(path: &Path, page: &str) -> Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
    }
    std::fs::write(path, page).map_err(|source| Error::io(path, source))
}
