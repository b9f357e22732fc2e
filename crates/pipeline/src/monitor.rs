//! The monitor step: production data against reference data.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use chrono::{DateTime, Utc};
use trainyard_data::ReadOptions;
use trainyard_drift::{DatasetDrift, Options};
use trainyard_mlflow::entities::{KeyValue, Metric, RunStatus};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{
    CreateRun, LogBatch, Tracking, UpdateRun, artifacts,
    resolve::{self, ResolvedModel},
};
use trainyard_report::drift::{self as report, Meta};

use crate::temporary::TemporaryFolder;
use crate::{Error, Result};

/// Where training puts the data it learned from, below the run's artifacts.
pub const REFERENCE_ARTIFACT: &str = "train_reference.parquet";

/// Columns that a prediction log has beside the model's own.
const LOG_VERSION: &str = "trainyard.model_version";
const LOG_TIME: &str = "trainyard.time";

/// Two sides to compare.
#[derive(Debug, Clone)]
pub struct Sides {
    pub reference: RecordBatch,
    pub current: RecordBatch,
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

/// Which rows of a prediction log count.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Only what this version predicted.
    pub version: Option<String>,
    /// Only what was predicted at this time or later.
    pub since: Option<DateTime<Utc>>,
}

/// Compares the sides and draws the page. A prediction log holds no truth: columns that only the
/// reference has (the target) are left out then, not reported missing.
pub fn compare(sides: Sides, options: &Options) -> Monitored {
    let started = Instant::now();
    let mut options = options.clone();
    if is_prediction_log(&sides.current) && options.columns.is_none() {
        let current = sides.current.schema();
        let names = sides.reference.schema();
        options.columns = Some(
            names
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .filter(|name| current.column_with_name(name).is_some())
                .collect(),
        );
    }
    let drift = trainyard_drift::compare(&sides.reference, &sides.current, &options);
    let page = report::page(&drift, &sides.meta);
    Monitored { drift, meta: sides.meta, page, took: started.elapsed() }
}

/// Whether the table was written by a model server.
pub fn is_prediction_log(table: &RecordBatch) -> bool {
    table.schema_ref().column_with_name(LOG_VERSION).is_some()
}

/// Reads reference data: a file, folder or glob, or `models:/…`, which means the data that the
/// model's run logged.
pub async fn read_reference(
    tracking: Option<&dyn Tracking>,
    source: &str,
    state: &Path,
) -> Result<RecordBatch> {
    if !source.starts_with("models:/") && !source.starts_with("runs:/") {
        return Ok(trainyard_data::read(source, &ReadOptions::default())?);
    }
    let tracking = tracking.ok_or_else(|| Error::Missing {
        what: format!("{source} needs a tracking server"),
        hint: "set MLFLOW_TRACKING_URI".to_owned(),
    })?;
    let uri: ModelUri = source.parse()?;
    let resolved = resolve::resolve(tracking, &uri).await?;
    reference_of(tracking, &resolved, source, state).await
}

/// The reference data that the run of a model logged.
pub(crate) async fn reference_of(
    tracking: &dyn Tracking,
    model: &ResolvedModel,
    name: &str,
    state: &Path,
) -> Result<RecordBatch> {
    let missing = || Error::Missing {
        what: format!("no reference data was logged with {name}"),
        hint: format!("log {REFERENCE_ARTIFACT} with its run, or give --reference FILE"),
    };
    let run_id = model.run_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(missing)?;
    let run = tracking.get_run(run_id).await?;
    let folder = TemporaryFolder::new(state)?;
    let target = folder.path().join(REFERENCE_ARTIFACT);
    let found = download(tracking, &run.info.artifact_uri, REFERENCE_ARTIFACT, &target).await;
    match found {
        Ok(()) => Ok(trainyard_data::read(&target.to_string_lossy(), &ReadOptions::default())?),
        Err(Error::Mlflow(error)) if error.is_not_found() => Err(missing()),
        Err(error) => Err(error),
    }
}

