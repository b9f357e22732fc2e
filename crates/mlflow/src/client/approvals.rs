//! `/api/trainyard/approvals`, which only Trainyard's own server has.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::audit::no_endpoint;
use super::http::Ignored;
use super::rest::RestClient;
use crate::entities::ApprovalRequest;
use crate::{AliasMove, Approvals, Result};

const PATH: &str = "/api/trainyard/approvals";

#[derive(Deserialize)]
struct Found {
    approval_request: ApprovalRequest,
}

fn body(wanted: &AliasMove, reason: &str) -> Value {
    let AliasMove { model, alias, version } = wanted;
    json!({ "model": model, "alias": alias, "version": version, "reason": reason })
}

#[async_trait]
impl Approvals for RestClient {
    async fn list(&self, model: Option<&str>) -> Result<Vec<ApprovalRequest>> {
        #[derive(Deserialize)]
        struct Answer {
            approval_requests: Vec<ApprovalRequest>,
        }
        let query: Vec<_> = model.iter().map(|model| ("model", (*model).to_owned())).collect();
        let asked = self.http.get(PATH, &query).await;
        let answer: Answer = asked.map_err(|error| no_endpoint(error, "approvals"))?;
        Ok(answer.approval_requests)
    }

    async fn request(&self, wanted: AliasMove, reason: &str) -> Result<ApprovalRequest> {
        let asked = self.http.post(PATH, &body(&wanted, reason)).await;
        let found: Found = asked.map_err(|error| no_endpoint(error, "approvals"))?;
        Ok(found.approval_request)
    }

    async fn approve(&self, wanted: AliasMove, reason: &str) -> Result<ApprovalRequest> {
        // Not `post`: a second time, it is there already.
        let asked = self.http.create(&format!("{PATH}/approve"), &body(&wanted, reason)).await;
        let found: Found = asked.map_err(|error| no_endpoint(error, "approvals"))?;
        Ok(found.approval_request)
    }

    async fn reject(&self, wanted: AliasMove, reason: &str) -> Result<()> {
        let asked = self.http.create(&format!("{PATH}/reject"), &body(&wanted, reason)).await;
        asked.map(|Ignored {}| ()).map_err(|error| no_endpoint(error, "approvals"))
    }
}
