//! Traces, their spans and assessments.

use async_trait::async_trait;

use crate::entities::{Assessment, AssessmentValue, KeyValue, Span, Trace, TraceInfo, TraceState};
use crate::{Page, Result};

/// Arguments of [`Traces::search`].
#[derive(Debug, Clone, Default)]
pub struct SearchTraces {
    pub experiment_ids: Vec<String>,
    pub filter: String,
    /// At most 500.
    pub max_results: i64,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// Which traces of an experiment [`Traces::delete`] removes: those that are named, or those that are old.
#[derive(Debug, Clone, Default)]
pub struct DeleteTraces {
    pub experiment_id: String,
    /// Milliseconds since the Unix epoch.
    pub max_timestamp_millis: Option<i64>,
    pub max_traces: Option<i64>,
    pub trace_ids: Vec<String>,
}

/// What [`Traces::update_assessment`] changes; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateAssessment {
    pub name: Option<String>,
    pub value: Option<AssessmentValue>,
    pub rationale: Option<String>,
    /// Added to what is there.
    pub metadata: Vec<KeyValue>,
}

/// The end of a trace, as clients before MLflow 3 tell it.
#[derive(Debug, Clone, Default)]
pub struct EndTrace {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    pub state: TraceState,
    pub request_metadata: Vec<KeyValue>,
    pub tags: Vec<KeyValue>,
}

/// How one number of a group is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    /// Of 0 to 100.
    Percentile(f64),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricView {
    Traces,
    Spans,
    Assessments,
}

/// Arguments of [`Traces::metrics`].
#[derive(Debug, Clone)]
pub struct QueryTraceMetrics {
    pub experiment_ids: Vec<String>,
    pub view: MetricView,
    pub metric_name: String,
    pub aggregations: Vec<Aggregation>,
    pub dimensions: Vec<String>,
    pub filters: Vec<String>,
    pub time_interval_seconds: Option<i64>,
    pub start_time_ms: Option<i64>,
    pub end_time_ms: Option<i64>,
    pub max_results: i64,
}

/// The numbers of one group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricPoint {
    pub dimensions: Vec<KeyValue>,
    /// Name of an aggregation (`COUNT`, `P50.0`) and its value.
    pub values: Vec<(String, f64)>,
}

/// How often two filters hold together ([`Traces::count_both`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilterCounts {
    pub total: i64,
    pub first: i64,
    pub second: i64,
    pub both: i64,
}

/// What is done with traces.
#[async_trait]
pub trait Traces: Send + Sync {
    /// Notes a trace, or completes what its spans told of it.
    async fn start(&self, info: TraceInfo) -> Result<TraceInfo>;
    /// The same for clients before MLflow 3, which are given the id.
    async fn start_v2(&self, info: TraceInfo) -> Result<TraceInfo>;
    async fn end_v2(&self, trace_id: &str, end: EndTrace) -> Result<TraceInfo>;
    /// Refuses a caller who may not write spans to the experiment, before they are read. This default refuses
    /// nobody: a store asks nobody who they are.
    async fn may_log_spans(&self, _experiment_id: &str) -> Result<()> {
        Ok(())
    }
    /// Stores spans, and their traces where there are none yet.
    async fn log_spans(&self, experiment_id: &str, spans: Vec<Span>) -> Result<()>;
    async fn get_info(&self, trace_id: &str) -> Result<TraceInfo>;
    /// Those of the traces that are there, in the order of the ids, in these experiments or in any.
    async fn get_infos(
        &self,
        trace_ids: &[String],
        experiment_ids: Option<Vec<String>>,
    ) -> Result<Vec<TraceInfo>>;
    /// The same with their spans: those whose spans are all stored here.
    async fn get_all(
        &self,
        trace_ids: &[String],
        experiment_ids: Option<Vec<String>>,
    ) -> Result<Vec<Trace>>;
    /// A trace with the spans that are stored here; refused while some are missing, unless that is allowed.
    async fn get(&self, trace_id: &str, allow_partial: bool) -> Result<Trace>;
    async fn search(&self, search: SearchTraces) -> Result<Page<TraceInfo>>;
    /// How many of the traces of experiments a filter finds, another one, and both; all within a base filter.
    async fn count_both(
        &self,
        experiment_ids: Vec<String>,
        filters: [String; 2],
        base: String,
    ) -> Result<FilterCounts>;
    async fn metrics(&self, query: QueryTraceMetrics) -> Result<Vec<MetricPoint>>;
    /// Removes traces for good, and says how many there were.
    async fn delete(&self, delete: DeleteTraces) -> Result<i64>;
    async fn set_tag(&self, trace_id: &str, tag: KeyValue) -> Result<()>;
    async fn delete_tag(&self, trace_id: &str, key: &str) -> Result<()>;
    async fn link_to_run(&self, trace_ids: &[String], run_id: &str) -> Result<()>;
    /// Prompt versions as `name/version`.
    async fn link_prompts(&self, trace_id: &str, prompts: &[String]) -> Result<()>;
    async fn create_assessment(&self, assessment: Assessment) -> Result<Assessment>;
    async fn get_assessment(&self, trace_id: &str, assessment_id: &str) -> Result<Assessment>;
    async fn update_assessment(
        &self,
        trace_id: &str,
        assessment_id: &str,
        update: UpdateAssessment,
    ) -> Result<Assessment>;
    async fn delete_assessment(&self, trace_id: &str, assessment_id: &str) -> Result<()>;
}
