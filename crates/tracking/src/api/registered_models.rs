//! `registered-models/*`.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{delete, get, patch, post};
use serde_json::json;
use trainyard_mlflow::{AliasId, SearchRegisteredModels, VersionId};

use super::Api;
use super::error::{Result, empty, json};
use super::shape::{Check, Field, KEY_VALUE, Kind, Shape};
use super::wire::{ModelVersionWire, PageWire, RegisteredModelWire, all};

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/registered-models/create", post(create))
        .route("/registered-models/get", get(get_model))
        .route("/registered-models/rename", post(rename))
        .route("/registered-models/update", patch(update))
        .route("/registered-models/delete", delete(delete_model))
        .route("/registered-models/search", get(search))
        .route("/registered-models/get-latest-versions", get(latest_versions).post(latest_versions))
        .route("/registered-models/set-tag", post(set_tag))
        .route("/registered-models/delete-tag", delete(delete_tag))
        .route(
            "/registered-models/alias",
            get(version_by_alias).post(set_alias).delete(delete_alias),
        )
}

/// Most results of one search.
const SEARCH_RESULTS_MAX: i64 = 1000;

/// Registry endpoints ask for the type before they ask whether it is there.
const TEXT_REQUIRED: &[Check] = &[Check::Text, Check::Required];

static CREATE: Shape = Shape(&[
    Field::new("name", Kind::Text, TEXT_REQUIRED),
    Field::messages("tags", &KEY_VALUE),
    Field::text("description"),
]);

async fn create(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &CREATE).await?;
    let name = fields.text("name");
    let tags = fields.key_values("tags");
    // Not given is kept as empty text, as upstream does.
    let description = fields.text("description");
    let model = api.tracking.registered_models.create(&name, &tags, Some(&description)).await?;
    Ok(json(&json!({ "registered_model": RegisteredModelWire::from(&model) })))
}

static BY_NAME: Shape = Shape(&[Field::new("name", Kind::Text, TEXT_REQUIRED)]);

async fn get_model(State(api): State<Api>, request: Request) -> Result {
    let name = api.read(request, &BY_NAME).await?.text("name");
    let model = api.tracking.registered_models.get(&name).await?;
    Ok(json(&json!({ "registered_model": RegisteredModelWire::from(&model) })))
}

static RENAME: Shape = Shape(&[
    Field::new("name", Kind::Text, TEXT_REQUIRED),
    Field::new("new_name", Kind::Text, TEXT_REQUIRED),
]);

async fn rename(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &RENAME).await?;
    let name = fields.text("name");
    let model = api.tracking.registered_models.rename(&name, &fields.text("new_name")).await?;
    Ok(json(&json!({ "registered_model": RegisteredModelWire::from(&model) })))
}

static UPDATE: Shape =
    Shape(&[Field::new("name", Kind::Text, TEXT_REQUIRED), Field::text("description")]);

async fn update(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &UPDATE).await?;
    let name = fields.text("name");
    let description = fields.optional_text("description");
    let model = api.tracking.registered_models.update(&name, description.as_deref()).await?;
    Ok(json(&json!({ "registered_model": RegisteredModelWire::from(&model) })))
}

async fn delete_model(State(api): State<Api>, request: Request) -> Result {
    let name = api.read(request, &BY_NAME).await?.text("name");
    api.tracking.registered_models.delete(&name).await?;
    Ok(empty())
}

static SEARCH: Shape = Shape(&[
    Field::text("filter"),
    Field::new("max_results", Kind::Int64, &[Check::IntLike, Check::AtMost(SEARCH_RESULTS_MAX)]),
    Field::texts("order_by"),
    Field::text("page_token"),
]);

async fn search(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SEARCH).await?;
    let mut page = api
        .tracking
        .registered_models
        .search(SearchRegisteredModels {
            filter: fields.text("filter"),
            max_results: fields.int("max_results"),
            order_by: fields.texts("order_by"),
            page_token: fields.filled_text("page_token"),
        })
        .await?;
    // Searches answer with the stages in the order of their names, `get` in that of the versions.
    for model in &mut page.items {
        model.latest_versions.sort_by(|a, b| a.current_stage.cmp(&b.current_stage));
    }
    Ok(json(&PageWire {
        name: "registered_models",
        items: all::<_, RegisteredModelWire<'_>>(&page.items),
        token: page.next_page_token.as_deref(),
    }))
}

static LATEST: Shape =
    Shape(&[Field::new("name", Kind::Text, TEXT_REQUIRED), Field::texts("stages")]);

async fn latest_versions(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &LATEST).await?;
    let name = fields.text("name");
    let versions =
        api.tracking.registered_models.get_latest_versions(&name, &fields.texts("stages")).await?;
    Ok(json(&PageWire {
        name: "model_versions",
        items: all::<_, ModelVersionWire<'_>>(&versions),
        token: None,
    }))
}

static SET_TAG: Shape = Shape(&[
    Field::new("name", Kind::Text, TEXT_REQUIRED),
    Field::new("key", Kind::Text, TEXT_REQUIRED),
    Field::text("value"),
]);

async fn set_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SET_TAG).await?;
    let name = fields.text("name");
    api.tracking.registered_models.set_tag(&name, fields.key_value()).await?;
    Ok(empty())
}

static DELETE_TAG: Shape = Shape(&[
    Field::new("name", Kind::Text, TEXT_REQUIRED),
    Field::new("key", Kind::Text, TEXT_REQUIRED),
]);

async fn delete_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &DELETE_TAG).await?;
    let name = fields.text("name");
    api.tracking.registered_models.delete_tag(&name, &fields.text("key")).await?;
    Ok(empty())
}

static ALIAS: Shape = Shape(&[
    Field::new("name", Kind::Text, TEXT_REQUIRED),
    Field::new("alias", Kind::Text, TEXT_REQUIRED),
]);

static SET_ALIAS: Shape = Shape(&[
    Field::new("name", Kind::Text, TEXT_REQUIRED),
    Field::new("alias", Kind::Text, TEXT_REQUIRED),
    Field::new("version", Kind::Text, TEXT_REQUIRED),
]);

async fn version_by_alias(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &ALIAS).await?;
    let name = fields.text("name");
    let version = api
        .tracking
        .registered_models
        .get_by_alias(AliasId { name: &name, alias: &fields.text("alias") })
        .await?;
    Ok(json(&json!({ "model_version": ModelVersionWire::from(&version) })))
}

async fn set_alias(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SET_ALIAS).await?;
    let name = fields.text("name");
    let alias = fields.text("alias");
    api.tracking
        .registered_models
        .set_alias(VersionId { name: &name, version: &fields.text("version") }, &alias)
        .await?;
    Ok(empty())
}

async fn delete_alias(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &ALIAS).await?;
    let name = fields.text("name");
    api.tracking
        .registered_models
        .delete_alias(AliasId { name: &name, alias: &fields.text("alias") })
        .await?;
    Ok(empty())
}
