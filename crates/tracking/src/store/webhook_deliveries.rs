//! Deliveries as they are claimed, sent again, given up and shown.

use std::time::Duration;

use trainyard_mlflow as mlflow;

use super::clock::now_millis;
use super::database::{Connection, Dialect, Value};
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::webhook_table::TABLE;
use crate::error::Result;

/// Longest error that is kept, in characters.
const ERROR_CHARACTERS_MAX: usize = 500;

/// A delivery that this process sends now.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) number: i64,
    pub(crate) delivery_id: String,
    pub(crate) webhook_id: String,
    pub(crate) url: String,
    /// Encrypted.
    pub(crate) secret: Option<String>,
    pub(crate) body: String,
    /// With this one.
    pub(crate) attempts: i64,
    /// Milliseconds since the Unix epoch.
    pub(crate) created_at: i64,
}

/// What there is to do now, and how long until there may be more.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) deliveries: Vec<Claimed>,
    /// None if nothing waits, or what waits does so for one that is being sent.
    pub(crate) next_in: Option<Duration>,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt {
    Delivered {
        status: u16,
    },
    /// It is due again after so long.
    Again {
        after: Duration,
        status: Option<u16>,
        error: String,
    },
    GivenUp {
        status: Option<u16>,
        error: String,
    },
}

/// A delivery as people see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Delivery {
    pub(crate) delivery_id: String,
    pub(crate) event: String,
    /// `pending`, `sending`, `delivered`, `failed` (given up) or `dropped` (nobody wanted it any more).
    pub(crate) state: String,
    pub(crate) attempts: i64,
    pub(crate) created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_attempt_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finished_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_status: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
}

impl SqlStore {
    /// Waits until deliveries were added.
    pub(crate) async fn deliveries_added(&self) {
        self.undelivered.notified().await;
    }

    /// Takes up to `limit` deliveries that are due, at most one of each webhook, for as long as `lease`: whoever
    /// has not said by then how it went is gone, and they are due again.
    pub(crate) async fn claim_deliveries(
        &self,
        limit: usize,
        lease: Duration,
    ) -> mlflow::Result<Claims> {
        // Idle servers write nothing.
        let Some(next) = self.read(next_due).await? else { return Ok(Claims::default()) };
        let now = now_millis();
        if next > now {
            let next_in = Some(Duration::from_millis(next.abs_diff(now)));
            return Ok(Claims { deliveries: Vec::new(), next_in });
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let deliveries = self.write(move |connection| claim(connection, limit, lease)).await?;
        Ok(Claims { deliveries, next_in: None })
    }

    /// Says how an attempt went.
    pub(crate) async fn attempted(&self, claimed: &Claimed, how: Attempt) -> mlflow::Result<()> {
        let (number, attempts) = (claimed.number, claimed.attempts);
        self.write(move |connection| attempted(connection, number, attempts, &how)).await
    }

    /// The newest deliveries of a webhook.
    pub(crate) async fn deliveries_of(
        &self,
        webhook: &str,
        limit: i64,
    ) -> mlflow::Result<Vec<Delivery>> {
        let webhook = webhook.to_owned();
        self.read_many(Reading::Listing, move |connection| {
            deliveries_of(connection, &webhook, limit)
        })
        .await
    }
}

/// When the next delivery of an active webhook is due.
fn next_due(connection: &mut dyn Connection) -> Result<Option<i64>> {
    let sql = format!(
        "SELECT min(d.due_at) FROM {TABLE} d JOIN webhooks w ON w.webhook_id = d.webhook_id \
         WHERE d.state IN ('pending', 'sending') AND w.status = 'ACTIVE' \
         AND w.deleted_timestamp IS NULL AND w.workspace = ?1"
    );
    Ok(connection.first(&sql, &[WORKSPACE.into()], |row| row.int(0))?.flatten())
}

fn claim(connection: &mut dyn Connection, limit: i64, lease: Duration) -> Result<Vec<Claimed>> {
    // Whoever else claims passes over the webhooks that are locked here: one of them is told one thing at a time.
    let lock = match connection.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR NO KEY UPDATE OF w SKIP LOCKED",
    };
    let now = now_millis();
    let due = format!(
        "SELECT min(d.due_at) FROM {TABLE} d WHERE d.webhook_id = w.webhook_id \
         AND d.state IN ('pending', 'sending')"
    );
    let webhooks = connection.rows(
        &format!(
            "SELECT w.webhook_id, w.url, w.secret FROM webhooks w WHERE w.status = 'ACTIVE' \
             AND w.deleted_timestamp IS NULL AND w.workspace = ?1 AND ({due}) <= ?2 \
             AND NOT EXISTS (SELECT 1 FROM {TABLE} s WHERE s.webhook_id = w.webhook_id \
             AND s.state = 'sending' AND s.due_at > ?2) ORDER BY ({due}) LIMIT ?3{lock}"
        ),
        &[WORKSPACE.into(), now.into(), limit.into()],
        |row| Ok((row.need_text(0)?, row.need_text(1)?, row.optional_text(2)?)),
    )?;
    let mut claimed = Vec::with_capacity(webhooks.len());
    for (webhook_id, url, secret) in webhooks {
        // Asked again: before the lock another server may have taken one.
        let oldest = format!(
            "SELECT d.number, d.delivery_id, d.body, d.attempts, d.created_at FROM {TABLE} d \
             WHERE d.webhook_id = ?1 AND d.state IN ('pending', 'sending') AND d.due_at <= ?2 \
             AND NOT EXISTS (SELECT 1 FROM {TABLE} s WHERE s.webhook_id = ?1 \
             AND s.state = 'sending' AND s.due_at > ?2) ORDER BY d.number LIMIT 1"
        );
        let found = connection.first(&oldest, &[(&webhook_id).into(), now.into()], |row| {
            Ok(Claimed {
                number: row.need_int(0)?,
                delivery_id: row.need_text(1)?,
                webhook_id: webhook_id.clone(),
                url: url.clone(),
                secret: secret.clone(),
                body: row.need_text(2)?,
                attempts: row.need_int(3)? + 1,
                created_at: row.need_int(4)?,
            })
        })?;
        let Some(one) = found else { continue };
        let end = now.saturating_add(millis(lease));
        connection.execute(
            &format!(
                "UPDATE {TABLE} SET state = 'sending', attempts = ?1, due_at = ?2 WHERE number = ?3"
            ),
            &[one.attempts.into(), end.into(), one.number.into()],
        )?;
        claimed.push(one);
    }
    Ok(claimed)
}