async fn download(tracking: &dyn Tracking, root: &str, path: &str, target: &PathBuf) -> Result<()> {
    use futures::StreamExt as _;
    use tokio::io::AsyncWriteExt as _;

    let mut body = tracking.download_artifact(root, path).await?;
    let failed = |source| Error::io(target, source);
    let mut file = tokio::fs::File::create(target).await.map_err(failed)?;
    while let Some(chunk) = body.next().await {
        file.write_all(&chunk?).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}

/// Keeps the rows of a prediction log that the filter wants; other tables stay as they are.
pub fn filter_log(table: &RecordBatch, filter: &LogFilter) -> Result<RecordBatch> {
    if !is_prediction_log(table) {
        return Ok(table.clone());
    }
    let rows = table.num_rows();
    let mut keep = vec![true; rows];
    if let (Some(version), Some(column)) = (&filter.version, table.column_by_name(LOG_VERSION)) {
        let text = arrow_cast::cast(column, &arrow_schema::DataType::Utf8).map_err(log_error)?;
        let versions = text.as_string::<i32>();
        for (row, keep) in keep.iter_mut().enumerate() {
            *keep &= versions.is_valid(row) && versions.value(row) == version;
        }
    }
    if let (Some(since), Some(column)) = (&filter.since, table.column_by_name(LOG_TIME)) {
        let millis = arrow_schema::DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, None);
        let times = arrow_cast::cast(column, &millis).map_err(log_error)?;
        let times = times.as_primitive::<arrow_array::types::TimestampMillisecondType>();
        for (row, keep) in keep.iter_mut().enumerate() {
            *keep &= times.is_valid(row) && times.value(row) >= since.timestamp_millis();
        }
    }
    filter_record_batch(table, &BooleanArray::from(keep)).map_err(log_error)
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
pub(crate) fn log_error(error: arrow_schema::ArrowError) -> Error {
    Error::Missing {
        what: format!("the prediction log cannot be read: {error}"),
        hint: "is the folder written by `trainyard serve` alone?".to_owned(),
    }
}

/// Logs a comparison as a run: scores as metrics, the page and the JSON as artifacts. Returns the
/// run's id.
pub async fn log(
    tracking: &dyn Tracking,
    experiment: &str,
    monitored: &Monitored,
    tags: Vec<KeyValue>,
    now: DateTime<Utc>,
) -> Result<String> {
    let experiment_id = trainyard_train::experiment(tracking, experiment).await?;
    let time = now.timestamp_millis();
    let run = tracking
        .create_run(CreateRun {
            experiment_id,
            user_id: "trainyard".to_owned(),
            run_name: Some(format!("monitor-{}", now.format("%Y%m%d-%H%M%S"))),
            start_time: time,
            tags: [KeyValue::new("mlflow.source.name", "trainyard monitor")]
                .into_iter()
                .chain(tags)
                .collect(),
        })
        .await?;
    let run_id = run.info.run_id;
    let metrics = metrics_of(&monitored.drift, time);
    for chunk in metrics.chunks(BATCH_MAX) {
        let batch = LogBatch { metrics: chunk.to_vec(), ..LogBatch::default() };
        tracking.log_batch(&run_id, batch).await?;
    }
    let json = report::json(&monitored.drift, &monitored.meta);
    for (name, body) in [("drift.html", monitored.page.clone()), ("drift.json", json)] {
        let body = artifacts::once(body);
        tracking.upload_artifact(&run.info.artifact_uri, name, body).await?;
    }
    tracking
        .update_run(UpdateRun {
            run_id: run_id.clone(),
            status: Some(RunStatus::Finished),
            end_time: Some(time),
            run_name: None,
        })
        .await?;
    Ok(run_id)
}

/// The head of a report.
pub fn meta(title: &str, reference: &str, current: &str, time: DateTime<Utc>) -> Meta {
    Meta {
        title: title.to_owned(),
        reference: reference.to_owned(),
        current: current.to_owned(),
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

/// Metrics of one batch, as MLflow limits it.
const BATCH_MAX: usize = 1000;

fn metrics_of(drift: &DatasetDrift, time: i64) -> Vec<Metric> {
    let mut metrics = vec![
        Metric::new("drift_share", drift.share, time, 0),
        Metric::new("drifted_columns", drift.drifted as f64, time, 0),
        Metric::new("tested_columns", drift.tested as f64, time, 0),
        Metric::new("dataset_drift", f64::from(u8::from(drift.dataset_drift)), time, 0),
        Metric::new("current_rows", drift.current_rows as f64, time, 0),
    ];
    for column in &drift.columns {
        if let Some(verdict) = column.verdict() {
            let key = format!("drift_score.{}", metric_name(&column.name));
            metrics.push(Metric::new(key, verdict.score, time, 0));
        }
    }
    metrics
}

/// A column's name with what MLflow does not allow in a metric's name replaced.
fn metric_name(column: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    column
        .chars()
        .take(CHARACTERS_MAX)
        .map(|c| if c.is_alphanumeric() || "_-. ".contains(c) { c } else { '_' })
        .collect()
}
