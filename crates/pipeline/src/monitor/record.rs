//! A comparison as a run: scores as metrics, the page and the JSON as artifacts.

use chrono::{DateTime, Utc};
use trainyard_drift::DatasetDrift;
use trainyard_mlflow::entities::{KeyValue, Metric, RunStatus};
use trainyard_mlflow::{CreateRun, LogBatch, Tracking, UpdateRun, artifacts};
use trainyard_report::drift as report;

use super::comparison::Monitored;
use crate::Result;

/// Tag of a look: its verdict.
pub(super) const VERDICT_TAG: &str = trainyard_base::words::tags::VERDICT;

/// Logs a comparison as a run: scores as metrics, the page and the JSON as artifacts. Returns the
/// run's id.
pub(super) async fn log_run(
    tracking: &Tracking,
    experiment: &str,
    monitored: &Monitored,
    tags: Vec<KeyValue>,
    now: DateTime<Utc>,
) -> Result<String> {
    let experiment_id = trainyard_train::experiment(tracking, experiment).await?;
    let time = now.timestamp_millis();
    let run = tracking
        .runs
        .create(CreateRun {
            experiment_id,
            user_id: "trainyard".to_owned(),
            run_name: Some(format!("monitor-{}", now.format("%Y%m%d-%H%M%S"))),
            start_time: time,
            tags: [
                KeyValue::new("mlflow.source.name", "trainyard monitor"),
                KeyValue::new(VERDICT_TAG, monitored.drift.verdict().name()),
            ]
            .into_iter()
            .chain(tags)
            .collect(),
        })
        .await?;
    let run_id = run.info.run_id;
    let metrics = metrics_of(&monitored.drift, time);
    for chunk in metrics.chunks(BATCH_MAX) {
        let batch = LogBatch { metrics: chunk.to_vec(), ..LogBatch::default() };
        tracking.runs.log_batch(&run_id, batch).await?;
    }
    let json = report::json(&monitored.drift, &monitored.meta);
    for (name, body) in [("drift.html", monitored.page.clone()), ("drift.json", json)] {
        let body = artifacts::once(body);
        tracking.artifacts.upload(&run.info.artifact_uri, name, body).await?;
    }
    tracking
        .runs
        .update(UpdateRun {
            run_id: run_id.clone(),
            status: Some(RunStatus::Finished),
            end_time: Some(time),
            run_name: None,
        })
        .await?;
    Ok(run_id)
}

/// Metrics of one batch, as MLflow limits it.
pub(super) const BATCH_MAX: usize = 1000;

/// Scores and counts. The verdict is a number as MLflow has no others: 0 stable, 1 warning, 2 drift,
/// 3 broken, so that an alert is a threshold.
fn metrics_of(drift: &DatasetDrift, time: i64) -> Vec<Metric> {
    let mut metrics = vec![
        Metric::new("drift_share", drift.share, time, 0),
        Metric::new("drifted_columns", drift.drifted as f64, time, 0),
        Metric::new("tested_columns", drift.tested as f64, time, 0),
        Metric::new("verdict", f64::from(drift.verdict() as u8), time, 0),
        Metric::new("untested_columns", drift.untestable() as f64, time, 0),
        Metric::new("serious_findings", drift.serious_findings() as f64, time, 0),
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
pub(super) fn metric_name(column: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    column
        .chars()
        .take(CHARACTERS_MAX)
        .map(|c| if c.is_alphanumeric() || "_-. ".contains(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use trainyard_drift::{Options, compare};

    use super::*;

    #[test]
    fn what_is_broken_is_broken_in_the_metrics() {
        let column =
            || Arc::new(Float64Array::from_iter_values((0..50).map(f64::from))) as ArrayRef;
        let both = RecordBatch::try_from_iter([("a", column()), ("b", column())]).unwrap();
        let metric = |current: &RecordBatch, name: &str| {
            let metrics = metrics_of(&compare(&both, current, &Options::default()), 1);
            metrics.iter().find(|metric| metric.key == name).unwrap().value
        };
        let one = both.project(&[0]).unwrap();
        assert_eq!((metric(&both, "verdict"), metric(&one, "verdict")), (0.0, 3.0));
        assert_eq!((metric(&one, "dataset_drift"), metric(&one, "untested_columns")), (0.0, 1.0));
        assert_eq!(metric(&one, "serious_findings"), 1.0);
    }
}
