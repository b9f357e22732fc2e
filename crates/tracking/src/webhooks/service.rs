//! Webhooks as they are managed: made, changed, tried. What the API asks, by upstream's rules and sentences.

use std::sync::Arc;

use chrono::Utc;
use tokio::sync::Semaphore;
use trainyard_mlflow::{Error, ErrorCode, Page, Result};

use super::event::Event;
use super::options::WebhookOptions;
use super::payload;
use super::sender::{Parcel, Sender};
use crate::error::invalid;
use crate::store::SqlStore;
use crate::store::python;
use crate::store::webhook_deliveries::Delivery;
use crate::store::webhooks::{Webhook, WebhookFields};

const NAME_CHARACTERS_MAX: usize = 63;
/// Size of the column.
const DESCRIPTION_CHARACTERS_MAX: usize = 1000;
/// The column has 1,000 characters for what it is encrypted.
const SECRET_BYTES_MAX: usize = 512;
/// Webhooks that are tried at a time: each holds a request and a connection.
const TESTS_MAX: usize = 10;
/// Most deliveries that are shown of a webhook.
const SHOWN_MAX: i64 = 1000;
/// As many if nobody says.
const SHOWN: i64 = 100;

/// What a request says of a webhook. Of a new one name, URL and events are there.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) events: Option<Vec<Event>>,
    pub(crate) description: Option<String>,
    /// As it is known to the receiver; an empty one takes it away.
    pub(crate) secret: Option<String>,
    pub(crate) is_active: Option<bool>,
}

/// How a try went.
#[derive(Debug, Default)]
pub(crate) struct TestResult {
    pub(crate) success: bool,
    pub(crate) response_status: Option<u16>,
    pub(crate) response_body: Option<String>,
    pub(crate) error_message: Option<String>,
}

/// The webhooks of a registry.
#[derive(Debug)]
pub(crate) struct Service {
    pub(super) store: Arc<SqlStore>,
    pub(super) options: WebhookOptions,
    pub(super) sender: Sender,
    tests: Semaphore,
}

impl Service {
    pub(crate) fn new(store: Arc<SqlStore>, options: WebhookOptions) -> Result<Self> {
        let sender = Sender::new(&options)?;
        Ok(Self { store, options, sender, tests: Semaphore::new(TESTS_MAX) })
    }

    pub(crate) async fn create(&self, wanted: Wanted) -> Result<Webhook> {
        let fields = self.checked(wanted)?;
        self.store.create_webhook(fields).await
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Webhook> {
        self.store.get_webhook(id).await
    }

    pub(crate) async fn list(
        &self,
        max_results: Option<i64>,
        page_token: Option<&str>,
    ) -> Result<Page<Webhook>> {
        self.store.list_webhooks(max_results, page_token).await
    }

    pub(crate) async fn update(&self, id: &str, wanted: Wanted) -> Result<Webhook> {
        // As upstream: first whether it is there.
        self.store.get_webhook(id).await?;
        let fields = self.checked(wanted)?;
        self.store.update_webhook(id, fields).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        self.store.delete_webhook(id).await
    }

    /// The newest deliveries of a webhook, first the newest.
    pub(crate) async fn deliveries(
        &self,
        id: &str,
        max_results: Option<i64>,
    ) -> Result<Vec<Delivery>> {
        let limit = max_results.filter(|number| *number != 0).unwrap_or(SHOWN);
        if !(1..=SHOWN_MAX).contains(&limit) {
            return invalid!("max_results must be between 1 and {SHOWN_MAX}.");
        }
        self.store.get_webhook(id).await?;
        self.store.deliveries_of(id, limit).await
    }

    /// Sends upstream's example of an event, by default of the webhook's first, once and now.
    pub(crate) async fn test(&self, id: &str, event: Option<Event>) -> Result<TestResult> {
        let webhook = self.store.get_webhook(id).await?;
        let Ok(_place) = self.tests.try_acquire() else {
            let message = "too many webhooks are being tested; try again";
            return Err(Error::api(ErrorCode::TemporarilyUnavailable, message));
        };
        let tested = self.try_once(&webhook, event).await;
        Ok(tested.unwrap_or_else(|reason| TestResult {
            error_message: Some(format!("Failed to test webhook: {reason}")),
            ..TestResult::default()
        }))
    }

    async fn try_once(
        &self,
        webhook: &Webhook,
        event: Option<Event>,
    ) -> std::result::Result<TestResult, String> {
        let event = event.or_else(|| webhook.events.first().copied());
        let event = event.ok_or("it subscribes to no event that is known here")?;
        let body = payload::body(event, &payload::example(event), Utc::now())
            .map_err(|error| error.to_string())?;
        let secret = self.opened(webhook.secret.as_deref())?;
        let url =
            self.options.destinations.check(&webhook.url).map_err(|error| error.to_string())?;
        let delivery_id = uuid::Uuid::new_v4().to_string();
        let parcel =
            Parcel { url: &url, delivery_id: &delivery_id, body: &body, secret: secret.as_deref() };
        let answer = self.sender.send(&parcel).await.map_err(|error| error.to_string())?;
        let redirected = "the receiver redirects, which is not followed";
        Ok(TestResult {
            success: answer.status < 400 && !answer.is_redirect(),
            response_status: Some(answer.status),
            error_message: answer.is_redirect().then(|| redirected.to_owned()),
            response_body: Some(answer.body),
        })
    }

    /// A secret that is kept, as its receiver knows it. An empty one signs nothing.
    pub(super) fn opened(
        &self,
        kept: Option<&str>,
    ) -> std::result::Result<Option<String>, &'static str> {
        let Some(kept) = kept else { return Ok(None) };
        let key = self.options.key.as_ref();
        match key.and_then(|key| key.decrypt(kept)) {
            Some(secret) => Ok(Some(secret).filter(|secret| !secret.is_empty())),
            // Unsigned it would be taken for somebody else's.
            None => Err(
                "its secret was kept with another key than MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY \
                 of this server",
            ),
        }
    }

