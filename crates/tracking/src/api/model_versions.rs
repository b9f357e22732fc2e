//! `model-versions/*`.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{delete, get, patch, post};
use serde_json::{Value, json};
use trainyard_mlflow::entities::{KeyValue, ModelVersion};
use trainyard_mlflow::{CreateModelVersion, SearchModelVersions, VersionId};

use super::Api;
use super::error::{ApiError, Result, empty, json};
use super::locations::check_source;
use super::request::Fields;
use super::shape::{Check, Field, KEY_VALUE, Kind, Shape};
use super::wire::{ModelVersionWire, PageWire, all};

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/model-versions/create", post(create))
        .route("/model-versions/get", get(get_version))
        .route("/model-versions/update", patch(update))
        .route("/model-versions/transition-stage", post(transition))
        .route("/model-versions/delete", delete(delete_version))
        .route("/model-versions/search", get(search))
        .route("/model-versions/get-download-uri", get(download_uri))
        .route("/model-versions/set-tag", post(set_tag))
        .route("/model-versions/delete-tag", delete(delete_tag))
}

/// Most results of one search, and the default.
const SEARCH_RESULTS_MAX: i64 = 200_000;

const TEXT_REQUIRED: &[Check] = &[Check::Text, Check::Required];
const NAME: Field = Field::new("name", Kind::Text, TEXT_REQUIRED);
const VERSION: Field = Field::new("version", Kind::Text, TEXT_REQUIRED);

static CREATE: Shape = Shape(&[
    NAME,
    Field::new("source", Kind::Text, TEXT_REQUIRED),
    Field::text("run_id"),
    Field::messages("tags", &KEY_VALUE),
    Field::text("run_link"),
    Field::text("description"),
    Field::text("model_id"),
]);

async fn create(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &CREATE).await?;
    let request = CreateModelVersion {
        name: fields.text("name"),
        source: fields.text("source"),
        run_id: fields.filled_text("run_id"),
        model_id: fields.filled_text("model_id"),
        run_link: fields.filled_text("run_link"),
        description: fields.filled_text("description"),
        tags: fields.key_values("tags"),
    };
    let mut request = check_source(&api.tracking, &api.options.hosts, request).await?;
    // What is not given is kept as empty text, which is how upstream's filters find it.
    for text in [&mut request.run_id, &mut request.run_link, &mut request.description] {
        text.get_or_insert_default();
    }
    let model_id = request.model_id.clone();
    let version = api.tracking.model_versions.create(request).await?;
    if let Some(model_id) = model_id {
        tag_model(&api, &model_id, &version).await?;
    }
    Ok(json(&json!({ "model_version": ModelVersionWire::from(&version) })))
}

/// Tag of logged models: the versions made of them, as JSON.
const MODEL_VERSIONS_TAG: &str = "mlflow.modelVersions";

/// Notes on a logged model that a version is made of it.
async fn tag_model(api: &Api, model_id: &str, version: &ModelVersion) -> Result<(), ApiError> {
    let model = api.tracking.logged_models.get(model_id).await?;
    let known = KeyValue::find(&model.info.tags, MODEL_VERSIONS_TAG).unwrap_or("[]");
    let mut versions: Vec<Value> = serde_json::from_str(known).unwrap_or_default();
    // As text: so the Python client, which does the same once more, finds it.
    let this = json!({ "name": version.name, "version": version.version });
    if versions.contains(&this) {
        return Ok(());
    }
    versions.push(this);
    let value = Value::Array(versions).to_string();
    let tag = KeyValue { key: MODEL_VERSIONS_TAG.to_owned(), value };
    api.tracking.logged_models.set_tags(model_id, vec![tag]).await?;
    Ok(())
}

static BY_VERSION: Shape = Shape(&[NAME, VERSION]);

fn name_and_version(fields: &mut Fields) -> (String, String) {
    (fields.text("name"), fields.text("version"))
}

async fn get_version(State(api): State<Api>, request: Request) -> Result {
    let (name, version) = name_and_version(&mut api.read(request, &BY_VERSION).await?);
    let version =
        api.tracking.model_versions.get(VersionId { name: &name, version: &version }).await?;
    Ok(json(&json!({ "model_version": ModelVersionWire::from(&version) })))
}

