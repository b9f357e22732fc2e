//! `traces/{trace_id}/assessments`.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use trainyard_mlflow::UpdateAssessment;
use trainyard_mlflow::entities::Assessment;

use super::assessment_wire::{AssessmentWire, read, said};
use super::error::{Result, empty, json};
use super::fields::Check::Required;
use super::fields::snake_case;
use super::members::{map, text};
use super::message::{Raw, message};
use super::request::Fields;
use super::state::Api;
use super::trace_wire::traces;

/// Routes below `/api/3.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/traces/{trace_id}/assessments", post(create)).route(
        "/traces/{trace_id}/assessments/{assessment_id}",
        get(get_one).patch(update).delete(delete),
    )
}

fn answer(assessment: &Assessment) -> Response {
    json(&json!({ "assessment": AssessmentWire(assessment) }))
}

message! { struct Create { assessment: Raw [Required] } }

async fn create(
    State(api): State<Api>,
    Path(trace_id): Path<String>,
    Fields(asked, ..): Fields<Create>,
) -> Result {
    let assessment = read(&asked.assessment.0.unwrap_or_default())?;
    let assessment = Assessment { trace_id, ..assessment };
    Ok(answer(&traces(&api)?.create_assessment(assessment).await?))
}

async fn get_one(
    State(api): State<Api>,
    Path((trace_id, assessment_id)): Path<(String, String)>,
) -> Result {
    Ok(answer(&traces(&api)?.get_assessment(&trace_id, &assessment_id).await?))
}

message! { struct Update { assessment: Raw [Required], update_mask: Raw [Required] } }

async fn update(
    State(api): State<Api>,
    Path((trace_id, assessment_id)): Path<(String, String)>,
    Fields(asked, ..): Fields<Update>,
) -> Result {
    let assessment = asked.assessment.0.unwrap_or_default();
    let mut update = UpdateAssessment::default();
    for path in paths(asked.update_mask.0.unwrap_or_default()) {
        match path.as_str() {
            "assessment_name" => update.name = text(&assessment, "assessment_name")?,
            "expectation" | "feedback" => update.value = said(&assessment)?,
            "rationale" => update.rationale = text(&assessment, "rationale")?,
            "metadata" => update.metadata = map(&assessment, "metadata")?,
            // As upstream: what cannot be changed is left out.
            _ => {}
        }
    }
    Ok(answer(&traces(&api)?.update_assessment(&trace_id, &assessment_id, update).await?))
}

/// The fields of a mask: a list in a text, or in an object.
fn paths(mask: Value) -> Vec<String> {
    match mask {
        Value::String(list) => list.split(',').map(|path| snake_case(path.trim())).collect(),
        mask => {
            let paths = mask.get("paths").and_then(Value::as_array).cloned().unwrap_or_default();
            paths.iter().filter_map(|path| path.as_str().map(snake_case)).collect()
        }
    }
}

async fn delete(
    State(api): State<Api>,
    Path((trace_id, assessment_id)): Path<(String, String)>,
) -> Result {
    traces(&api)?.delete_assessment(&trace_id, &assessment_id).await?;
    Ok(empty())
}
