//! `/api/trainyard/approvals`: what waits for approval, asking for it, and giving it.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use trainyard_mlflow::AliasMove;
use trainyard_mlflow::entities::ApprovalRequest;

use super::error::{Result, empty, json};
use super::fields::Check::Required;
use super::message::message;
use super::request::{Fields, Query};
use super::state::Api;

/// Routes below `/api/trainyard`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/approvals", get(list).post(request))
        .route("/approvals/approve", post(approve))
        .route("/approvals/reject", post(reject))
}

message! { struct Listed { model: Option<String> } }

async fn list(State(api): State<Api>, Query(asked): Query<Listed>) -> Result {
    let found = api.tracking.approvals.list(asked.model.as_deref()).await?;
    Ok(json(&json!({ "approval_requests": found })))
}

message! {
    struct Decision {
        model: String [Required],
        alias: String [Required],
        version: String [Required],
        reason: String,
    }
}

impl Decision {
    fn split(self) -> (AliasMove, String) {
        let Self { model, alias, version, reason } = self;
        (AliasMove { model, alias, version }, reason)
    }
}

fn answer(request: &ApprovalRequest) -> Response {
    json(&json!({ "approval_request": request }))
}

async fn request(State(api): State<Api>, Fields(asked, ..): Fields<Decision>) -> Result {
    let (wanted, reason) = asked.split();
    Ok(answer(&api.tracking.approvals.request(wanted, &reason).await?))
}

async fn approve(State(api): State<Api>, Fields(asked, ..): Fields<Decision>) -> Result {
    let (wanted, reason) = asked.split();
    Ok(answer(&api.tracking.approvals.approve(wanted, &reason).await?))
}

async fn reject(State(api): State<Api>, Fields(asked, ..): Fields<Decision>) -> Result {
    let (wanted, reason) = asked.split();
    api.tracking.approvals.reject(wanted, &reason).await?;
    Ok(empty())
}
