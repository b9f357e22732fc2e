//! `datasets`: datasets of examples that applications are evaluated with.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Value, json};
use trainyard_mlflow::entities::KeyValue;
use trainyard_mlflow::{Error, EvaluationDataset, SearchEvaluationDatasets};

use super::error::{Result, empty, json};
use super::fields::Check::Required;
use super::message::message;
use super::request::Fields;
use super::state::Api;
use super::trace_wire::datasets;
use super::wire::PageWire;
use crate::error::invalid;
use crate::store::python::spaced_json;

/// Routes below `/api/3.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/datasets/create", post(create))
        .route("/datasets/search", get(search).post(search))
        .route("/datasets/{dataset_id}", get(get_one).delete(remove))
        .route("/datasets/{dataset_id}/tags", patch(set_tags))
        .route("/datasets/{dataset_id}/tags/{key}", delete(delete_tag))
        .route(
            "/datasets/{dataset_id}/records",
            get(records).post(upsert_records).delete(delete_records),
        )
        .route("/datasets/{dataset_id}/experiment-ids", get(experiment_ids))
        .route("/datasets/{dataset_id}/add-experiments", post(add_experiments))
        .route("/datasets/{dataset_id}/remove-experiments", post(remove_experiments))
}

/// A dataset in an answer, without what is unset.
struct DatasetWire<'a>(&'a EvaluationDataset);

impl<'a> From<&'a EvaluationDataset> for DatasetWire<'a> {
    fn from(dataset: &'a EvaluationDataset) -> Self {
        Self(dataset)
    }
}

impl Serialize for DatasetWire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dataset = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("dataset_id", &dataset.dataset_id)?;
        map.serialize_entry("name", &dataset.name)?;
        let tags: serde_json::Map<String, Value> =
            dataset.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone().into())).collect();
        // A JSON text, as upstream has it.
        map.serialize_entry("tags", &spaced_json(&tags).unwrap_or_default())?;
        if let Some(schema) = &dataset.schema {
            map.serialize_entry("schema", schema)?;
        }
        if let Some(profile) = &dataset.profile {
            map.serialize_entry("profile", profile)?;
        }
        map.serialize_entry("digest", &dataset.digest)?;
        map.serialize_entry("created_time", &dataset.created_time)?;
        map.serialize_entry("last_update_time", &dataset.last_update_time)?;
        if let Some(user) = &dataset.created_by {
            map.serialize_entry("created_by", user)?;
        }
        if let Some(user) = &dataset.last_updated_by {
            map.serialize_entry("last_updated_by", user)?;
        }
        if !dataset.experiment_ids.is_empty() {
            map.serialize_entry("experiment_ids", &dataset.experiment_ids)?;
        }
        map.end()
    }
}

fn answer(dataset: &EvaluationDataset) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        dataset: DatasetWire<'a>,
    }
    json(&Answer { dataset: DatasetWire(dataset) })
}

/// Tags of a JSON text; null is none.
fn tags_of(text: &str) -> Result<Vec<KeyValue>, Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("tags is no JSON: {error}")))?;
    let Value::Object(members) = value else { return invalid!("tags is no JSON object") };
    let tags = members.into_iter().filter(|(_, value)| !value.is_null());
    Ok(tags
        .map(|(key, value)| match value {
            Value::String(text) => KeyValue::new(key, text),
            value => KeyValue::new(key, value.to_string()),
        })
        .collect())
}

message! {
    struct Create { name: String [Required], experiment_ids: Vec<String>, tags: String }
}

async fn create(State(api): State<Api>, Fields(asked, ..): Fields<Create>) -> Result {
    let tags = tags_of(&asked.tags)?;
    Ok(answer(&datasets(&api)?.create(&asked.name, asked.experiment_ids, tags).await?))
}

async fn get_one(State(api): State<Api>, Path(dataset_id): Path<String>) -> Result {
    Ok(answer(&datasets(&api)?.get(&dataset_id).await?))
}

async fn remove(State(api): State<Api>, Path(dataset_id): Path<String>) -> Result {
    datasets(&api)?.delete(&dataset_id).await?;
    Ok(empty())
}

message! {
    struct Search {
        experiment_ids: Vec<String>,
        filter_string: String,
        max_results: Option<i64>,
        order_by: Vec<String>,
        page_token: Option<String>,
    }
}

