//! `runs/log-metric` and `metrics/*`.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use futures::future::try_join_all;
use serde::Deserialize;
use trainyard_mlflow::entities::Metric;
use trainyard_mlflow::{CurvePoint, DrawCurve, Error, MetricHistoryPage};

use super::error::{Result, empty, json};
use super::fast_path::{self, filled};
use super::fields::Check::{Int32, ItemsAtMost, Required, Type, Within};
use super::message::{Given, message};
use super::request::{Fields, JsonBody, Query};
use super::sample;
use super::state::{Api, ApiState};
use super::wire::{MetricWithRunId, PageWire, RunHistory};
use crate::error::invalid;

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/runs/log-metric", post(log_metric))
        .route("/metrics/get-history", get(history))
        .route("/metrics/get-history-bulk", get(history_bulk))
        .route("/metrics/get-history-bulk-interval", get(history_bulk_interval))
}

message! {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct LogMetric {
        run_id: String [Required],
        #[serde(rename = "run_uuid")]
        _run_uuid as run_uuid: Option<String>,
        key: String [Required],
        #[serde(deserialize_with = "fast_path::double")]
        value: f64 [Required],
        timestamp: i64 [Type, Required],
        #[serde(default)]
        step: i64,
        model_id: Option<String>,
        dataset_name: Option<String>,
        dataset_digest: Option<String>,
    }
}

impl fast_path::Named for LogMetric {
    fn is_named(&self) -> bool {
        !self.run_id.is_empty() && !self.key.is_empty()
    }
}

async fn log_metric(State(api): State<Api>, body: JsonBody) -> Result {
    let Fields(asked, _share) = fast_path::read::<LogMetric>(body)?;
    let LogMetric { run_id, key, value, timestamp, step, .. } = asked;
    let metric = Metric {
        model_id: filled(asked.model_id),
        dataset_name: filled(asked.dataset_name),
        dataset_digest: filled(asked.dataset_digest),
        ..Metric::new(key, value, timestamp, step)
    };
    api.tracking.runs.log_metric(&run_id, metric).await?;
    Ok(empty())
}

message! {
    struct History {
        run_id: String [Required],
        _run_uuid as run_uuid: String,
        metric_key: String [Required],
        page_token: Option<String>,
        max_results: Option<i64> [Int32],
    }
}

async fn history(State(api): State<Api>, Fields(asked, ..): Fields<History>) -> Result {
    let History { run_id, metric_key, page_token, max_results, .. } = asked;
    if let Some(count) = max_results.filter(|count| *count <= 0) {
        return invalid!(
            "Invalid value {count} for parameter 'max_results' supplied. It must be a positive \
             integer."
        );
    }
    let page = MetricHistoryPage { max_results, page_token };
    let page = api.tracking.runs.metric_history(&run_id, &metric_key, page).await?;
    Ok(json(&PageWire {
        name: "metrics",
        items: page.items,
        token: page.next_page_token.as_deref(),
    }))
}

/// Most runs of one bulk request.
const BULK_RUNS_MAX: usize = 100;
/// Most rows of one `get-history-bulk`.
const BULK_ROWS_MAX: i64 = 25_000;

message! {
    struct HistoryBulk {
        run_ids as run_id: Vec<String>,
        metric_key: Given,
        max_results: Option<i64>,
    }
}

async fn history_bulk(State(api): State<Api>, Query(asked): Query<HistoryBulk>) -> Result {
    let HistoryBulk { mut run_ids, metric_key: Given(metric_key), max_results } = asked;
    if run_ids.is_empty() {
        return invalid!("GetMetricHistoryBulk request must specify at least one run_id.");
    }
    if run_ids.len() > BULK_RUNS_MAX {
        return invalid!(
            "GetMetricHistoryBulk request cannot specify more than {BULK_RUNS_MAX} run_ids. \
             Received {} run_ids.",
            run_ids.len()
        );
    }
    let Some(key) = metric_key else {
        return invalid!("GetMetricHistoryBulk request must specify a metric_key.");
    };
    let rows_max = max_results.unwrap_or(BULK_ROWS_MAX).clamp(0, BULK_ROWS_MAX);
    run_ids.sort_unstable();
    run_ids.dedup();
    let runs = histories(&api, &run_ids, &key, rows_max).await?;
    let rows: Vec<_> =
        MetricWithRunId::all(&runs).take(usize::try_from(rows_max).unwrap_or(0)).collect();
    // Not a proto answer: the list is there when it is empty.
    Ok(json(&serde_json::json!({ "metrics": rows })))
}

/// Most points per run of one `get-history-bulk-interval`, and the default.
const INTERVAL_POINTS_MAX: i64 = 2500;

message! {
    /// Asks for rows of several runs' histories, thinned out evenly.
    pub(super) struct Interval {
        run_ids: Vec<String> [
            Required,
            Type,
            ItemsAtMost(
                BULK_RUNS_MAX,
                "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. \
                 Received {} run_ids."
            )
        ],
        metric_key: String [Required],
        start_step: Option<i64> [Int32],
        end_step: Option<i64> [Int32],
        points_max as max_results: Option<i64> [
            Within(1, INTERVAL_POINTS_MAX, "max_results must be between 1 and 2500."),
            Int32
        ],
    }
}

impl Interval {
    /// The rows, in the order of the runs given. Runs that are not there have none.
    pub(super) async fn rows(&self, api: &ApiState) -> Result<Vec<RunHistory>> {
        let steps = match (self.start_step, self.end_step) {
            (Some(start), Some(end)) if start > end => {
                return invalid!(
                    "end_step must be greater than start_step. Found start_step={start} and \
                     end_step={end}."
                );
            }
            (Some(start), Some(end)) => Some((start, end)),
            (None, None) => None,
            _ => {
                return invalid!(
                    "If either start step or end step are specified, both must be specified."
                );
            }
        };
        let points_max = self.points_max.unwrap_or(INTERVAL_POINTS_MAX);
        let points_max = usize::try_from(points_max).unwrap_or(1).max(1);
        // Which rows are chosen depends on all of them. Each history is thinned out as soon as it is read: together
        // they may be far larger than the answer.
        let whole = DrawCurve { steps, whole_max: usize::MAX, steps_max: 2, is_log: false };
        let key = &self.metric_key;
        let each = self.run_ids.iter().map(|run_id| async move {
            let points = api.tracking.runs.curve(run_id, key, whole).await?.points;
            let sampled = sample::evenly(&points, points_max);
            let metric =
                |point: CurvePoint| Metric::new(key, point.value, point.timestamp, point.step);
            Ok::<_, Error>((run_id.clone(), sampled.into_iter().map(metric).collect()))
        });
        Ok(try_join_all(each).await?)
    }
}

async fn history_bulk_interval(
    State(api): State<Api>,
    Fields(interval, ..): Fields<Interval>,
) -> Result {
    let runs = interval.rows(&api).await?;
    let items = MetricWithRunId::all(&runs).collect();
    Ok(json(&PageWire { name: "metrics", items, token: None }))
}

/// The histories of several runs in their order.
async fn histories(
    api: &ApiState,
    run_ids: &[String],
    key: &str,
    rows_max: i64,
) -> Result<Vec<RunHistory>> {
    let each = run_ids.iter().map(|run_id| async move {
        let page = MetricHistoryPage { max_results: Some(rows_max), page_token: None };
        let page = api.tracking.runs.metric_history(run_id, key, page).await?;
        Ok::<_, Error>((run_id.clone(), page.items))
    });
    Ok(try_join_all(each).await?)
}
