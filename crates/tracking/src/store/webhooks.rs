//! Webhooks in upstream's tables: `webhooks` and `webhook_events`.

use sha2::{Digest as _, Sha256};
use trainyard_mlflow::{self as mlflow, Error, Page};
use url::Url;

use super::audit::Change;
use super::clock::{creation_millis, now_millis};
use super::database::{Connection, Row, Value};
use super::page;
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use crate::error::Result;
use crate::webhooks::event::Event;

/// Most webhooks of one page.
const PAGE_MAX: i64 = 1000;
/// As many if nobody says.
const PAGE: i64 = 100;

/// A webhook as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) url: String,
    pub(crate) is_active: bool,
    /// Encrypted.
    pub(crate) secret: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub(crate) creation_timestamp: i64,
    pub(crate) last_updated_timestamp: i64,
    pub(crate) events: Vec<Event>,
}

/// What is changed of a webhook, or of one that is made; none leaves it as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct WebhookFields {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) is_active: Option<bool>,
    /// Encrypted; an empty one takes it away.
    pub(crate) secret: Option<String>,
    pub(crate) events: Option<Vec<Event>>,
}

/// Hexadecimal digits by which addresses are told apart.
const MARK_DIGITS: usize = 8;

const COLUMNS: &str = "w.webhook_id, w.name, w.description, w.url, w.status, w.secret, \
     w.creation_timestamp, w.last_updated_timestamp";
const LIVING: &str = "FROM webhooks w WHERE w.deleted_timestamp IS NULL AND w.workspace = ?1";

impl SqlStore {
    pub(crate) async fn create_webhook(&self, fields: WebhookFields) -> mlflow::Result<Webhook> {
        let auditor = self.auditor();
        self.create_one(move |connection| {
            let webhook = create(connection, &fields)?;
            let change = of_webhook("webhook.create", &webhook.id).after(said(&webhook));
            auditor.note(connection, vec![change])?;
            Ok(webhook)
        })
        .await
    }

    pub(crate) async fn get_webhook(&self, id: &str) -> mlflow::Result<Webhook> {
        let id = id.to_owned();
        self.read(move |connection| get(connection, &id)).await
    }

    /// The newest first.
    pub(crate) async fn list_webhooks(
        &self,
        max_results: Option<i64>,
        token: Option<&str>,
    ) -> mlflow::Result<Page<Webhook>> {
        let max_results = max_results.filter(|number| *number != 0).unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&max_results) {
            return Err(Error::invalid(format!("max_results must be between 1 and {PAGE_MAX}.")));
        }
        let offset = page::offset(token)?;
        self.read_many(Reading::Listing, move |connection| list(connection, max_results, offset))
            .await
    }

    /// One that is told nothing any more has nothing that waits.
    pub(crate) async fn update_webhook(
        &self,
        id: &str,
        fields: WebhookFields,
    ) -> mlflow::Result<Webhook> {
        let id = id.to_owned();
        let auditor = self.auditor();
        let updated = self.write(move |connection| {
            let before = get(connection, &id)?;
            let after = update(connection, &id, &fields)?;
            let change = of_webhook("webhook.update", &id);
            let mut changes = vec![change.before(said(&before)).after(said(&after))];
            if fields.secret.is_some() {
                changes.push(of_webhook("webhook.set_secret", &id));
            }
            auditor.note(connection, changes)?;
            Ok(after)
        });
        let webhook = updated.await?;
        if !webhook.is_active {
            self.sweep_deliveries().await?;
        }
        Ok(webhook)
    }

    pub(crate) async fn delete_webhook(&self, id: &str) -> mlflow::Result<()> {
        let id = id.to_owned();
        let auditor = self.auditor();
        let deleted = self.write(move |connection| {
            let before = get(connection, &id)?;
            delete(connection, &id)?;
            let change = of_webhook("webhook.delete", &id).before(said(&before));
            auditor.note(connection, vec![change])
        });
        deleted.await?;
        self.sweep_deliveries().await
    }
}

fn of_webhook(action: &'static str, id: &str) -> Change {
    Change::new(action, format!("webhook:{id}"))
}

/// What is written down of a webhook. Whoever knows a whole address may often post to it, so it is told by its host and
/// a mark that is another one for another address.
fn said(webhook: &Webhook) -> String {
    let host = Url::parse(&webhook.url).map(|url| url.origin().ascii_serialization());
    let mark = hex::encode(Sha256::digest(&webhook.url));
    let mark = mark.get(..MARK_DIGITS).unwrap_or_default();
    let events = webhook.events.iter();
    let events: Vec<String> =
        events.map(|event| format!("{}.{}", event.entity.name(), event.action.name())).collect();
    format!(
        "{} {} {} ({mark}): {}",
        webhook.name,
        status(webhook.is_active),
        host.unwrap_or_default(),
        events.join(", ")
    )
}

fn status(is_active: bool) -> &'static str {
    if is_active { "ACTIVE" } else { "DISABLED" }
}

