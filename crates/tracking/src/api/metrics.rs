//! `runs/log-metric` and `metrics/*`.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use futures::future::try_join_all;
use trainyard_mlflow::entities::Metric;
use trainyard_mlflow::{Error, MetricHistoryPage};

use super::error::{Result, empty, json};
use super::request::{Fields, from_query};
use super::shape::{Check, Field, Kind, Shape};
use super::wire::{MetricWithRunId, PageWire};
use super::{Api, ApiState, sample, usual};

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/runs/log-metric", post(log_metric))
        .route("/metrics/get-history", get(history))
        .route("/metrics/get-history-bulk", get(history_bulk))
        .route("/metrics/get-history-bulk-interval", get(history_bulk_interval))
}

pub(super) static LOG_METRIC: Shape = Shape(&[
    Field::required("run_id"),
    Field::new("run_uuid", Kind::Text, &[]),
    Field::required("key"),
    Field::new("value", Kind::Double, &[Check::Required, Check::FloatLike]),
    Field::new("timestamp", Kind::Int64, &[Check::IntLike, Check::Required]),
    Field::new("step", Kind::Int64, &[Check::IntLike]),
    Field::text("model_id"),
    Field::text("dataset_name"),
    Field::text("dataset_digest"),
]);

async fn log_metric(State(api): State<Api>, request: Request) -> Result {
    let body = api.body(request).await?;
    let (run_id, metric) = if let Some(usual) = usual::log_metric(body.bytes()) {
        usual
    } else {
        let mut fields = body.read(&LOG_METRIC)?;
        (fields.run_id(), fields.metric())
    };
    api.tracking.runs.log_metric(&run_id, metric).await?;
    Ok(empty())
}

static HISTORY: Shape = Shape(&[
    Field::new("run_id", Kind::Text, &[Check::Text, Check::Required]),
    Field::new("run_uuid", Kind::Text, &[]),
    Field::new("metric_key", Kind::Text, &[Check::Text, Check::Required]),
    Field::text("page_token"),
    Field::new("max_results", Kind::Int32, &[Check::IntLike]),
]);

async fn history(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &HISTORY).await?;
    let max_results = fields.int("max_results");
    if let Some(count) = max_results.filter(|count| *count <= 0) {
        return Err(Error::invalid(format!(
            "Invalid value {count} for parameter 'max_results' supplied. It must be a positive \
             integer."
        ))
        .into());
    }
    let run_id = fields.run_id();
    let page = MetricHistoryPage { max_results, page_token: fields.filled_text("page_token") };
    let page = api.tracking.runs.metric_history(&run_id, &fields.text("metric_key"), page).await?;
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

static HISTORY_BULK: Shape = Shape(&[
    Field::list("run_id", Kind::Text, &[]),
    Field::new("metric_key", Kind::Text, &[]),
    Field::new("max_results", Kind::Int64, &[Check::IntLike]),
]);

async fn history_bulk(State(api): State<Api>, request: Request) -> Result {
    let mut fields = from_query(request.uri().query().unwrap_or_default(), &HISTORY_BULK)?;
    let mut run_ids = fields.texts("run_id");
    if run_ids.is_empty() {
        return Err(Error::invalid(
            "GetMetricHistoryBulk request must specify at least one run_id.",
        )
        .into());
    }
    if run_ids.len() > BULK_RUNS_MAX {
        return Err(Error::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {BULK_RUNS_MAX} run_ids. \
             Received {} run_ids.",
            run_ids.len()
        ))
        .into());
    }
    let Some(key) = fields.optional_text("metric_key") else {
        return Err(
            Error::invalid("GetMetricHistoryBulk request must specify a metric_key.").into()
        );
    };
    let rows_max = fields.int("max_results").unwrap_or(BULK_ROWS_MAX).clamp(0, BULK_ROWS_MAX);
    run_ids.sort_unstable();
    run_ids.dedup();
    let histories = histories(&api, &run_ids, &key, Some(rows_max), |history| history).await?;
    let rows: Vec<MetricWithRunId<'_>> = run_ids
        .iter()
        .zip(&histories)
        .flat_map(|(run_id, history)| {
            history.iter().map(move |metric| MetricWithRunId::new(metric, run_id))
        })
        .take(usize::try_from(rows_max).unwrap_or(0))
        .collect();
    // Not a proto answer: the list is there when it is empty.
    Ok(json(&serde_json::json!({ "metrics": rows })))
}

