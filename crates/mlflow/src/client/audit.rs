//! `/api/trainyard/audit` and `/api/trainyard/registry`, which only Trainyard's own server has.

use async_trait::async_trait;
use serde::Deserialize;

use super::rest::RestClient;
use crate::entities::{AuditEvent, RegistryAt};
use crate::{Audit, Error, ErrorCode, Result, SearchAudit};

#[async_trait]
impl Audit for RestClient {
    async fn events(&self, search: SearchAudit) -> Result<Vec<AuditEvent>> {
        #[derive(Deserialize)]
        struct Answer {
            events: Vec<AuditEvent>,
        }
        let mut query = Vec::new();
        query.extend(search.after.map(|id| ("after", id.to_string())));
        query.extend(search.subject.map(|text| ("subject", text)));
        query.extend(search.part.map(|text| ("part", text)));
        query.extend(search.who.map(|text| ("who", text)));
        query.extend(search.action.map(|text| ("action", text)));
        query.extend(search.since.map(|time| ("since", time.to_string())));
        query.extend(search.until.map(|time| ("until", time.to_string())));
        query.extend(search.newest_first.then(|| ("newest_first", "true".to_owned())));
        query.extend(search.max_results.map(|max| ("max_results", max.to_string())));
        let asked = self.http.get("/api/trainyard/audit/events", &query).await;
        let answer: Answer = asked.map_err(|error| no_endpoint(error, "audit log"))?;
        Ok(answer.events)
    }

    async fn registry_at(&self, at: i64, model: Option<&str>) -> Result<RegistryAt> {
        let mut query = vec![("at", at.to_string())];
        query.extend(model.map(|model| ("model", model.to_owned())));
        let asked = self.http.get("/api/trainyard/registry/at", &query).await;
        asked.map_err(|error| no_endpoint(error, "audit log"))
    }
}

/// Other servers have no such endpoint, and say so in their own ways.
pub(super) fn no_endpoint(error: Error, what: &str) -> Error {
    if !matches!(error.code(), ErrorCode::EndpointNotFound | ErrorCode::NotFound) {
        return error;
    }
    let message =
        format!("the tracking server has no {what}: it is not `trainyard server`, or an older one");
    Error::api(ErrorCode::NotImplemented, message)
}
