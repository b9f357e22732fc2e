//! `experiments/*`.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use serde_json::json;
use trainyard_mlflow::entities::{Tag, ViewType};
use trainyard_mlflow::{Error, SearchExperiments};

use super::error::{Result, empty, json};
use super::locations::check_experiment_location;
use super::shape::{Check, Field, KEY_VALUE, Kind, Shape};
use super::wire::{ExperimentWire, PageWire, all};
use super::{Api, VIEW_TYPES, view_type};

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

static CREATE: Shape = Shape(&[
    Field::required("name"),
    Field::text("artifact_location"),
    Field::messages("tags", &KEY_VALUE),
]);

async fn create(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &CREATE).await?;
    let name = fields.text("name");
    let location = fields.filled_text("artifact_location");
    if let Some(location) = &location {
        check_experiment_location(location, &api.options.hosts)?;
    }
    let tags = fields.key_values("tags");
    let experiment_id = api.tracking.experiments.create(&name, location.as_deref(), &tags).await?;
    Ok(json(&json!({ "experiment_id": experiment_id })))
}

static BY_ID: Shape = Shape(&[Field::required("experiment_id")]);

async fn get_by_id(State(api): State<Api>, request: Request) -> Result {
    let id = api.read(request, &BY_ID).await?.text("experiment_id");
    let experiment = api.tracking.experiments.get(&id).await?;
    Ok(json(&json!({ "experiment": ExperimentWire::from(&experiment) })))
}

static BY_NAME: Shape = Shape(&[Field::required("experiment_name")]);

async fn get_by_name(State(api): State<Api>, request: Request) -> Result {
    let name = api.read(request, &BY_NAME).await?.text("experiment_name");
    let experiment = api.tracking.experiments.get_by_name(&name).await?;
    Ok(json(&json!({ "experiment": ExperimentWire::from(&experiment) })))
}

static SEARCH: Shape = Shape(&[
    Field::new("view_type", Kind::Enum, &[Check::IntLike]),
    Field::new("max_results", Kind::Int64, &[Check::IntLike]),
    Field::list("order_by", Kind::Text, &[Check::Array]),
    Field::text("filter"),
    Field::text("page_token"),
]);

async fn search(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SEARCH).await?;
    let search = SearchExperiments {
        view_type: fields
            .number_of("view_type", VIEW_TYPES)
            .map_or(ViewType::ActiveOnly, view_type),
        // Required on the wire: absent is zero, which the store refuses.
        max_results: Some(fields.int("max_results").unwrap_or(0)),
        filter: fields.text("filter"),
        order_by: fields.texts("order_by"),
        page_token: fields.filled_text("page_token"),
    };
    let page = api.tracking.experiments.search(search).await?;
    Ok(json(&PageWire {
        name: "experiments",
        items: all::<_, ExperimentWire<'_>>(&page.items),
        token: page.next_page_token.as_deref(),
    }))
}

static UPDATE: Shape = Shape(&[Field::required("experiment_id"), Field::required("new_name")]);

async fn update(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &UPDATE).await?;
    let id = fields.text("experiment_id");
    api.tracking.experiments.rename(&id, &fields.text("new_name")).await?;
    Ok(empty())
}

async fn delete(State(api): State<Api>, request: Request) -> Result {
    let id = api.read(request, &BY_ID).await?.text("experiment_id");
    api.tracking.experiments.delete(&id).await?;
    Ok(empty())
}

async fn restore(State(api): State<Api>, request: Request) -> Result {
    let id = api.read(request, &BY_ID).await?.text("experiment_id");
    api.tracking.experiments.restore(&id).await?;
    Ok(empty())
}

static SET_TAG: Shape =
    Shape(&[Field::required("experiment_id"), Field::required("key"), Field::text("value")]);

async fn set_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &SET_TAG).await?;
    let id = fields.text("experiment_id");
    let tag: Tag = fields.key_value();
    api.tracking.experiments.set_tag(&id, tag).await?;
    Ok(empty())
}

static DELETE_TAG: Shape = Shape(&[Field::required("experiment_id"), Field::required("key")]);

async fn delete_tag(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &DELETE_TAG).await?;
    let id = fields.text("experiment_id");
    api.tracking.experiments.delete_tag(&id, &fields.text("key")).await?;
    Ok(empty())
}

/// Most experiments of one dataset search.
const DATASET_EXPERIMENTS_MAX: usize = 20;

static SEARCH_DATASETS: Shape = Shape(&[Field::list("experiment_ids", Kind::Text, &[])]);

async fn search_datasets(State(api): State<Api>, request: Request) -> Result {
    let ids = api.read(request, &SEARCH_DATASETS).await?.texts("experiment_ids");
    if ids.is_empty() {
        return Err(Error::invalid(
            "SearchDatasets request must specify at least one experiment_id.",
        )
        .into());
    }
    if ids.len() > DATASET_EXPERIMENTS_MAX {
        return Err(Error::invalid(format!(
            "SearchDatasets request cannot specify more than {DATASET_EXPERIMENTS_MAX} \
             experiment_ids. Received {} experiment_ids.",
            ids.len()
        ))
        .into());
    }
    let items = api.tracking.experiments.search_datasets(&ids).await?;
    Ok(json(&PageWire { name: "dataset_summaries", items, token: None }))
}
