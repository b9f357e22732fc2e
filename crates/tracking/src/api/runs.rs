//! `runs/*` but for the metrics.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trainyard_mlflow::entities::{
    Dataset, DatasetInput, KeyValue, Metric, ModelInput, ModelOutput, RunStatus, ViewType,
};
use trainyard_mlflow::{CreateRun, Error, ErrorCode, LogBatch, SearchRuns, UpdateRun};

use super::error::{Result, empty, json};
use super::fast_path::{self, few, filled};
use super::fields::Check::{AtMost, Int32, ItemsHave, Required};
use super::json::{no_memory, value as read_json};
use super::message::{Given, message};
use super::request::{Fields, JsonBody};
use super::state::Api;
use super::truncation::Truncated;
use super::wire::{PageWire, RunWire};
use crate::error::invalid;

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/runs/create", post(create))
        .route("/runs/get", get(get_run))
        .route("/runs/update", post(update))
        .route("/runs/delete", post(delete))
        .route("/runs/restore", post(restore))
        .route("/runs/search", post(search))
        .route("/runs/count", post(count))
        .route("/runs/log-parameter", post(log_param))
        .route("/runs/set-tag", post(set_tag))
        .route("/runs/delete-tag", post(delete_tag))
        .route("/runs/log-batch", post(log_batch))
        .route("/runs/log-inputs", post(log_inputs))
        .route("/runs/outputs", post(log_outputs))
        .route("/runs/log-model", post(log_model))
}

message! {
    CreateRun {
        experiment_id: String,
        start_time: i64,
        run_name: Option<String>,
        user_id: String,
        tags: Vec<KeyValue>,
    }
}

async fn create(State(api): State<Api>, Fields(asked, ..): Fields<CreateRun>) -> Result {
    if asked.experiment_id.is_empty() {
        // Upstream runs into a foreign key here.
        return Err(Error::api(
            ErrorCode::BadRequest,
            "Missing value for required parameter 'experiment_id'. See the API docs for more \
             information about request parameters.",
        )
        .into());
    }
    let run = api.tracking.runs.create(asked).await?;
    Ok(json(&json!({ "run": run })))
}

message! {
    pub(super) struct ById {
        pub(super) run_id: String [Required],
        _run_uuid as run_uuid: String,
    }
}

async fn get_run(State(api): State<Api>, Fields(asked, ..): Fields<ById>) -> Result {
    let run = api.tracking.runs.get(&asked.run_id).await?;
    Ok(json(&RunAnswer { run: RunWire::from(&run) }))
}

#[derive(Serialize)]
struct RunAnswer<'a> {
    run: RunWire<'a>,
}

message! {
    struct Update {
        run_id: String [Required],
        _run_uuid as run_uuid: String,
        end_time: Option<i64>,
        status: Option<RunStatus>,
        run_name: Given,
    }
}

async fn update(State(api): State<Api>, Fields(asked, ..): Fields<Update>) -> Result {
    let Update { run_id, end_time, status, run_name: Given(run_name), .. } = asked;
    let update = UpdateRun { run_id, status, end_time, run_name };
    let run_info = api.tracking.runs.update(update).await?;
    Ok(json(&json!({ "run_info": run_info })))
}

async fn delete(State(api): State<Api>, Fields(asked, ..): Fields<ById>) -> Result {
    api.tracking.runs.delete(&asked.run_id).await?;
    Ok(empty())
}

async fn restore(State(api): State<Api>, Fields(asked, ..): Fields<ById>) -> Result {
    api.tracking.runs.restore(&asked.run_id).await?;
    Ok(empty())
}

/// Most results of one search.
const SEARCH_RESULTS_MAX: i64 = 50_000;

message! {
    SearchRuns {
        experiment_ids: Vec<String>,
        filter: String,
        max_results: Option<i64> [Int32, AtMost(SEARCH_RESULTS_MAX)],
        order_by: Vec<String>,
        view_type as run_view_type: ViewType,
        page_token: Option<String>,
    }
}

