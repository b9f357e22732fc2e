//! Approval by others: a protected alias moves when enough people agree. Trainyard's own; other servers have none.

use async_trait::async_trait;

use crate::Result;
use crate::entities::ApprovalRequest;

/// That an alias is to point at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasMove {
    pub model: String,
    pub alias: String,
    pub version: String,
}

/// What is done with approvals.
#[async_trait]
pub trait Approvals: Send + Sync {
    /// What waits: of one model, or of all.
    async fn list(&self, model: Option<&str>) -> Result<Vec<ApprovalRequest>>;
    /// What waits for whoever asks, of all models: what they may decide, and neither asked for nor agreed to. A home that
    /// does not know who asks tells all that waits.
    async fn waiting(&self) -> Result<Vec<ApprovalRequest>> {
        self.list(None).await
    }
    /// Asks for approval. What was asked for already is answered as it is.
    async fn request(&self, wanted: AliasMove, reason: &str) -> Result<ApprovalRequest>;
    /// Agrees. Nobody does so twice, or with what they asked for themselves.
    async fn approve(&self, wanted: AliasMove, reason: &str) -> Result<ApprovalRequest>;
    /// Ends a request.
    async fn reject(&self, wanted: AliasMove, reason: &str) -> Result<()>;
}
