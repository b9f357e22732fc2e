//! Webhooks of a registry as people look at them: who is told of its changes, how that went, and an end to it.

use async_trait::async_trait;

use crate::Result;

/// A webhook and its newest deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookStanding {
    pub id: String,
    pub name: String,
    /// Where it goes: the host alone, as the rest of a URL may be a secret.
    pub host: String,
    /// As in `model_version_alias.created`.
    pub events: Vec<String>,
    pub is_active: bool,
    /// First the newest.
    pub deliveries: Vec<WebhookDelivery>,
}

/// One thing that a webhook is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookDelivery {
    pub event: String,
    /// `pending`, `sending`, `delivered`, `failed` or `dropped`.
    pub state: String,
    pub attempts: i64,
    /// When the change was made, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// The status of the last answer, if there was one.
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
}

/// Who is told.
#[async_trait]
pub trait WebhookLog: Send + Sync {
    /// The newest webhooks, each with some of its deliveries.
    async fn webhooks(&self) -> Result<Vec<WebhookStanding>>;
    /// Tells one nothing any more, or what happens from now on.
    async fn set_active(&self, id: &str, is_active: bool) -> Result<()>;
    /// Removes one, with what it was yet to be told.
    async fn delete(&self, id: &str) -> Result<()>;
}