async fn search(State(api): State<Api>, Fields(search, ..): Fields<SearchRuns>) -> Result {
    let page = api.tracking.runs.search(search).await?;
    Ok(json(&PageWire::of::<_, RunWire<'_>>("runs", &page)))
}

/// How many runs a search would find; upstream has no such thing, so clients page through them.
async fn count(State(api): State<Api>, Fields(search, ..): Fields<SearchRuns>) -> Result {
    let count = api.tracking.runs.count(search).await?;
    Ok(json(&json!({ "count": count })))
}

message! {
    struct LogKeyValue {
        run_id: String [Required],
        _run_uuid as run_uuid: String,
        key: String [Required],
        value: String,
    }
}

async fn log_param(State(api): State<Api>, Fields(asked, ..): Fields<LogKeyValue>) -> Result {
    let param = KeyValue { key: asked.key, value: asked.value };
    let truncated = Truncated::param(&param);
    api.tracking.runs.log_param(&asked.run_id, param).await?;
    Ok(truncated.tell(empty()))
}

async fn set_tag(State(api): State<Api>, Fields(asked, ..): Fields<LogKeyValue>) -> Result {
    let tag = KeyValue { key: asked.key, value: asked.value };
    let truncated = Truncated::tag(&tag);
    api.tracking.runs.set_tag(&asked.run_id, tag).await?;
    Ok(truncated.tell(empty()))
}

message! { struct DeleteTag { run_id: String [Required], key: String [Required] } }

async fn delete_tag(State(api): State<Api>, Fields(asked, ..): Fields<DeleteTag>) -> Result {
    api.tracking.runs.delete_tag(&asked.run_id, &asked.key).await?;
    Ok(empty())
}

message! {
    /// A metric of a batch.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct BatchMetric {
        key: String,
        #[serde(deserialize_with = "fast_path::double")]
        value: f64,
        timestamp: i64,
        #[serde(default)]
        step: i64,
        model_id: Option<String>,
        dataset_name: Option<String>,
        dataset_digest: Option<String>,
    }
}

impl From<BatchMetric> for Metric {
    fn from(metric: BatchMetric) -> Self {
        let BatchMetric { key, value, timestamp, step, .. } = metric;
        Self {
            model_id: filled(metric.model_id),
            dataset_name: filled(metric.dataset_name),
            dataset_digest: filled(metric.dataset_digest),
            ..Self::new(key, value, timestamp, step)
        }
    }
}

message! {
    /// What is logged to a run at once.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Batch {
        run_id: String [Required],
        #[serde(default, deserialize_with = "few")]
        metrics: Vec<BatchMetric> [ItemsHave(&["key", "value", "timestamp"])],
        #[serde(default, deserialize_with = "few")]
        params: Vec<KeyValue> [ItemsHave(&["key"])],
        #[serde(default, deserialize_with = "few")]
        tags: Vec<KeyValue> [ItemsHave(&["key"])],
    }
}

impl fast_path::Named for Batch {
    fn is_named(&self) -> bool {
        !self.run_id.is_empty()
            && self.metrics.iter().all(|metric| !metric.key.is_empty())
            && self.params.iter().chain(&self.tags).all(|entry| !entry.key.is_empty())
    }
}

async fn log_batch(State(api): State<Api>, body: JsonBody) -> Result {
    let Fields(asked, _share) = fast_path::read::<Batch>(body)?;
    let metrics = asked.metrics.into_iter().map(Metric::from).collect();
    let batch = LogBatch { metrics, params: asked.params, tags: asked.tags };
    let truncated = Truncated::batch(&batch);
    api.tracking.runs.log_batch(&asked.run_id, batch).await?;
    Ok(truncated.tell(empty()))
}

message! {
    Dataset {
        name: String,
        digest: String,
        source_type: String,
        source: String,
        schema: Option<String>,
        profile: Option<String>,
    }
}

message! { DatasetInput { tags: Vec<KeyValue>, dataset: Dataset } }

message! { ModelOutput { model_id: String, step: i64 } }

message! {
    struct LogInputs {
        run_id: String [Required],
        datasets: Vec<DatasetInput>,
        models: Vec<ModelOutput>,
    }
}

async fn log_inputs(State(api): State<Api>, Fields(asked, ..): Fields<LogInputs>) -> Result {
    let LogInputs { run_id, datasets, models } = asked;
    let models = models.into_iter().map(|model| ModelInput { model_id: model.model_id }).collect();
    api.tracking.runs.log_inputs(&run_id, datasets, models).await?;
    Ok(empty())
}

message! { struct LogOutputs { run_id: String [Required], models: Vec<ModelOutput> [Required] } }

async fn log_outputs(State(api): State<Api>, Fields(asked, ..): Fields<LogOutputs>) -> Result {
    api.tracking.runs.log_outputs(&asked.run_id, asked.models).await?;
    Ok(empty())
}

/// Tag that holds what `runs/log-model` was given, as a JSON list.
const LOG_MODEL_HISTORY_TAG: &str = "mlflow.log-model.history";

message! { struct LogModel { run_id: String [Required], model_json: String [Required] } }

/// Clients before MLflow 3 report their models this way.
async fn log_model(State(api): State<Api>, Fields(asked, ..): Fields<LogModel>) -> Result {
    let LogModel { run_id, model_json: text } = asked;
    let mut share = api.options.memory.take(0).map_err(no_memory)?;
    let model = read_json(text.as_bytes(), &mut share)?.ok_or_else(|| {
        Error::invalid(format!("Malformed model info. \n {text} \n is not a valid JSON."))
    })?;
    let missing: Vec<String> = ["artifact_path", "flavors", "run_id", "utc_time_created"]
        .iter()
        .filter(|key| model.get(key).is_none())
        .map(|key| format!("'{key}'"))
        .collect();
    if !missing.is_empty() {
        return invalid!("Model json is missing mandatory fields: {{{}}}", missing.join(", "));
    }
    let run = api.tracking.runs.get(&run_id).await?;
    let history = KeyValue::find(&run.data.tags, LOG_MODEL_HISTORY_TAG);
    let mut history: Vec<Value> =
        history.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    history.push(model);
    let tag = KeyValue::new(LOG_MODEL_HISTORY_TAG, Value::Array(history).to_string());
    api.tracking.runs.set_tag(&run_id, tag).await?;
    Ok(empty())
}