    fn checked(&self, wanted: Wanted) -> Result<WebhookFields> {
        if let Some(name) = &wanted.name {
            check_name(name)?;
        }
        if let Some(url) = &wanted.url {
            self.options.destinations.check_new(url)?;
        }
        if wanted.events.as_ref().is_some_and(Vec::is_empty) {
            return invalid!(
                "Webhook events must be a non-empty list of WebhookEvent objects: []."
            );
        }
        let is_long = |text: &String| text.chars().nth(DESCRIPTION_CHARACTERS_MAX).is_some();
        if wanted.description.as_ref().is_some_and(is_long) {
            return invalid!(
                "Webhook description has more than {DESCRIPTION_CHARACTERS_MAX} characters"
            );
        }
        Ok(WebhookFields {
            name: wanted.name,
            description: wanted.description,
            url: wanted.url,
            is_active: wanted.is_active,
            secret: wanted.secret.as_deref().map(|secret| self.sealed(secret)).transpose()?,
            events: wanted.events,
        })
    }

    /// A secret as it is kept.
    fn sealed(&self, secret: &str) -> Result<String> {
        if secret.is_empty() {
            return Ok(String::new());
        }
        if secret.len() > SECRET_BYTES_MAX {
            return invalid!("Webhook secret has more than {SECRET_BYTES_MAX} bytes");
        }
        let Some(key) = &self.options.key else {
            // Upstream makes up a key that nobody has after the next start.
            return invalid!(
                "This server has no key to keep the secrets of webhooks with. Set \
                 MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY on the server to a Fernet key: 32 random bytes in \
                 base64, with - and _ for + and /"
            );
        };
        key.encrypt(secret).ok_or_else(|| {
            Error::api(ErrorCode::InternalError, "the secret of the webhook cannot be encrypted")
        })
    }
}

fn check_name(name: &str) -> Result<()> {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    let is_middle = |c: char| is_end(c) || matches!(c, '.' | '_' | '-');
    let is_good = name.starts_with(is_end)
        && name.ends_with(is_end)
        && name.chars().all(is_middle)
        && name.len() <= NAME_CHARACTERS_MAX;
    if is_good {
        return Ok(());
    }
    invalid!(
        "Webhook name {} is invalid. It must start and end with a letter or digit, be less than 63 \
         characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-).",
        python::repr(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_upstream_takes() {
        for name in ["a", "A-b_c.9", "9", &"x".repeat(63)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "a b", "ü", "a/b", &"x".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
