//! What pages show of webhooks, and change.

use async_trait::async_trait;
use trainyard_mlflow::{Result, WebhookDelivery, WebhookLog, WebhookStanding};
use url::Url;

use super::handle::Webhooks;
use crate::store::webhook_deliveries::Delivery;
use crate::store::webhooks::WebhookFields;

/// Webhooks of a page.
const WEBHOOKS_MAX: i64 = 100;
/// Deliveries of each of them.
const DELIVERIES_MAX: i64 = 10;

#[async_trait]
impl WebhookLog for Webhooks {
    async fn webhooks(&self) -> Result<Vec<WebhookStanding>> {
        let page = self.0.list_webhooks(Some(WEBHOOKS_MAX), None).await?;
        let mut standings = Vec::with_capacity(page.items.len());
        for webhook in page.items {
            let deliveries = self.0.deliveries_of(&webhook.id, DELIVERIES_MAX).await?;
            let url = Url::parse(&webhook.url).ok();
            let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
            standings.push(WebhookStanding {
                id: webhook.id,
                name: webhook.name,
                host,
                events: webhook.events.iter().map(ToString::to_string).collect(),
                is_active: webhook.is_active,
                deliveries: deliveries.into_iter().map(shown).collect(),
            });
        }
        Ok(standings)
    }

    async fn set_active(&self, id: &str, is_active: bool) -> Result<()> {
        let fields = WebhookFields { is_active: Some(is_active), ..WebhookFields::default() };
        self.0.update_webhook(id, fields).await.map(|_webhook| ())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.0.delete_webhook(id).await
    }
}

fn shown(delivery: Delivery) -> WebhookDelivery {
    WebhookDelivery {
        event: delivery.event,
        state: delivery.state,
        attempts: delivery.attempts,
        created_at: delivery.created_at,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
    }
}
