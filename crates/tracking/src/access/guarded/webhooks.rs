//! Who is told of changes of the registry, and how that went, for administrators: as the routes of webhooks are.

use std::sync::Arc;

use async_trait::async_trait;
use trainyard_mlflow::{Result, WebhookLog, WebhookStanding};

use crate::access::directory::Directory;

/// Webhooks, and who may do what.
struct GuardedLog {
    inner: Arc<dyn WebhookLog>,
    directory: Arc<Directory>,
}

/// The same webhooks for senders of requests.
pub(crate) fn guarded_log(
    inner: Arc<dyn WebhookLog>,
    directory: Arc<Directory>,
) -> Arc<dyn WebhookLog> {
    Arc::new(GuardedLog { inner, directory })
}

#[async_trait]
impl WebhookLog for GuardedLog {
    async fn webhooks(&self) -> Result<Vec<WebhookStanding>> {
        self.directory.for_administrators()?;
        self.inner.webhooks().await
    }

    async fn set_active(&self, id: &str, is_active: bool) -> Result<()> {
        self.directory.for_administrators()?;
        self.inner.set_active(id, is_active).await
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.directory.for_administrators()?;
        self.inner.delete(id).await
    }
}
