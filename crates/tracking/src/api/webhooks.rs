//! `webhooks`: who is told of changes of the registry, and how that went.
//!
//! Names of hosts are not looked up when a webhook is made: the answer would tell strangers which hosts there are
//! in the server's network. Where nobody delivers, as in the pages that other verbs show, there are none.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;
use trainyard_mlflow::Error;

use super::enums::WebhookStatus;
use super::error::{Result, empty, json};
use super::fields::Check::Required;
use super::message::{Given, message};
use super::request::Fields;
use super::state::{Api, ApiState};
use crate::error::invalid;
use crate::store::webhooks::Webhook;
use crate::webhooks::event::{Action, Entity, Event};
use crate::webhooks::service::{Service, Wanted};

/// Routes below `/api/2.0/mlflow`. The deliveries are not upstream's.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/webhooks", get(list).post(create))
        .route("/webhooks/{webhook_id}", get(get_webhook).patch(update).delete(delete))
        .route("/webhooks/{webhook_id}/test", post(test))
        .route("/webhooks/{webhook_id}/deliveries", get(deliveries))
}

impl ApiState {
    /// Those of a server that delivers; elsewhere there is none by any id.
    fn webhooks_with(&self, id: &str) -> Result<&Arc<Service>, Error> {
        let none = || Error::not_found(format!("Webhook with ID {id} not found."));
        self.webhooks.as_ref().ok_or_else(none)
    }
}

/// A webhook as it is answered: its secret is told to nobody.
#[derive(Serialize)]
struct WebhookWire<'a> {
    webhook_id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    url: &'a str,
    events: Vec<EventWire>,
    status: &'static str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
}

#[derive(Serialize)]
struct EventWire {
    entity: String,
    action: String,
}

impl<'a> From<&'a Webhook> for WebhookWire<'a> {
    fn from(webhook: &'a Webhook) -> Self {
        let wire = |event: &Event| EventWire {
            entity: event.entity.name().to_uppercase(),
            action: event.action.name().to_uppercase(),
        };
        Self {
            webhook_id: &webhook.id,
            name: &webhook.name,
            description: webhook.description.as_deref().unwrap_or_default(),
            url: &webhook.url,
            events: webhook.events.iter().map(wire).collect(),
            status: if webhook.is_active { "ACTIVE" } else { "DISABLED" },
            creation_timestamp: webhook.creation_timestamp,
            last_updated_timestamp: webhook.last_updated_timestamp,
        }
    }
}

fn answer(webhook: &Webhook) -> Response {
    json(&json!({ "webhook": WebhookWire::from(webhook) }))
}

message! { struct Listing { max_results: Option<i64>, page_token: Option<String> } }

async fn list(State(api): State<Api>, Fields(asked, ..): Fields<Listing>) -> Result {
    let Some(webhooks) = &api.webhooks else { return Ok(empty()) };
    let page = webhooks.list(asked.max_results, asked.page_token.as_deref()).await?;
    let mut body = serde_json::Map::new();
    if !page.items.is_empty() {
        let items: Vec<WebhookWire<'_>> = page.items.iter().map(WebhookWire::from).collect();
        body.insert("webhooks".to_owned(), json!(items));
    }
    if let Some(token) = page.next_page_token {
        body.insert("next_page_token".to_owned(), token.into());
    }
    Ok(json(&body))
}

message! { struct EventMessage { entity: Option<Entity>, action: Option<Action> } }

impl EventMessage {
    /// The event that is meant.
    fn event(&self) -> Result<Event, Error> {
        let (Some(entity), Some(action)) = (self.entity, self.action) else {
            return invalid!(
                "An event has an entity and an action, as in {{\"entity\": \"MODEL_VERSION\", \
                 \"action\": \"CREATED\"}}"
            );
        };
        let event = Event { entity, action };
        if event.is_valid() {
            return Ok(event);
        }
        let valid: Vec<String> =
            entity.actions().iter().map(|action| format!("'{}'", action.name())).collect();
        invalid!(
            "Invalid action '{}' for entity '{}'. Valid actions are: [{}]",
            action.name(),
            entity.name(),
            valid.join(", ")
        )
    }
}

fn events(messages: &[EventMessage]) -> Result<Vec<Event>, Error> {
    messages.iter().map(EventMessage::event).collect()
}

message! {
    struct Create {
        name: String [Required],
        url: String [Required],
        events: Vec<EventMessage> [Required],
        description: Option<String>,
        secret: Option<String>,
        status: WebhookStatus,
    }
}

async fn create(State(api): State<Api>, Fields(asked, ..): Fields<Create>) -> Result {
    let events = events(&asked.events)?;
    let Some(webhooks) = &api.webhooks else {
        return Err(Error::invalid(
            "Webhooks are made by `trainyard server`, which tells them; this server does not.",
        )
        .into());
    };
    let wanted = Wanted {
        name: Some(asked.name),
        url: Some(asked.url),
        events: Some(events),
        description: asked.description,
        secret: asked.secret,
        is_active: asked.status.0,
    };
    Ok(answer(&webhooks.create(wanted).await?))
}

async fn get_webhook(State(api): State<Api>, Path(id): Path<String>) -> Result {
    Ok(answer(&api.webhooks_with(&id)?.get(&id).await?))
}

message! {
    struct Update {
        name: Option<String>,
        description: Given,
        url: Option<String>,
        events: Vec<EventMessage>,
        secret: Given,
        status: WebhookStatus,
    }
}

async fn update(
    State(api): State<Api>,
    Path(id): Path<String>,
    Fields(asked, ..): Fields<Update>,
) -> Result {
    let events = events(&asked.events)?;
    let wanted = Wanted {
        name: asked.name,
        url: asked.url,
        // None are as good as not said, as upstream has it.
        events: Some(events).filter(|events| !events.is_empty()),
        description: asked.description.0,
        secret: asked.secret.0,
        is_active: asked.status.0,
    };
    Ok(answer(&api.webhooks_with(&id)?.update(&id, wanted).await?))
}

async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Result {
    api.webhooks_with(&id)?.delete(&id).await?;
    Ok(empty())
}

message! { struct Test { event: EventMessage } }

async fn test(
    State(api): State<Api>,
    Path(id): Path<String>,
    Fields(asked, ..): Fields<Test>,
) -> Result {
    let said = asked.event;
    let is_said = said.entity.is_some() || said.action.is_some();
    let event = if is_said { Some(said.event()?) } else { None };
    let result = api.webhooks_with(&id)?.test(&id, event).await?;
    let mut body = json!({ "success": result.success });
    if let Some(status) = result.response_status {
        body["response_status"] = status.into();
    }
    if let Some(text) = result.response_body {
        body["response_body"] = text.into();
    }
    if let Some(message) = result.error_message {
        body["error_message"] = message.into();
    }
    Ok(json(&json!({ "result": body })))
}

message! { struct Shown { max_results: Option<i64> } }

async fn deliveries(
    State(api): State<Api>,
    Path(id): Path<String>,
    Fields(asked, ..): Fields<Shown>,
) -> Result {
    let deliveries = api.webhooks_with(&id)?.deliveries(&id, asked.max_results).await?;
    Ok(json(&json!({ "deliveries": deliveries })))
}
