//! `runs/*` but for the metrics.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use serde_json::{Value, json};
use trainyard_mlflow::entities::{
    Dataset, DatasetInput, KeyValue, ModelInput, ModelOutput, RunStatus, ViewType,
};
use trainyard_mlflow::{CreateRun, Error, LogBatch, SearchRuns, UpdateRun};

use super::error::{Result, empty, json};
use super::json::{no_memory, value as read_json};
use super::request::Fields;
use super::shape::{Check, Field, KEY_VALUE, Kind, Shape};
use super::truncated::Truncated;
use super::wire::{PageWire, RunWire, all};
use super::{Api, VIEW_TYPES, usual, view_type};

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

const RUN_STATUSES: &[(&str, i64)] =
    &[("RUNNING", 1), ("SCHEDULED", 2), ("FINISHED", 3), ("FAILED", 4), ("KILLED", 5)];

fn run_status(number: i64) -> Option<RunStatus> {
    Some(match number {
        1 => RunStatus::Running,
        2 => RunStatus::Scheduled,
        3 => RunStatus::Finished,
        4 => RunStatus::Failed,
        5 => RunStatus::Killed,
        _ => return None,
    })
}

static CREATE: Shape = Shape(&[
    Field::text("experiment_id"),
    Field::new("start_time", Kind::Int64, &[Check::IntLike]),
    Field::text("run_name"),
    Field::new("user_id", Kind::Text, &[]),
    Field::list("tags", Kind::Message(&KEY_VALUE), &[]),
]);

async fn create(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &CREATE).await?;
    let Some(experiment_id) = fields.filled_text("experiment_id") else {
        // Upstream runs into a foreign key here.
        return Err(Error::api(
            trainyard_mlflow::ErrorCode::BadRequest,
            "Missing value for required parameter 'experiment_id'. See the API docs for more \
             information about request parameters.",
        )
        .into());
    };
    let run = api
        .tracking
        .runs
        .create(CreateRun {
            experiment_id,
            user_id: fields.text("user_id"),
            run_name: fields.filled_text("run_name"),
            start_time: fields.int("start_time").unwrap_or_default(),
            tags: fields.key_values("tags"),
        })
        .await?;
    Ok(json(&json!({ "run": run })))
}

static BY_ID: Shape = Shape(&[Field::required("run_id"), Field::new("run_uuid", Kind::Text, &[])]);

async fn get_run(State(api): State<Api>, request: Request) -> Result {
    let run_id = api.read(request, &BY_ID).await?.run_id();
    let run = api.tracking.runs.get(&run_id).await?;
    Ok(json(&RunAnswer { run: RunWire::from(&run) }))
}

#[derive(serde::Serialize)]
struct RunAnswer<'a> {
    run: RunWire<'a>,
}

static UPDATE: Shape = Shape(&[
    Field::required("run_id"),
    Field::new("run_uuid", Kind::Text, &[]),
    Field::new("end_time", Kind::Int64, &[Check::IntLike]),
    Field::new("status", Kind::Enum, &[Check::Text]),
    Field::text("run_name"),
]);

async fn update(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &UPDATE).await?;
    fields.refuse_unknown_number("status", RUN_STATUSES)?;
    let run_info = api
        .tracking
        .runs
        .update(UpdateRun {
            run_id: fields.run_id(),
            status: fields.number_of("status", RUN_STATUSES).and_then(run_status),
            end_time: fields.int("end_time"),
            run_name: fields.optional_text("run_name"),
        })
        .await?;
    Ok(json(&json!({ "run_info": run_info })))
}

async fn delete(State(api): State<Api>, request: Request) -> Result {
    let run_id = api.read(request, &BY_ID).await?.run_id();
    api.tracking.runs.delete(&run_id).await?;
    Ok(empty())
}

async fn restore(State(api): State<Api>, request: Request) -> Result {
    let run_id = api.read(request, &BY_ID).await?.run_id();
    api.tracking.runs.restore(&run_id).await?;
    Ok(empty())
}

/// Most results of one search.
const SEARCH_RESULTS_MAX: i64 = 50_000;

pub(super) static SEARCH: Shape = Shape(&[
    Field::list("experiment_ids", Kind::Text, &[Check::Array]),
    Field::text("filter"),
    Field::new("max_results", Kind::Int32, &[Check::IntLike, Check::AtMost(SEARCH_RESULTS_MAX)]),
    Field::texts("order_by"),
    Field::new("run_view_type", Kind::Enum, &[]),
    Field::new("page_token", Kind::Text, &[]),
]);

/// The search that a request asks for.
pub(super) fn search_of(fields: &mut Fields) -> SearchRuns {
    SearchRuns {
        experiment_ids: fields.texts("experiment_ids"),
        filter: fields.text("filter"),
        view_type: fields
            .number_of("run_view_type", VIEW_TYPES)
            .map_or(ViewType::ActiveOnly, view_type),
        max_results: fields.int("max_results"),
        order_by: fields.texts("order_by"),
        page_token: fields.filled_text("page_token"),
    }
}

async fn search(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SEARCH).await?;
    let page = api.tracking.runs.search(search_of(&mut fields)).await?;
    Ok(json(&PageWire {
        name: "runs",
        items: all::<_, RunWire<'_>>(&page.items),
        token: page.next_page_token.as_deref(),
    }))
}

/// How many runs a search would find; upstream has no such thing, so clients page through them.
async fn count(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SEARCH).await?;
    let count = api.tracking.runs.count(search_of(&mut fields)).await?;
    Ok(json(&json!({ "count": count })))
}

static KEY_AND_VALUE: Shape = Shape(&[
    Field::required("run_id"),
    Field::new("run_uuid", Kind::Text, &[]),
    Field::required("key"),
    Field::text("value"),
]);