async fn search(State(api): State<Api>, Fields(asked, ..): Fields<Search>) -> Result {
    if asked.max_results == Some(0) {
        return invalid!(
            "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"
        );
    }
    let search = SearchEvaluationDatasets {
        experiment_ids: asked.experiment_ids,
        filter: asked.filter_string,
        max_results: asked.max_results.unwrap_or_default(),
        order_by: asked.order_by,
        page_token: asked.page_token,
    };
    let mut page = datasets(&api)?.search(search).await?;
    // Upstream's lists leave them out: its client asks for them where they are wanted.
    for dataset in &mut page.items {
        dataset.experiment_ids.clear();
    }
    Ok(json(&PageWire::of::<_, DatasetWire<'_>>("datasets", &page)))
}

message! { struct SetTags { tags: String [Required] } }

async fn set_tags(
    State(api): State<Api>,
    Path(dataset_id): Path<String>,
    Fields(asked, ..): Fields<SetTags>,
) -> Result {
    datasets(&api)?.set_tags(&dataset_id, tags_of(&asked.tags)?).await?;
    Ok(empty())
}

async fn delete_tag(
    State(api): State<Api>,
    Path((dataset_id, key)): Path<(String, String)>,
) -> Result {
    datasets(&api)?.delete_tag(&dataset_id, &key).await?;
    Ok(empty())
}

async fn experiment_ids(State(api): State<Api>, Path(dataset_id): Path<String>) -> Result {
    let items = datasets(&api)?.experiment_ids(&dataset_id).await?;
    Ok(json(&PageWire { name: "experiment_ids", items, token: None }))
}

message! { struct Experiments { experiment_ids: Vec<String> } }

async fn add_experiments(
    State(api): State<Api>,
    Path(dataset_id): Path<String>,
    Fields(asked, ..): Fields<Experiments>,
) -> Result {
    let ids = asked.experiment_ids;
    Ok(answer(&datasets(&api)?.add_to_experiments(&dataset_id, ids).await?))
}

async fn remove_experiments(
    State(api): State<Api>,
    Path(dataset_id): Path<String>,
    Fields(asked, ..): Fields<Experiments>,
) -> Result {
    let ids = asked.experiment_ids;
    Ok(answer(&datasets(&api)?.remove_from_experiments(&dataset_id, ids).await?))
}

message! { struct Upsert { records: String [Required] } }

async fn upsert_records(
    State(api): State<Api>,
    Path(dataset_id): Path<String>,
    Fields(asked, mut share): Fields<Upsert>,
) -> Result {
    let records = match &mut share {
        Some(share) => super::json::value(asked.records.as_bytes(), share)?,
        None => None,
    };
    let Some(Value::Array(records)) = records else {
        return invalid!("records is no JSON list");
    };
    let (inserted, updated) = datasets(&api)?.upsert_records(&dataset_id, records).await?;
    Ok(json(&json!({ "inserted_count": inserted, "updated_count": updated })))
}

message! { struct Records { max_results: Option<i64>, page_token: Option<String> } }

async fn records(
    State(api): State<Api>,
    Path(dataset_id): Path<String>,
    Fields(asked, ..): Fields<Records>,
) -> Result {
    #[derive(Serialize)]
    struct Answer {
        /// A JSON text, as upstream has it.
        records: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_page_token: Option<String>,
    }
    let max_results = asked.max_results.unwrap_or_default();
    let page = datasets(&api)?.records(&dataset_id, max_results, asked.page_token).await?;
    let records = spaced_json(&page.items)
        .map_err(|error| Error::internal(format!("records could not be written: {error}")))?;
    Ok(json(&Answer { records, next_page_token: page.next_page_token }))
}

message! { struct DeleteRecords { dataset_record_ids: Vec<String> } }

async fn delete_records(
    State(api): State<Api>,
    Path(dataset_id): Path<String>,
    Fields(asked, ..): Fields<DeleteRecords>,
) -> Result {
    let ids = asked.dataset_record_ids;
    let deleted = datasets(&api)?.delete_records(&dataset_id, ids).await?;
    Ok(json(&json!({ "deleted_count": deleted })))
}
