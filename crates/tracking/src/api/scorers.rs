//! `scorers/*`: judges of traces, which clients register and load. None runs here.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use serde::Serialize;
use serde_json::json;
use trainyard_mlflow::{Error, ErrorCode, ScorerVersion};

use super::error::{Result, empty, json};
use super::fields::Check::Required;
use super::message::{Raw, message};
use super::request::{Fields, Query};
use super::state::Api;
use super::trace_wire::scorers;
use crate::error::invalid;

/// Routes below `/api/3.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/scorers/register", post(register))
        .route("/scorers/list", get(list))
        .route("/scorers/versions", get(versions))
        .route("/scorers/get", get(get_one))
        .route("/scorers/delete", delete(remove))
        .route("/scorers/online-configs", get(online_configs))
        .route("/scorers/online-config", put(set_online_config))
}

/// A version in an answer.
#[derive(Serialize)]
struct Wire<'a> {
    /// A number here, and nowhere else.
    experiment_id: i64,
    scorer_name: &'a str,
    scorer_version: i64,
    serialized_scorer: &'a str,
    creation_time: i64,
    scorer_id: &'a str,
}

impl<'a> From<&'a ScorerVersion> for Wire<'a> {
    fn from(scorer: &'a ScorerVersion) -> Self {
        Self {
            experiment_id: scorer.experiment_id.parse().unwrap_or_default(),
            scorer_name: &scorer.name,
            scorer_version: scorer.version,
            serialized_scorer: &scorer.serialized,
            creation_time: scorer.creation_time,
            scorer_id: &scorer.scorer_id,
        }
    }
}

/// Those of a list, which is left out if it is empty.
fn listed(found: &[ScorerVersion]) -> Response {
    if found.is_empty() {
        return empty();
    }
    let scorers: Vec<Wire<'_>> = found.iter().map(Wire::from).collect();
    json(&json!({ "scorers": scorers }))
}

message! {
    struct Register {
        experiment_id: String [Required],
        name: String [Required],
        serialized_scorer: String [Required],
    }
}

async fn register(State(api): State<Api>, Fields(asked, ..): Fields<Register>) -> Result {
    let Register { experiment_id, name, serialized_scorer } = asked;
    let made = scorers(&api)?.register(&experiment_id, &name, &serialized_scorer).await?;
    Ok(json(&json!({
        "version": made.version,
        "scorer_id": made.scorer_id,
        "experiment_id": made.experiment_id,
        "name": made.name,
        "serialized_scorer": made.serialized,
        "creation_time": made.creation_time,
    })))
}

message! { struct List { experiment_id: String, experiment_ids: Vec<String> } }

async fn list(State(api): State<Api>, Query(asked): Query<List>) -> Result {
    let scorers = scorers(&api)?;
    let found = match (asked.experiment_id.as_str(), asked.experiment_ids) {
        ("", ids) => scorers.latest(ids).await?,
        (id, ids) if ids.is_empty() => scorers.of_experiment(id).await?,
        _ => {
            return invalid!(
                "Cannot specify both 'experiment_id' and 'experiment_ids'. Use 'experiment_ids' to scope the query \
                 to multiple experiments, or 'experiment_id' to scope it to a single experiment."
            );
        }
    };
    Ok(listed(&found))
}

message! { struct Named { experiment_id: String [Required], name: String [Required] } }

async fn versions(State(api): State<Api>, Query(asked): Query<Named>) -> Result {
    Ok(listed(&scorers(&api)?.versions(&asked.experiment_id, &asked.name).await?))
}

message! {
    struct OfVersion {
        experiment_id: String [Required],
        name: String [Required],
        version: Option<i64>,
    }
}

async fn get_one(State(api): State<Api>, Query(asked): Query<OfVersion>) -> Result {
    let found = scorers(&api)?.get(&asked.experiment_id, &asked.name, asked.version).await?;
    Ok(json(&json!({ "scorer": Wire::from(&found) })))
}

async fn remove(State(api): State<Api>, Fields(asked, ..): Fields<OfVersion>) -> Result {
    scorers(&api)?.delete(&asked.experiment_id, &asked.name, asked.version).await?;
    Ok(empty())
}

message! { struct OfScorers { scorer_ids: Vec<String> [Required] } }

/// None is ever set: see below.
async fn online_configs(Query(OfScorers { scorer_ids: _ids }): Query<OfScorers>) -> Response {
    json(&json!({ "configs": [] }))
}

message! {
    struct OnlineConfig {
        experiment_id: String [Required],
        name: String [Required],
        sample_rate: Raw [Required],
    }
}

/// Traces are judged as they come only by what is behind a gateway, and no scorer here is.
async fn set_online_config(
    State(api): State<Api>,
    Fields(OnlineConfig { experiment_id, name, sample_rate: _rate }, ..): Fields<OnlineConfig>,
) -> Result {
    let found = scorers(&api)?.get(&experiment_id, &name, None).await?;
    let message = format!(
        "Scorer '{}' does not use a gateway model. Automatic evaluation is only supported for scorers that use \
         gateway models.",
        found.name
    );
    Err(Error::api(ErrorCode::InvalidParameterValue, message).into())
}
