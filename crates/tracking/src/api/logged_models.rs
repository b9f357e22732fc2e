//! `logged-models/*` but for their artifacts.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::{delete, get, patch, post};
use serde_json::json;
use trainyard_mlflow::entities::LoggedModelStatus;
use trainyard_mlflow::{CreateLoggedModel, DatasetFilter, OrderLoggedModels, SearchLoggedModels};

use super::Api;
use super::error::{Result, empty, json};
use super::request::from_query;
use super::shape::{Check, Field, KEY_VALUE, Kind, Shape};
use super::wire::{LoggedModelWire, PageWire, all};

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/logged-models", post(create))
        .route("/logged-models/search", post(search))
        .route("/logged-models/{model_id}", get(get_model).patch(finalize).delete(delete_model))
        .route("/logged-models/{model_id}/tags", patch(set_tags))
        .route("/logged-models/{model_id}/tags/{tag_key}", delete(delete_tag))
        .route("/logged-models/{model_id}/params", post(log_params))
}

const STATUSES: &[(&str, i64)] = &[
    ("LOGGED_MODEL_STATUS_UNSPECIFIED", 0),
    ("LOGGED_MODEL_PENDING", 1),
    ("LOGGED_MODEL_READY", 2),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3),
];

fn status(number: i64) -> LoggedModelStatus {
    match number {
        1 => LoggedModelStatus::Pending,
        2 => LoggedModelStatus::Ready,
        3 => LoggedModelStatus::UploadFailed,
        _ => LoggedModelStatus::Unspecified,
    }
}

static CREATE: Shape = Shape(&[
    Field::new("experiment_id", Kind::Text, &[Check::Text, Check::Required]),
    Field::text("name"),
    Field::text("model_type"),
    Field::text("source_run_id"),
    Field::messages("params", &KEY_VALUE),
    Field::messages("tags", &KEY_VALUE),
]);

async fn create(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &CREATE).await?;
    let model = api
        .tracking
        .logged_models
        .create(CreateLoggedModel {
            experiment_id: fields.text("experiment_id"),
            name: fields.filled_text("name"),
            model_type: fields.filled_text("model_type"),
            source_run_id: fields.filled_text("source_run_id"),
            params: fields.key_values("params"),
            tags: fields.key_values("tags"),
        })
        .await?;
    Ok(json(&json!({ "model": LoggedModelWire::from(&model) })))
}

static GET: Shape = Shape(&[Field::new("allow_deleted", Kind::Bool, &[])]);

async fn get_model(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result {
    let fields = from_query(request.uri().query().unwrap_or_default(), &GET)?;
    let model = if fields.bool("allow_deleted").unwrap_or(false) {
        api.tracking.logged_models.get_or_deleted(&model_id).await?
    } else {
        api.tracking.logged_models.get(&model_id).await?
    };
    Ok(json(&json!({ "model": LoggedModelWire::from(&model) })))
}

static FINALIZE: Shape = Shape(&[
    Field::new("model_id", Kind::Text, &[Check::Text, Check::Required]),
    Field::new("status", Kind::Enum, &[Check::IntLike, Check::Required]),
]);

async fn finalize(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &FINALIZE).await?;
    let status = fields.number_of("status", STATUSES).map(status).unwrap_or_default();
    let model = api.tracking.logged_models.finalize(&fields.text("model_id"), status).await?;
    Ok(json(&json!({ "model": LoggedModelWire::from(&model) })))
}

async fn delete_model(State(api): State<Api>, Path(model_id): Path<String>) -> Result {
    api.tracking.logged_models.delete(&model_id).await?;
    Ok(empty())
}

static SET_TAGS: Shape = Shape(&[Field::messages("tags", &KEY_VALUE)]);

async fn set_tags(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result {
    let tags = api.read(request, &SET_TAGS).await?.key_values("tags");
    api.tracking.logged_models.set_tags(&model_id, tags).await?;
    Ok(empty())
}

async fn delete_tag(
    State(api): State<Api>,
    Path((model_id, key)): Path<(String, String)>,
) -> Result {
    api.tracking.logged_models.delete_tag(&model_id, &key).await?;
    Ok(empty())
}

static LOG_PARAMS: Shape = Shape(&[
    Field::new("model_id", Kind::Text, &[Check::Text, Check::Required]),
    Field::messages("params", &KEY_VALUE),
]);

async fn log_params(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result {
    // The body must name a model, and the path decides: as upstream.
    let params = api.read(request, &LOG_PARAMS).await?.key_values("params");
    api.tracking.logged_models.log_params(&model_id, params).await?;
    Ok(empty())
}

static DATASET: Shape = Shape(&[Field::text("dataset_name"), Field::text("dataset_digest")]);

static ORDER_BY: Shape = Shape(&[
    Field::text("field_name"),
    Field::new("ascending", Kind::Bool, &[]),
    Field::text("dataset_name"),
    Field::text("dataset_digest"),
]);

static SEARCH: Shape = Shape(&[
    Field::list("experiment_ids", Kind::Text, &[Check::Array, Check::TextItems, Check::Required]),
    Field::text("filter"),
    Field::messages("datasets", &DATASET),
    Field::new("max_results", Kind::Int32, &[Check::IntLike]),
    Field::messages("order_by", &ORDER_BY),
    Field::text("page_token"),
]);

async fn search(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SEARCH).await?;
    let datasets = fields
        .messages("datasets")
        .iter_mut()
        .map(|dataset| DatasetFilter {
            dataset_name: dataset.text("dataset_name"),
            dataset_digest: dataset.filled_text("dataset_digest"),
        })
        .collect();
    let order_by = fields
        .messages("order_by")
        .iter_mut()
        .map(|order| OrderLoggedModels {
            field_name: order.text("field_name"),
            ascending: order.bool("ascending").unwrap_or(true),
            dataset_name: order.filled_text("dataset_name"),
            dataset_digest: order.filled_text("dataset_digest"),
        })
        .collect();
    let page = api
        .tracking
        .logged_models
        .search(SearchLoggedModels {
            experiment_ids: fields.texts("experiment_ids"),
            filter: fields.text("filter"),
            datasets,
            max_results: fields.int("max_results"),
            order_by,
            page_token: fields.filled_text("page_token"),
        })
        .await?;
    Ok(json(&PageWire {
        name: "models",
        items: all::<_, LoggedModelWire<'_>>(&page.items),
        token: page.next_page_token.as_deref(),
    }))
}
