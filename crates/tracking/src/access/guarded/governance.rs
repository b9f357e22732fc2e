//! The log of changes, and approvals, for those who may.

use async_trait::async_trait;
use trainyard_mlflow::entities::{ApprovalRequest, AuditEvent, RegistryAt};
use trainyard_mlflow::{AliasMove, Approvals, Audit, Result, SearchAudit};

use super::guard::{Family, Guarded};
use crate::access::permission::Action;
use crate::access::rights::denied;

impl Guarded {
    /// Refuses whoever may not look at everything: what is written down of changes is of everything.
    fn everything(&self) -> Result<()> {
        if self.sees_everything()? { Ok(()) } else { Err(denied()) }
    }
}

/// Those that `check` does not refuse.
fn allowed(
    requests: Vec<ApprovalRequest>,
    check: impl Fn(&ApprovalRequest) -> Result<()>,
) -> Result<Vec<ApprovalRequest>> {
    let mut shown = Vec::new();
    for request in requests {
        match check(&request) {
            Ok(()) => shown.push(request),
            Err(error) if error.code() == denied().code() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(shown)
}

#[async_trait]
impl Audit for Guarded {
    async fn events(&self, search: SearchAudit) -> Result<Vec<AuditEvent>> {
        self.everything()?;
        self.inner.audit.events(search).await
    }

    async fn registry_at(&self, at: i64, model: Option<&str>) -> Result<RegistryAt> {
        match model {
            Some(model) => self.versions(model, Action::Read).await.map(|_family| ())?,
            None => self.everything()?,
        }
        self.inner.audit.registry_at(at, model).await
    }
}

#[async_trait]
impl Approvals for Guarded {
    async fn list(&self, model: Option<&str>) -> Result<Vec<ApprovalRequest>> {
        if let Some(model) = model {
            self.versions(model, Action::Read).await?;
            return self.inner.approvals.list(Some(model)).await;
        }
        let requests = self.inner.approvals.list(None).await?;
        if self.sees_everything()? {
            return Ok(requests);
        }
        allowed(requests, |request| {
            let family = Family::of_prompt(request.is_prompt);
            self.versions_of(family, &request.model, Action::Read)
        })
    }

    async fn waiting(&self) -> Result<Vec<ApprovalRequest>> {
        allowed(self.inner.approvals.waiting().await?, |request| {
            let family = Family::of_prompt(request.is_prompt);
            self.alias_of(family, &request.model, &request.alias, Action::Update)
        })
    }

    async fn request(&self, wanted: AliasMove, reason: &str) -> Result<ApprovalRequest> {
        self.alias(&wanted.model, &wanted.alias, Action::Update).await?;
        self.inner.approvals.request(wanted, reason).await
    }

    async fn approve(&self, wanted: AliasMove, reason: &str) -> Result<ApprovalRequest> {
        self.alias(&wanted.model, &wanted.alias, Action::Update).await?;
        self.inner.approvals.approve(wanted, reason).await
    }

    async fn reject(&self, wanted: AliasMove, reason: &str) -> Result<()> {
        self.alias(&wanted.model, &wanted.alias, Action::Update).await?;
        self.inner.approvals.reject(wanted, reason).await
    }
}
