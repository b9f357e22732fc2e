//! Approvals of the store: what waits, and the desk ([`super::approval_desk`]) in a transaction each.

use std::collections::HashMap;

use async_trait::async_trait;
use trainyard_mlflow::entities::{Approval, ApprovalRequest};
use trainyard_mlflow::{self as mlflow, AliasMove, Approvals};

use super::database::{Connection, List, Value};
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use crate::error::Result;
use crate::governance::Governance;
use crate::origin::Origin;
use crate::search::registered_models::IS_PROMPT;

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

    async fn waiting(&self) -> mlflow::Result<Vec<ApprovalRequest>> {
        let origin = Origin::current();
        let mut requests = self.list(None).await?;
        requests.retain(|request| request.waits_for(origin.who()));
        // Machines and strangers decide nothing.
        Ok(if origin.is_person() { requests } else { Vec::new() })
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

/// What waits, those for protected aliases first and of each the newest; only what is for versions as they are.
fn list(
    connection: &mut dyn Connection,
    governance: &Governance,
    model: Option<&str>,
) -> Result<Vec<ApprovalRequest>> {
    let protected = governance.protected.iter().map(|known| known.alias.to_ascii_lowercase());
    let protected = Value::List(List::Texts(protected.collect()));
    let mut values: Vec<Value<'_>> = vec![WORKSPACE.into(), protected];
    let mut of_model = "";
    if let Some(model) = model {
        values.push(model.into());
        of_model = "AND r.model = ?3";
    }
    // Anybody may ask for any alias, as often as there are versions: those that need nobody hide none that do.
    let is_protected = format!("lower(r.alias) IN {}", connection.dialect().list("?2"));
    let listed = format!(
        "WITH listed AS (SELECT r.model, r.alias, r.version, r.requester, r.requested_at, r.reason, \
         CASE WHEN {is_protected} THEN 0 ELSE 1 END AS place \
         FROM trainyard_approval_requests r JOIN model_versions v ON v.workspace = ?1 \
         AND v.name = r.model AND v.version = r.version AND v.creation_time = r.made_at \
         AND v.current_stage <> 'Deleted_Internal' {of_model} \
         ORDER BY place, r.requested_at DESC, r.model, r.alias, r.version LIMIT {REQUESTS_MAX})"
    );
    // Who may decide depends on what the model is: it comes with them, so that nobody looks it up for each.
    let sql = format!(
        "{listed} SELECT l.model, l.alias, CAST(l.version AS TEXT), l.requester, l.requested_at, l.reason, t.value \
         FROM listed l LEFT JOIN registered_model_tags t ON t.workspace = ?1 AND t.name = l.model \
         AND t.\"key\" = '{IS_PROMPT}' ORDER BY l.place, l.requested_at DESC, l.model, l.alias, l.version"
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
            is_prompt: row.text_or_empty(6)?.eq_ignore_ascii_case("true"),
        })
    })?;
    let sql = format!(
        "{listed} SELECT a.model, a.alias, CAST(a.version AS TEXT), a.who, a.at, a.reason \
         FROM trainyard_approvals a JOIN listed l ON l.model = a.model AND l.alias = a.alias \
         AND l.version = a.version ORDER BY a.at, a.who"
    );
    let mut given: HashMap<(String, String, String), Vec<Approval>> = HashMap::new();
    connection.query(&sql, &values, &mut |row| {
        let of = (row.need_text(0)?, row.need_text(1)?, row.need_text(2)?);
        let approval =
            Approval { who: row.need_text(3)?, at: row.need_int(4)?, reason: row.need_text(5)? };
        given.entry(of).or_default().push(approval);
        Ok(())
    })?;
    for request in &mut requests {
        let of = (request.model.clone(), request.alias.clone(), request.version.clone());
        request.approvals = given.remove(&of).unwrap_or_default();
        governance.keep_counted(request);
    }
    Ok(requests)
}