fn attempted(
    connection: &mut dyn Connection,
    number: i64,
    attempts: i64,
    how: &Attempt,
) -> Result<()> {
    let now = now_millis();
    let (state, due_at, finished_at, status, error) = match how {
        Attempt::Delivered { status } => ("delivered", now, Some(now), Some(*status), None),
        Attempt::Again { after, status, error } => {
            ("pending", now.saturating_add(millis(*after)), None, *status, Some(error))
        }
        Attempt::GivenUp { status, error } => ("failed", now, Some(now), *status, Some(error)),
    };
    let error: Option<String> =
        error.map(|error| error.chars().take(ERROR_CHARACTERS_MAX).collect());
    // What somebody else has taken meanwhile is theirs to tell of, except that it was delivered.
    let theirs = if state == "delivered" { "" } else { " AND attempts = ?7 AND state = 'sending'" };
    let mut values: Vec<Value<'_>> = vec![
        state.into(),
        due_at.into(),
        finished_at.into(),
        status.map(i64::from).into(),
        error.into(),
        number.into(),
    ];
    if !theirs.is_empty() {
        values.push(attempts.into());
    }
    connection.execute(
        &format!(
            "UPDATE {TABLE} SET state = ?1, due_at = ?2, finished_at = ?3, last_status = ?4, \
             last_error = ?5 WHERE number = ?6{theirs}"
        ),
        &values,
    )?;
    Ok(())
}

fn deliveries_of(
    connection: &mut dyn Connection,
    webhook: &str,
    limit: i64,
) -> Result<Vec<Delivery>> {
    let sql = format!(
        "SELECT delivery_id, entity, action, state, attempts, created_at, due_at, finished_at, \
         last_status, last_error FROM {TABLE} WHERE webhook_id = ?1 ORDER BY number DESC LIMIT ?2"
    );
    connection.rows(&sql, &[webhook.into(), limit.into()], |row| {
        let state = row.need_text(3)?;
        let due_at = row.int(6)?;
        Ok(Delivery {
            delivery_id: row.need_text(0)?,
            event: format!("{}.{}", row.need_text(1)?, row.need_text(2)?),
            attempts: row.need_int(4)?,
            created_at: row.need_int(5)?,
            next_attempt_at: due_at.filter(|_| state == "pending"),
            finished_at: row.int(7)?,
            last_status: row.int(8)?,
            last_error: row.optional_text(9)?,
            state,
        })
    })
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(in crate::store) mod tests {
    use trainyard_mlflow::RegisteredModels as _;

    use super::super::call::ReadLimits;
    use super::super::sql_store::StoreOptions;
    use super::super::webhooks::WebhookFields;
    use super::*;
    use crate::governance::Governance;
    use crate::webhooks::event::{Action, Entity, Event};

    /// A store with a webhook of new models, and the id of the webhook.
    pub(in crate::store) async fn subscribed() -> (SqlStore, String) {
        let options = StoreOptions {
            artifact_root: "mlflow-artifacts:/".to_owned(),
            truncate_long_values: true,
            limits: ReadLimits::default(),
            governance: Governance::default(),
        };
        let store = SqlStore::open_temporary(options).unwrap();
        let event = Event { entity: Entity::RegisteredModel, action: Action::Created };
        let fields = WebhookFields {
            name: Some("w".to_owned()),
            url: Some("https://example.com/".to_owned()),
            events: Some(vec![event]),
            ..WebhookFields::default()
        };
        let webhook = store.create_webhook(fields).await.unwrap();
        (store, webhook.id)
    }

    #[tokio::test]
    async fn whoever_claimed_a_delivery_and_is_gone_does_not_keep_it() {
        let (store, webhook) = subscribed().await;
        store.create("m", &[], None).await.unwrap();
        // A change that is taken back tells nobody.
        store.create("m", &[], None).await.unwrap_err();
        let hour = Duration::from_hours(1);
        let lost = store.claim_deliveries(10, Duration::ZERO).await.unwrap().deliveries;
        let [lost] = lost.as_slice() else { panic!("{lost:?}") };
        let found = store.claim_deliveries(10, hour).await.unwrap().deliveries;
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((&found.delivery_id, found.attempts), (&lost.delivery_id, 2));
        assert!(store.claim_deliveries(10, hour).await.unwrap().deliveries.is_empty());

        // That it failed is told by whoever has it now; that it was taken, by whoever knows.
        let failed =
            Attempt::Again { after: Duration::ZERO, status: None, error: "late".to_owned() };
        store.attempted(lost, failed).await.unwrap();
        let shown = store.deliveries_of(&webhook, 10).await.unwrap();
        assert_eq!((shown[0].state.as_str(), &shown[0].last_error), ("sending", &None));
        store.attempted(lost, Attempt::Delivered { status: 200 }).await.unwrap();
        let shown = store.deliveries_of(&webhook, 10).await.unwrap();
        assert_eq!((shown.len(), shown[0].state.as_str()), (1, "delivered"));
    }
}