/// Most points per run of one `get-history-bulk-interval`, and the default.
const INTERVAL_POINTS_MAX: i64 = 2500;

pub(super) static HISTORY_INTERVAL: Shape = Shape(&[
    Field::list(
        "run_ids",
        Kind::Text,
        &[
            Check::Required,
            Check::Array,
            Check::TextItems,
            Check::ItemsAtMost(
                BULK_RUNS_MAX,
                "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. \
                 Received {} run_ids.",
            ),
        ],
    ),
    Field::required("metric_key"),
    Field::new("start_step", Kind::Int32, &[Check::IntLike]),
    Field::new("end_step", Kind::Int32, &[Check::IntLike]),
    Field::new(
        "max_results",
        Kind::Int32,
        &[
            Check::IntLike,
            Check::Within(1, INTERVAL_POINTS_MAX, "max_results must be between 1 and 2500."),
        ],
    ),
]);

/// Rows of several runs' histories, thinned out evenly.
#[derive(Debug)]
pub(super) struct Interval {
    pub(super) run_ids: Vec<String>,
    pub(super) metric_key: String,
    pub(super) start_step: Option<i64>,
    pub(super) end_step: Option<i64>,
    pub(super) points_max: Option<i64>,
}

impl Interval {
    /// The fields of [`HISTORY_INTERVAL`].
    pub(super) fn read(fields: &mut Fields) -> Self {
        Self {
            run_ids: fields.texts("run_ids"),
            metric_key: fields.text("metric_key"),
            start_step: fields.int("start_step"),
            end_step: fields.int("end_step"),
            points_max: fields.int("max_results"),
        }
    }

    /// The rows, in the order of the runs given. Runs that are not there have none.
    pub(super) async fn rows(&self, api: &ApiState) -> Result<Vec<(String, Vec<Metric>)>> {
        let steps = match (self.start_step, self.end_step) {
            (Some(start), Some(end)) if start > end => {
                return Err(Error::invalid(format!(
                    "end_step must be greater than start_step. Found start_step={start} and \
                     end_step={end}."
                ))
                .into());
            }
            (Some(start), Some(end)) => Some(start..=end),
            (None, None) => None,
            _ => {
                return Err(Error::invalid(
                    "If either start step or end step are specified, both must be specified.",
                )
                .into());
            }
        };
        let points_max = self.points_max.unwrap_or(INTERVAL_POINTS_MAX);
        let points_max = usize::try_from(points_max).unwrap_or(1).max(1);
        // Each is thinned out as soon as it is read: together they may be far larger than the answer.
        let sample = |mut history: Vec<Metric>| {
            history
                .retain(|metric| steps.as_ref().is_none_or(|steps| steps.contains(&metric.step)));
            let mut sampled = sample::evenly(history, points_max);
            sampled.shrink_to_fit();
            sampled
        };
        let sampled = histories(api, &self.run_ids, &self.metric_key, None, sample).await?;
        Ok(self.run_ids.iter().cloned().zip(sampled).collect())
    }
}

async fn history_bulk_interval(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &HISTORY_INTERVAL).await?;
    let interval = Interval::read(&mut fields);
    let runs = interval.rows(&api).await?;
    let items: Vec<MetricWithRunId<'_>> = runs
        .iter()
        .flat_map(|(run_id, history)| {
            history.iter().map(move |metric| MetricWithRunId::new(metric, run_id))
        })
        .collect();
    Ok(json(&PageWire { name: "metrics", items, token: None }))
}

async fn histories(
    api: &ApiState,
    run_ids: &[String],
    key: &str,
    max_results: Option<i64>,
    then: impl Fn(Vec<Metric>) -> Vec<Metric> + Copy,
) -> Result<Vec<Vec<Metric>>> {
    let each = run_ids.iter().map(|run_id| async move {
        let page = MetricHistoryPage { max_results, page_token: None };
        api.tracking.runs.metric_history(run_id, key, page).await.map(|page| then(page.items))
    });
    Ok(try_join_all(each).await?)
}