static UPDATE: Shape = Shape(&[NAME, VERSION, Field::text("description")]);

async fn update(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &UPDATE).await?;
    let (name, version) = name_and_version(&mut fields);
    let description = fields.optional_text("description");
    let version = api
        .tracking
        .model_versions
        .update(VersionId { name: &name, version: &version }, description.as_deref())
        .await?;
    Ok(json(&json!({ "model_version": ModelVersionWire::from(&version) })))
}

static TRANSITION: Shape = Shape(&[
    NAME,
    VERSION,
    Field::new("stage", Kind::Text, TEXT_REQUIRED),
    Field::new("archive_existing_versions", Kind::Bool, &[Check::Bool]),
]);

async fn transition(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &TRANSITION).await?;
    let (name, version) = name_and_version(&mut fields);
    let stage = fields.text("stage");
    let archive = fields.bool("archive_existing_versions").unwrap_or(false);
    let version = api
        .tracking
        .model_versions
        .transition_stage(VersionId { name: &name, version: &version }, &stage, archive)
        .await?;
    Ok(json(&json!({ "model_version": ModelVersionWire::from(&version) })))
}

async fn delete_version(State(api): State<Api>, request: Request) -> Result {
    let (name, version) = name_and_version(&mut api.read(request, &BY_VERSION).await?);
    api.tracking.model_versions.delete(VersionId { name: &name, version: &version }).await?;
    Ok(empty())
}

pub(super) static SEARCH: Shape = Shape(&[
    Field::text("filter"),
    Field::new("max_results", Kind::Int64, &[Check::IntLike, Check::AtMost(SEARCH_RESULTS_MAX)]),
    Field::texts("order_by"),
    Field::text("page_token"),
    // Only here: upstream's searches leave aliases out, whoever asks.
    Field::new("include_aliases", Kind::Bool, &[Check::Bool]),
]);

/// The search that a request asks for.
pub(super) fn search_of(fields: &mut Fields) -> SearchModelVersions {
    SearchModelVersions {
        filter: fields.text("filter"),
        max_results: fields.int("max_results"),
        order_by: fields.texts("order_by"),
        page_token: fields.filled_text("page_token"),
    }
}

async fn search(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SEARCH).await?;
    let with_aliases = fields.bool("include_aliases").unwrap_or(api.options.aliases_in_search);
    let mut page = api.tracking.model_versions.search(search_of(&mut fields)).await?;
    if !with_aliases {
        page.items.iter_mut().for_each(|version| version.aliases.clear());
    }
    Ok(json(&PageWire {
        name: "model_versions",
        items: all::<_, ModelVersionWire<'_>>(&page.items),
        token: page.next_page_token.as_deref(),
    }))
}

static DOWNLOAD_URI: Shape = Shape(&[Field::text("name"), Field::text("version")]);

async fn download_uri(State(api): State<Api>, request: Request) -> Result {
    let (name, version) = name_and_version(&mut api.read(request, &DOWNLOAD_URI).await?);
    let uri = api
        .tracking
        .model_versions
        .download_uri(VersionId { name: &name, version: &version })
        .await?;
    Ok(json(&json!({ "artifact_uri": uri })))
}

static SET_TAG: Shape =
    Shape(&[NAME, VERSION, Field::new("key", Kind::Text, TEXT_REQUIRED), Field::text("value")]);

async fn set_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SET_TAG).await?;
    let (name, version) = name_and_version(&mut fields);
    api.tracking
        .model_versions
        .set_tag(VersionId { name: &name, version: &version }, fields.key_value())
        .await?;
    Ok(empty())
}

static DELETE_TAG: Shape = Shape(&[NAME, VERSION, Field::new("key", Kind::Text, TEXT_REQUIRED)]);

async fn delete_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &DELETE_TAG).await?;
    let (name, version) = name_and_version(&mut fields);
    api.tracking
        .model_versions
        .delete_tag(VersionId { name: &name, version: &version }, &fields.text("key"))
        .await?;
    Ok(empty())
}
