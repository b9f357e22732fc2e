//! `registered-models/*`.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use serde_json::json;
use trainyard_mlflow::entities::{KeyValue, RegisteredModel};
use trainyard_mlflow::{AliasId, SearchRegisteredModels, VersionId};

use super::error::{Result, empty, json};
use super::fields::Check::{AtMost, Required};
use super::message::{Given, message};
use super::model_versions;
use super::request::Fields;
use super::state::Api;
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

fn answer(model: &RegisteredModel) -> Response {
    json(&json!({ "registered_model": RegisteredModelWire::from(model) }))
}

message! { struct Create { name: String [Required], tags: Vec<KeyValue>, description: String } }

async fn create(State(api): State<Api>, Fields(asked, ..): Fields<Create>) -> Result {
    let Create { name, tags, description } = asked;
    // A description that is not given is kept as empty text, as upstream does.
    let model = api.tracking.registered_models.create(&name, &tags, Some(&description)).await?;
    Ok(answer(&model))
}

message! { struct ByName { name: String [Required] } }

async fn get_model(State(api): State<Api>, Fields(asked, ..): Fields<ByName>) -> Result {
    let model = api.tracking.registered_models.get(&asked.name).await?;
    Ok(answer(&model))
}

message! { struct Rename { name: String [Required], new_name: String [Required] } }

async fn rename(State(api): State<Api>, Fields(asked, ..): Fields<Rename>) -> Result {
    let model = api.tracking.registered_models.rename(&asked.name, &asked.new_name).await?;
    Ok(answer(&model))
}

message! { struct Update { name: String [Required], description: Given } }

async fn update(State(api): State<Api>, Fields(asked, ..): Fields<Update>) -> Result {
    let description = asked.description.0.as_deref();
    let model = api.tracking.registered_models.update(&asked.name, description).await?;
    Ok(answer(&model))
}

async fn delete_model(State(api): State<Api>, Fields(asked, ..): Fields<ByName>) -> Result {
    api.tracking.registered_models.delete(&asked.name).await?;
    Ok(empty())
}

message! {
    SearchRegisteredModels {
        filter: String,
        max_results: Option<i64> [AtMost(SEARCH_RESULTS_MAX)],
        order_by: Vec<String>,
        page_token: Option<String>,
    }
}

async fn search(
    State(api): State<Api>,
    Fields(search, ..): Fields<SearchRegisteredModels>,
) -> Result {
    let mut page = api.tracking.registered_models.search(search).await?;
    // Searches answer with the stages in the order of their names, `get` in that of the versions.
    for model in &mut page.items {
        model.latest_versions.sort_by(|a, b| a.current_stage.cmp(&b.current_stage));
    }
    Ok(json(&PageWire::of::<_, RegisteredModelWire<'_>>("registered_models", &page)))
}

message! { struct Latest { name: String [Required], stages: Vec<String> } }

async fn latest_versions(State(api): State<Api>, Fields(asked, ..): Fields<Latest>) -> Result {
    let versions =
        api.tracking.registered_models.get_latest_versions(&asked.name, &asked.stages).await?;
    let items: Vec<ModelVersionWire<'_>> = all(&versions);
    Ok(json(&PageWire { name: "model_versions", items, token: None }))
}

message! { struct SetTag { name: String [Required], key: String [Required], value: String } }

async fn set_tag(State(api): State<Api>, Fields(asked, ..): Fields<SetTag>) -> Result {
    let tag = KeyValue { key: asked.key, value: asked.value };
    api.tracking.registered_models.set_tag(&asked.name, tag).await?;
    Ok(empty())
}

message! { struct DeleteTag { name: String [Required], key: String [Required] } }

async fn delete_tag(State(api): State<Api>, Fields(asked, ..): Fields<DeleteTag>) -> Result {
    api.tracking.registered_models.delete_tag(&asked.name, &asked.key).await?;
    Ok(empty())
}

message! { struct Alias { name: String [Required], alias: String [Required] } }

impl Alias {
    fn id(&self) -> AliasId<'_> {
        AliasId { name: &self.name, alias: &self.alias }
    }
}

async fn version_by_alias(State(api): State<Api>, Fields(asked, ..): Fields<Alias>) -> Result {
    let version = api.tracking.registered_models.get_by_alias(asked.id()).await?;
    Ok(model_versions::answer(&version))
}

message! {
    struct SetAlias {
        name: String [Required],
        alias: String [Required],
        version: String [Required],
    }
}

async fn set_alias(State(api): State<Api>, Fields(asked, ..): Fields<SetAlias>) -> Result {
    let SetAlias { name, alias, version } = asked;
    api.tracking
        .registered_models
        .set_alias(VersionId { name: &name, version: &version }, &alias)
        .await?;
    Ok(empty())
}

async fn delete_alias(State(api): State<Api>, Fields(asked, ..): Fields<Alias>) -> Result {
    api.tracking.registered_models.delete_alias(asked.id()).await?;
    Ok(empty())
}
