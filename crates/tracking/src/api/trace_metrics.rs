//! `traces/metrics`: numbers over many traces.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::{Map, Value, json};
use trainyard_mlflow::{Aggregation, MetricPoint, MetricView, QueryTraceMetrics};

use super::enums::EnumName;
use super::error::{Result, json};
use super::fields::Check::Required;
use super::message::{Raw, message};
use super::request::Fields;
use super::state::Api;
use super::trace_wire::traces;
use super::wire::PageWire;
use crate::error::invalid;

/// Routes below `/api/3.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/traces/metrics", post(query))
}

message! { struct Aggregated { aggregation_type: EnumName, percentile_value: Raw } }

message! {
    struct Query {
        experiment_ids: Vec<String> [Required],
        view_type: EnumName [Required],
        metric_name: String [Required],
        aggregations: Vec<Aggregated> [Required],
        dimensions: Vec<String>,
        filters: Vec<String>,
        time_interval_seconds: Option<i64>,
        start_time_ms: Option<i64>,
        end_time_ms: Option<i64>,
        max_results: Option<i64>,
        _page_token as page_token: String,
    }
}

impl Aggregated {
    fn read(&self) -> Result<Aggregation> {
        let percentile = self.percentile_value.0.as_ref().and_then(Value::as_f64);
        Ok(match (self.aggregation_type.0.as_str(), percentile) {
            ("COUNT", _) => Aggregation::Count,
            ("SUM", _) => Aggregation::Sum,
            ("AVG", _) => Aggregation::Avg,
            ("MIN", _) => Aggregation::Min,
            ("MAX", _) => Aggregation::Max,
            ("PERCENTILE", Some(percent)) if (0.0..=100.0).contains(&percent) => {
                Aggregation::Percentile(percent)
            }
            ("PERCENTILE", percent) => {
                let percent =
                    percent.map_or_else(|| "none".to_owned(), |percent| percent.to_string());
                return invalid!("Percentile value must be between 0 and 100, got {percent}");
            }
            (other, _) => return invalid!("Unsupported aggregation type: '{other}'"),
        })
    }
}

async fn query(State(api): State<Api>, Fields(asked, ..): Fields<Query>) -> Result {
    let view = match asked.view_type.0.as_str() {
        "TRACES" => MetricView::Traces,
        "SPANS" => MetricView::Spans,
        "ASSESSMENTS" => MetricView::Assessments,
        other => {
            return invalid!(
                "view_type must be one of ['TRACES', 'SPANS', 'ASSESSMENTS'], got '{other}'"
            );
        }
    };
    let metric_name = asked.metric_name;
    let query = QueryTraceMetrics {
        experiment_ids: asked.experiment_ids,
        view,
        metric_name: metric_name.clone(),
        aggregations: asked.aggregations.iter().map(Aggregated::read).collect::<Result<_>>()?,
        dimensions: asked.dimensions,
        filters: asked.filters,
        time_interval_seconds: asked.time_interval_seconds,
        start_time_ms: asked.start_time_ms,
        end_time_ms: asked.end_time_ms,
        max_results: asked.max_results.unwrap_or(i64::MAX),
    };
    let points = traces(&api)?.metrics(query).await?;
    let items = points.into_iter().map(|point| wire(&metric_name, point)).collect();
    Ok(json(&PageWire { name: "data_points", items, token: None }))
}

fn wire(metric_name: &str, point: MetricPoint) -> Value {
    let values: Map<String, Value> =
        point.values.into_iter().map(|(name, value)| (name, value.into())).collect();
    let mut wire = json!({ "metric_name": metric_name, "values": values });
    if !point.dimensions.is_empty() {
        let dimensions = point.dimensions.into_iter();
        let dimensions: Map<String, Value> =
            dimensions.map(|entry| (entry.key, entry.value.into())).collect();
        wire["dimensions"] = Value::Object(dimensions);
    }
    wire
}