async fn log_param(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &KEY_AND_VALUE).await?;
    let (run_id, param) = (fields.run_id(), fields.key_value());
    let truncated = Truncated::param(&param);
    api.tracking.runs.log_param(&run_id, param).await?;
    Ok(truncated.tell(empty()))
}

async fn set_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &KEY_AND_VALUE).await?;
    let (run_id, tag) = (fields.run_id(), fields.key_value());
    let truncated = Truncated::tag(&tag);
    api.tracking.runs.set_tag(&run_id, tag).await?;
    Ok(truncated.tell(empty()))
}

static DELETE_TAG: Shape = Shape(&[Field::required("run_id"), Field::required("key")]);

async fn delete_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &DELETE_TAG).await?;
    let run_id = fields.run_id();
    api.tracking.runs.delete_tag(&run_id, &fields.text("key")).await?;
    Ok(empty())
}

static BATCH_METRIC: Shape = Shape(&[
    Field::text("key"),
    Field::new("value", Kind::Double, &[]),
    Field::new("timestamp", Kind::Int64, &[]),
    Field::new("step", Kind::Int64, &[]),
    Field::text("model_id"),
    Field::text("dataset_name"),
    Field::text("dataset_digest"),
]);

pub(super) static LOG_BATCH: Shape = Shape(&[
    Field::new("run_id", Kind::Text, &[Check::Text, Check::Required]),
    Field::list(
        "metrics",
        Kind::Message(&BATCH_METRIC),
        &[Check::Array, Check::ItemsHave(&["key", "value", "timestamp"])],
    ),
    Field::list("params", Kind::Message(&KEY_VALUE), &[Check::Array, Check::ItemsHave(&["key"])]),
    Field::list("tags", Kind::Message(&KEY_VALUE), &[Check::Array, Check::ItemsHave(&["key"])]),
]);

/// What a request logs.
pub(super) fn batch_of(fields: &mut Fields) -> LogBatch {
    LogBatch {
        metrics: fields.messages("metrics").iter_mut().map(Fields::metric).collect(),
        params: fields.key_values("params"),
        tags: fields.key_values("tags"),
    }
}

async fn log_batch(State(api): State<Api>, request: Request) -> Result {
    let body = api.body(request).await?;
    let (run_id, batch) = if let Some(usual) = usual::log_batch(body.bytes()) {
        usual
    } else {
        let mut fields = body.read(&LOG_BATCH)?;
        (fields.run_id(), batch_of(&mut fields))
    };
    let truncated = Truncated::batch(&batch);
    api.tracking.runs.log_batch(&run_id, batch).await?;
    Ok(truncated.tell(empty()))
}

static DATASET: Shape = Shape(&[
    Field::text("name"),
    Field::text("digest"),
    Field::text("source_type"),
    Field::text("source"),
    Field::text("schema"),
    Field::text("profile"),
]);

static DATASET_INPUT: Shape = Shape(&[
    Field::messages("tags", &KEY_VALUE),
    Field::new("dataset", Kind::Message(&DATASET), &[]),
]);

static MODEL: Shape = Shape(&[Field::text("model_id"), Field::new("step", Kind::Int64, &[])]);

static LOG_INPUTS: Shape = Shape(&[
    Field::required("run_id"),
    Field::messages("datasets", &DATASET_INPUT),
    Field::messages("models", &MODEL),
]);

fn dataset_input(fields: &mut Fields) -> DatasetInput {
    let tags = fields.key_values("tags");
    let mut dataset = fields.message("dataset").unwrap_or_default();
    DatasetInput {
        tags,
        dataset: Dataset {
            name: dataset.text("name"),
            digest: dataset.text("digest"),
            source_type: dataset.text("source_type"),
            source: dataset.text("source"),
            schema: dataset.filled_text("schema"),
            profile: dataset.filled_text("profile"),
        },
    }
}

async fn log_inputs(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &LOG_INPUTS).await?;
    let run_id = fields.run_id();
    let datasets = fields.messages("datasets").iter_mut().map(dataset_input).collect();
    let models = fields
        .messages("models")
        .iter_mut()
        .map(|model| ModelInput { model_id: model.text("model_id") })
        .collect();
    api.tracking.runs.log_inputs(&run_id, datasets, models).await?;
    Ok(empty())
}

static LOG_OUTPUTS: Shape = Shape(&[
    Field::required("run_id"),
    Field::list("models", Kind::Message(&MODEL), &[Check::Required, Check::Array]),
]);

async fn log_outputs(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &LOG_OUTPUTS).await?;
    let run_id = fields.run_id();
    let models = fields
        .messages("models")
        .iter_mut()
        .map(|model| ModelOutput {
            model_id: model.text("model_id"),
            step: model.int("step").unwrap_or_default(),
        })
        .collect();
    api.tracking.runs.log_outputs(&run_id, models).await?;
    Ok(empty())
}

/// Tag that holds what `runs/log-model` was given, as a JSON list.
const LOG_MODEL_HISTORY_TAG: &str = "mlflow.log-model.history";

static LOG_MODEL: Shape = Shape(&[
    Field::new("run_id", Kind::Text, &[Check::Text, Check::Required]),
    Field::new("model_json", Kind::Text, &[Check::Text, Check::Required]),
]);

/// Clients before MLflow 3 report their models this way.
async fn log_model(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &LOG_MODEL).await?;
    let run_id = fields.run_id();
    let text = fields.text("model_json");
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
        return Err(Error::invalid(format!(
            "Model json is missing mandatory fields: {{{}}}",
            missing.join(", ")
        ))
        .into());
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
