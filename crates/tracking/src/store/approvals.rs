//! Approvals of the store: what waits, and the desk ([`super::approval_desk`]) in a transaction each.

use async_trait::async_trait;
use trainyard_mlflow::entities::ApprovalRequest;
use trainyard_mlflow::{self as mlflow, AliasMove, Approvals};

use super::approval_desk::approvals;
use super::database::{Connection, Value};
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use crate::error::Result;
use crate::governance::Governance;

/// Requests of one list at most.
const REQUESTS_MAX: usize = 1000;

#[async_trait]
impl Approvals for SqlStore {
    async fn list(&self, model: Option<&str>) -> mlflow::Result<Vec<ApprovalRequest>> {
        let (model, governance) = (model.map(str::to_owned), self.governance.clone());
        self.read_many(Reading::Listing, move |connection| {
            list(connection, &governance, model.as_deref())
        })
        .await
    }

    async fn request(&self, wanted: AliasMove, reason: &str) -> mlflow::Result<ApprovalRequest> {
        let (desk, reason) = (self.desk(), reason.to_owned());
        self.write(move |connection| desk.request(connection, &wanted, &reason)).await
    }

    async fn approve(&self, wanted: AliasMove, reason: &str) -> mlflow::Result<ApprovalRequest> {
        let (desk, reason) = (self.desk(), reason.to_owned());
        self.create_one(move |connection| desk.approve(connection, &wanted, &reason)).await
    }

    async fn reject(&self, wanted: AliasMove, reason: &str) -> mlflow::Result<()> {
        let (desk, reason) = (self.desk(), reason.to_owned());
        self.create_one(move |connection| desk.reject(connection, &wanted, &reason)).await
    }
}

/// What waits, the oldest first; only what is for versions as they are.
fn list(
    connection: &mut dyn Connection,
    governance: &Governance,
    model: Option<&str>,
) -> Result<Vec<ApprovalRequest>> {
    let mut values: Vec<Value<'_>> = vec![WORKSPACE.into()];
    let mut of_model = "";
    if let Some(model) = model {
        values.push(model.into());
        of_model = "AND r.model = ?2";
    }
    let sql = format!(
        "SELECT r.model, r.alias, CAST(r.version AS TEXT), r.requester, r.requested_at, r.reason \
         FROM trainyard_approval_requests r JOIN model_versions v ON v.workspace = ?1 \
         AND v.name = r.model AND v.version = r.version AND v.creation_time = r.made_at \
         AND v.current_stage <> 'Deleted_Internal' {of_model} \
         ORDER BY r.requested_at, r.model, r.alias, r.version LIMIT {REQUESTS_MAX}"
    );
    let mut requests = connection.rows(&sql, &values, |row| {
        let alias = row.need_text(1)?;
        Ok(ApprovalRequest {
            model: row.need_text(0)?,
            needed: governance.needed(&alias).unwrap_or_default(),
            alias,
            version: row.need_text(2)?,
            requester: row.need_text(3)?,
            requested_at: row.need_int(4)?,
            reason: row.need_text(5)?,
            approvals: Vec::new(),
        })
    })?;
    for request in &mut requests {
        let Ok(number) = request.version.parse::<i64>() else { continue };
        let key: [Value<'_>; 3] = [(&request.model).into(), (&request.alias).into(), number.into()];
        request.approvals = approvals(connection, &key)?;
    }
    Ok(requests)
}
