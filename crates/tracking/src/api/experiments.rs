//! `experiments/*`.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::json;
use trainyard_mlflow::SearchExperiments;
use trainyard_mlflow::entities::{KeyValue, ViewType};

use super::artifact_location;
use super::error::{Result, empty, json};
use super::fields::Check::Required;
use super::message::message;
use super::request::Fields;
use super::state::Api;
use super::wire::{ExperimentWire, PageWire};
use crate::error::invalid;

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/experiments/create", post(create))
        .route("/experiments/get", get(get_by_id))
        .route("/experiments/get-by-name", get(get_by_name))
        .route("/experiments/search", get(search).post(search))
        .route("/experiments/update", post(update))
        .route("/experiments/delete", post(delete))
        .route("/experiments/restore", post(restore))
        .route("/experiments/set-experiment-tag", post(set_tag))
        .route("/experiments/delete-experiment-tag", post(delete_tag))
        .route("/experiments/search-datasets", post(search_datasets))
}

message! {
    struct Create {
        name: String [Required],
        artifact_location: Option<String>,
        tags: Vec<KeyValue>,
    }
}

async fn create(State(api): State<Api>, Fields(asked, ..): Fields<Create>) -> Result {
    let location = asked.artifact_location.as_deref();
    if let Some(location) = location {
        artifact_location::check(location, &api.options.hosts)?;
    }
    let experiment_id = api.tracking.experiments.create(&asked.name, location, &asked.tags).await?;
    Ok(json(&json!({ "experiment_id": experiment_id })))
}

message! { pub(super) struct ById { pub(super) experiment_id: String [Required] } }

async fn get_by_id(State(api): State<Api>, Fields(asked, ..): Fields<ById>) -> Result {
    let experiment = api.tracking.experiments.get(&asked.experiment_id).await?;
    Ok(json(&json!({ "experiment": ExperimentWire::from(&experiment) })))
}

message! { struct ByName { experiment_name: String [Required] } }

async fn get_by_name(State(api): State<Api>, Fields(asked, ..): Fields<ByName>) -> Result {
    let experiment = api.tracking.experiments.get_by_name(&asked.experiment_name).await?;
    Ok(json(&json!({ "experiment": ExperimentWire::from(&experiment) })))
}

message! {
    SearchExperiments {
        view_type: ViewType,
        max_results: Option<i64>,
        order_by: Vec<String>,
        filter: String,
        page_token: Option<String>,
    }
}

async fn search(
    State(api): State<Api>,
    Fields(mut search, ..): Fields<SearchExperiments>,
) -> Result {
    // Required on the wire: absent is zero, which the store refuses.
    search.max_results.get_or_insert(0);
    let page = api.tracking.experiments.search(search).await?;
    Ok(json(&PageWire::of::<_, ExperimentWire<'_>>("experiments", &page)))
}

message! { struct Update { experiment_id: String [Required], new_name: String [Required] } }

async fn update(State(api): State<Api>, Fields(asked, ..): Fields<Update>) -> Result {
    api.tracking.experiments.rename(&asked.experiment_id, &asked.new_name).await?;
    Ok(empty())
}

async fn delete(State(api): State<Api>, Fields(asked, ..): Fields<ById>) -> Result {
    api.tracking.experiments.delete(&asked.experiment_id).await?;
    Ok(empty())
}

async fn restore(State(api): State<Api>, Fields(asked, ..): Fields<ById>) -> Result {
    api.tracking.experiments.restore(&asked.experiment_id).await?;
    Ok(empty())
}

message! {
    struct SetTag { experiment_id: String [Required], key: String [Required], value: String }
}

async fn set_tag(State(api): State<Api>, Fields(asked, ..): Fields<SetTag>) -> Result {
    let tag = KeyValue { key: asked.key, value: asked.value };
    api.tracking.experiments.set_tag(&asked.experiment_id, tag).await?;
    Ok(empty())
}

message! { struct DeleteTag { experiment_id: String [Required], key: String [Required] } }

async fn delete_tag(State(api): State<Api>, Fields(asked, ..): Fields<DeleteTag>) -> Result {
    api.tracking.experiments.delete_tag(&asked.experiment_id, &asked.key).await?;
    Ok(empty())
}

/// Most experiments of one dataset search.
const DATASET_EXPERIMENTS_MAX: usize = 20;

message! { pub(super) struct SearchDatasets { pub(super) experiment_ids: Vec<String> } }

async fn search_datasets(
    State(api): State<Api>,
    Fields(asked, ..): Fields<SearchDatasets>,
) -> Result {
    let ids = asked.experiment_ids;
    if ids.is_empty() {
        return invalid!("SearchDatasets request must specify at least one experiment_id.");
    }
    if ids.len() > DATASET_EXPERIMENTS_MAX {
        return invalid!(
            "SearchDatasets request cannot specify more than {DATASET_EXPERIMENTS_MAX} \
             experiment_ids. Received {} experiment_ids.",
            ids.len()
        );
    }
    let items = api.tracking.experiments.search_datasets(&ids).await?;
    Ok(json(&PageWire { name: "dataset_summaries", items, token: None }))
}
