//! What webhooks are to be told: a row a delivery, written in the transaction of the change that it tells of.
//!
//! So there is no change without its deliveries, and no delivery of a change that was taken back, whatever ends
//! the process in between. A row is claimed for a while before it is sent; whoever claimed it and is gone does
//! not keep it longer. The table is our own: upstream, which keeps nothing of what it sends, does not look at it.

use chrono::Utc;
use trainyard_mlflow as mlflow;

use super::clock::now_millis;
use super::database::Connection;
use super::registered_model_rows;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::webhook_table::TABLE;
use crate::error::{Error, Result};
use crate::webhooks::change::Change;
use crate::webhooks::payload;

impl SqlStore {
    /// One change that may be told: `work` makes it, and says what it was.
    pub(super) async fn change<T, F>(&self, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<(T, usize)> + Send + 'static,
    {
        let (value, deliveries) = self.write(work).await?;
        self.wake(deliveries);
        Ok(value)
    }

    /// The deliveries begin once they are stored.
    pub(super) fn wake(&self, deliveries: usize) {
        if deliveries > 0 {
            self.undelivered.notify_one();
        }
    }
}

/// Writes a row for every active webhook of a change; how many there are.
pub(super) fn add(connection: &mut dyn Connection, change: &Change<'_>) -> Result<usize> {
    let prompt = change.prompt_event();
    let model = change.model_event();
    let either = model.unwrap_or(prompt);
    let subscribed = connection.rows(
        "SELECT w.webhook_id, e.entity FROM webhook_events e \
         JOIN webhooks w ON w.webhook_id = e.webhook_id \
         WHERE e.entity IN (?1, ?2) AND e.action = ?3 AND w.status = 'ACTIVE' \
         AND w.deleted_timestamp IS NULL AND w.workspace = ?4 \
         ORDER BY w.creation_timestamp, w.webhook_id",
        &[
            prompt.entity.name().into(),
            either.entity.name().into(),
            change.action().name().into(),
            WORKSPACE.into(),
        ],
        |row| Ok((row.need_text(0)?, row.need_text(1)?)),
    )?;
    if subscribed.is_empty() {
        return Ok(0);
    }
    let is_prompt = match change.says_prompt() {
        Some(is_prompt) => is_prompt,
        None => registered_model_rows::is_prompt(connection, change.name())?,
    };
    let event = if is_prompt { Some(prompt) } else { model };
    let Some(event) = event else { return Ok(0) };
    let body = payload::body(event, &change.payload(is_prompt), Utc::now())
        .map_err(|error| Error::database(format!("no message for webhooks: {error}")))?;
    let mut added = 0;
    for (webhook, entity) in &subscribed {
        if entity != event.entity.name() {
            continue;
        }
        let now = now_millis();
        added += connection.execute(
            &format!(
                "INSERT INTO {TABLE} (delivery_id, webhook_id, entity, action, body, state, \
                 attempts, created_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5, 'pending', 0, ?6, ?6)"
            ),
            &[
                uuid::Uuid::new_v4().to_string().into(),
                webhook.into(),
                event.entity.name().into(),
                event.action.name().into(),
                (&body).into(),
                now.into(),
            ],
        )?;
    }
    Ok(added)
}