fn kept(secret: Option<&str>) -> Option<&str> {
    secret.filter(|secret| !secret.is_empty())
}

fn read(row: &dyn Row) -> Result<Webhook> {
    let creation_timestamp = row.int(6)?.unwrap_or_default();
    Ok(Webhook {
        id: row.need_text(0)?,
        name: row.need_text(1)?,
        description: row.optional_text(2)?,
        url: row.need_text(3)?,
        is_active: row.text(4)? == Some("ACTIVE"),
        secret: row.optional_text(5)?,
        creation_timestamp,
        last_updated_timestamp: row.int(7)?.unwrap_or(creation_timestamp),
        events: Vec::new(),
    })
}

fn get(connection: &mut dyn Connection, id: &str) -> Result<Webhook> {
    let sql = format!("SELECT {COLUMNS} {LIVING} AND w.webhook_id = ?2");
    let mut webhook = connection
        .first(&sql, &[WORKSPACE.into(), id.into()], read)?
        .ok_or_else(|| Error::not_found(format!("Webhook with ID {id} not found.")))?;
    fill(connection, &mut webhook)?;
    Ok(webhook)
}

fn fill(connection: &mut dyn Connection, webhook: &mut Webhook) -> Result<()> {
    let events = connection.rows(
        "SELECT entity, action FROM webhook_events WHERE webhook_id = ?1 ORDER BY entity, action",
        &[(&webhook.id).into()],
        |row| Ok(Event::of_names(&row.need_text(0)?, &row.need_text(1)?)),
    )?;
    webhook.events = events.into_iter().flatten().collect();
    Ok(())
}

fn list(connection: &mut dyn Connection, max_results: i64, offset: i64) -> Result<Page<Webhook>> {
    let sql = format!(
        "SELECT {COLUMNS} {LIVING} ORDER BY w.creation_timestamp DESC, w.webhook_id LIMIT ?2 OFFSET ?3"
    );
    let found = connection.rows(
        &sql,
        &[WORKSPACE.into(), (max_results + 1).into(), offset.into()],
        read,
    )?;
    let (mut items, next_page_token) = page::cut(found, offset, max_results);
    for webhook in &mut items {
        fill(connection, webhook)?;
    }
    Ok(Page { items, next_page_token })
}

fn create(connection: &mut dyn Connection, fields: &WebhookFields) -> Result<Webhook> {
    let id = uuid::Uuid::new_v4().to_string();
    let now = creation_millis();
    connection.execute(
        "INSERT INTO webhooks (webhook_id, name, description, url, status, secret, \
         creation_timestamp, last_updated_timestamp, workspace) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
        &[
            (&id).into(),
            fields.name.as_deref().unwrap_or_default().into(),
            fields.description.as_deref().into(),
            fields.url.as_deref().unwrap_or_default().into(),
            status(fields.is_active.unwrap_or(true)).into(),
            kept(fields.secret.as_deref()).into(),
            now.into(),
            WORKSPACE.into(),
        ],
    )?;
    subscribe(connection, &id, fields.events.as_deref().unwrap_or_default())?;
    get(connection, &id)
}

/// One said twice is one.
fn subscribe(connection: &mut dyn Connection, id: &str, events: &[Event]) -> Result<()> {
    for event in events {
        connection.execute(
            "INSERT INTO webhook_events (webhook_id, entity, action) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
            &[id.into(), event.entity.name().into(), event.action.name().into()],
        )?;
    }
    Ok(())
}

fn update(connection: &mut dyn Connection, id: &str, fields: &WebhookFields) -> Result<Webhook> {
    get(connection, id)?;
    let columns: [(&str, Option<Value<'_>>); 5] = [
        ("name", fields.name.as_ref().map(Into::into)),
        ("description", fields.description.as_ref().map(Into::into)),
        ("url", fields.url.as_ref().map(Into::into)),
        ("status", fields.is_active.map(|is_active| status(is_active).into())),
        ("secret", fields.secret.as_deref().map(|secret| kept(Some(secret)).into())),
    ];
    for (column, value) in columns {
        let Some(value) = value else { continue };
        connection.execute(
            &format!("UPDATE webhooks SET {column} = ?1 WHERE webhook_id = ?2"),
            &[value, id.into()],
        )?;
    }
    if let Some(events) = &fields.events {
        connection.execute("DELETE FROM webhook_events WHERE webhook_id = ?1", &[id.into()])?;
        subscribe(connection, id, events)?;
    }
    connection.execute(
        "UPDATE webhooks SET last_updated_timestamp = ?1 WHERE webhook_id = ?2",
        &[now_millis().into(), id.into()],
    )?;
    get(connection, id)
}

/// The row stays, as upstream has it.
fn delete(connection: &mut dyn Connection, id: &str) -> Result<()> {
    get(connection, id)?;
    connection.execute(
        "UPDATE webhooks SET deleted_timestamp = ?1, last_updated_timestamp = ?1 \
         WHERE webhook_id = ?2",
        &[now_millis().into(), id.into()],
    )?;
    Ok(())
}
