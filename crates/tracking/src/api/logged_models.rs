//! `logged-models/*` but for their artifacts.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use serde_json::json;
use trainyard_mlflow::entities::{KeyValue, LoggedModel, LoggedModelStatus};
use trainyard_mlflow::{CreateLoggedModel, DatasetFilter, OrderLoggedModels, SearchLoggedModels};

use super::error::{Result, empty, json};
use super::fields::Check::{Int32, Required, Type};
use super::message::message;
use super::request::{Fields, Query};
use super::state::Api;
use super::wire::{LoggedModelWire, PageWire};

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

fn answer(model: &LoggedModel) -> Response {
    json(&json!({ "model": LoggedModelWire::from(model) }))
}

message! {
    CreateLoggedModel {
        experiment_id: String [Required],
        name: Option<String>,
        model_type: Option<String>,
        source_run_id: Option<String>,
        params: Vec<KeyValue>,
        tags: Vec<KeyValue>,
    }
}

async fn create(State(api): State<Api>, Fields(asked, ..): Fields<CreateLoggedModel>) -> Result {
    let model = api.tracking.logged_models.create(asked).await?;
    Ok(answer(&model))
}

message! { struct Get { allow_deleted: bool } }

async fn get_model(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    Query(asked): Query<Get>,
) -> Result {
    let model = if asked.allow_deleted {
        api.tracking.logged_models.get_or_deleted(&model_id).await?
    } else {
        api.tracking.logged_models.get(&model_id).await?
    };
    Ok(answer(&model))
}

message! { struct Finalize { model_id: String [Required], status: LoggedModelStatus [Required] } }

async fn finalize(State(api): State<Api>, Fields(asked, ..): Fields<Finalize>) -> Result {
    let model = api.tracking.logged_models.finalize(&asked.model_id, asked.status).await?;
    Ok(answer(&model))
}

async fn delete_model(State(api): State<Api>, Path(model_id): Path<String>) -> Result {
    api.tracking.logged_models.delete(&model_id).await?;
    Ok(empty())
}

message! { struct SetTags { tags: Vec<KeyValue> } }

async fn set_tags(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    Fields(asked, ..): Fields<SetTags>,
) -> Result {
    api.tracking.logged_models.set_tags(&model_id, asked.tags).await?;
    Ok(empty())
}

async fn delete_tag(
    State(api): State<Api>,
    Path((model_id, key)): Path<(String, String)>,
) -> Result {
    api.tracking.logged_models.delete_tag(&model_id, &key).await?;
    Ok(empty())
}

message! {
    struct LogParams {
        /// The body must name a model, and the path decides: as upstream.
        _model_id as model_id: String [Required],
        params: Vec<KeyValue>,
    }
}

async fn log_params(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    Fields(asked, ..): Fields<LogParams>,
) -> Result {
    api.tracking.logged_models.log_params(&model_id, asked.params).await?;
    Ok(empty())
}

message! { DatasetFilter { dataset_name: String, dataset_digest: Option<String> } }

message! {
    struct OrderBy {
        field_name: String,
        ascending: Option<bool>,
        dataset_name: Option<String>,
        dataset_digest: Option<String>,
    }
}

message! {
    struct Search {
        experiment_ids: Vec<String> [Type, Required],
        filter: String,
        datasets: Vec<DatasetFilter>,
        max_results: Option<i64> [Int32],
        order_by: Vec<OrderBy>,
        page_token: Option<String>,
    }
}

async fn search(State(api): State<Api>, Fields(asked, ..): Fields<Search>) -> Result {
    let Search { experiment_ids, filter, datasets, max_results, order_by, page_token } = asked;
    let order_by = order_by
        .into_iter()
        .map(|by| OrderLoggedModels {
            field_name: by.field_name,
            ascending: by.ascending.unwrap_or(true),
            dataset_name: by.dataset_name,
            dataset_digest: by.dataset_digest,
        })
        .collect();
    let search =
        SearchLoggedModels { experiment_ids, filter, datasets, max_results, order_by, page_token };
    let page = api.tracking.logged_models.search(search).await?;
    Ok(json(&PageWire::of::<_, LoggedModelWire<'_>>("models", &page)))
}
