//! `model-versions/*`.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use serde_json::{Map, Value, json};
use trainyard_mlflow::entities::{KeyValue, ModelVersion};
use trainyard_mlflow::{
    CreateModelVersion, Error, SearchModelVersions, VERSIONS_TAG, VersionId, versions_with,
};

use super::error::{ApiError, Result, empty, json};
use super::fields::Check::{AtMost, Required};
use super::fields::Field;
use super::message::{Given, Message, message};
use super::request::Fields;
use super::source_policy::check_source;
use super::state::Api;
use super::wire::{ModelVersionWire, PageWire};
use crate::store::python;

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

pub(super) fn answer(version: &ModelVersion) -> Response {
    json(&json!({ "model_version": ModelVersionWire::from(version) }))
}

message! {
    CreateModelVersion {
        name: String [Required],
        source: String [Required],
        run_id: Option<String>,
        tags: Vec<KeyValue>,
        run_link: Option<String>,
        description: Option<String>,
        model_id: Option<String>,
    }
}

/// A new version, and whether it names a run or model by an empty id.
#[derive(Debug)]
struct Create {
    version: CreateModelVersion,
    names_nobody: bool,
}

impl Message for Create {
    const FIELDS: &'static [Field] = CreateModelVersion::FIELDS;

    fn of_checked(members: Map<String, Value>) -> trainyard_mlflow::Result<Self> {
        let is_empty = |name: &str| members.get(name).and_then(Value::as_str) == Some("");
        let names_nobody = is_empty("run_id") || is_empty("model_id");
        Ok(Self { version: CreateModelVersion::of_checked(members)?, names_nobody })
    }
}

async fn create(State(api): State<Api>, Fields(asked, ..): Fields<Create>) -> Result {
    let Create { version, names_nobody } = asked;
    let hosts = &api.options.hosts;
    let mut version = check_source(&api.tracking, hosts, version, names_nobody).await?;
    // What is not given is kept as empty text, which is how upstream's filters find it.
    for text in [&mut version.run_id, &mut version.run_link, &mut version.description] {
        text.get_or_insert_default();
    }
    let model_id = version.model_id.clone();
    let version = api.tracking.model_versions.create(version).await?;
    if let Some(model_id) = model_id {
        tag_model(&api, &model_id, &version).await?;
    }
    Ok(answer(&version))
}

/// Notes on a logged model that a version is made of it.
async fn tag_model(api: &Api, model_id: &str, version: &ModelVersion) -> Result<(), ApiError> {
    let model = api.tracking.logged_models.get(model_id).await?;
    let Some(versions) = versions_with(&model, version) else { return Ok(()) };
    let value = python::spaced_json(&versions)
        .map_err(|error| Error::internal(format!("a tag that is no JSON: {error}")))?;
    let tag = KeyValue { key: VERSIONS_TAG.to_owned(), value };
    api.tracking.logged_models.set_versions_tag(model_id, tag).await?;
    Ok(())
}

message! { struct ByVersion { name: String [Required], version: String [Required] } }

fn id<'a>(name: &'a str, version: &'a str) -> VersionId<'a> {
    VersionId { name, version }
}

async fn get_version(State(api): State<Api>, Fields(asked, ..): Fields<ByVersion>) -> Result {
    let version = api.tracking.model_versions.get(id(&asked.name, &asked.version)).await?;
    Ok(answer(&version))
}

message! {
    struct Update { name: String [Required], version: String [Required], description: Given }
}

async fn update(State(api): State<Api>, Fields(asked, ..): Fields<Update>) -> Result {
    let Update { name, version, description: Given(description) } = asked;
    let version =
        api.tracking.model_versions.update(id(&name, &version), description.as_deref()).await?;
    Ok(answer(&version))
}

message! {
    struct Transition {
        name: String [Required],
        version: String [Required],
        stage: String [Required],
        archive_existing_versions: bool,
    }
}

async fn transition(State(api): State<Api>, Fields(asked, ..): Fields<Transition>) -> Result {
    let Transition { name, version, stage, archive_existing_versions: archive } = asked;
    let version =
        api.tracking.model_versions.transition_stage(id(&name, &version), &stage, archive).await?;
    Ok(answer(&version))
}

async fn delete_version(State(api): State<Api>, Fields(asked, ..): Fields<ByVersion>) -> Result {
    api.tracking.model_versions.delete(id(&asked.name, &asked.version)).await?;
    Ok(empty())
}

message! {
    pub(super) struct Search {
        filter: String,
        max_results: Option<i64> [AtMost(SEARCH_RESULTS_MAX)],
        order_by: Vec<String>,
        page_token: Option<String>,
        /// Only here: upstream's searches leave aliases out, whoever asks.
        include_aliases: Option<bool>,
    }
}

impl From<Search> for SearchModelVersions {
    fn from(search: Search) -> Self {
        let Search { filter, max_results, order_by, page_token, include_aliases: _ } = search;
        Self { filter, max_results, order_by, page_token }
    }
}

async fn search(State(api): State<Api>, Fields(asked, ..): Fields<Search>) -> Result {
    let with_aliases = asked.include_aliases.unwrap_or(api.options.aliases_in_search);
    let mut page = api.tracking.model_versions.search(asked.into()).await?;
    if !with_aliases {
        page.items.iter_mut().for_each(|version| version.aliases.clear());
    }
    Ok(json(&PageWire::of::<_, ModelVersionWire<'_>>("model_versions", &page)))
}

message! { struct DownloadUri { name: String, version: String } }

async fn download_uri(State(api): State<Api>, Fields(asked, ..): Fields<DownloadUri>) -> Result {
    let DownloadUri { name, version } = asked;
    let uri = api.tracking.model_versions.download_uri(id(&name, &version)).await?;
    Ok(json(&json!({ "artifact_uri": uri })))
}

message! {
    struct SetTag {
        name: String [Required],
        version: String [Required],
        key: String [Required],
        value: String,
    }
}

async fn set_tag(State(api): State<Api>, Fields(asked, ..): Fields<SetTag>) -> Result {
    let tag = KeyValue { key: asked.key, value: asked.value };
    api.tracking.model_versions.set_tag(id(&asked.name, &asked.version), tag).await?;
    Ok(empty())
}

message! {
    struct DeleteTag {
        name: String [Required],
        version: String [Required],
        key: String [Required],
    }
}

async fn delete_tag(State(api): State<Api>, Fields(asked, ..): Fields<DeleteTag>) -> Result {
    let DeleteTag { name, version, key } = asked;
    api.tracking.model_versions.delete_tag(id(&name, &version), &key).await?;
    Ok(empty())
}
