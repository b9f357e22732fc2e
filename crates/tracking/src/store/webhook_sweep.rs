//! Deliveries that are given up because nobody wants them or there are too many, and those that are forgotten.

use std::time::Duration;

use trainyard_mlflow as mlflow;

use super::clock::now_millis;
use super::database::Connection;
use super::sql_store::SqlStore;
use super::webhook_deliveries::millis;
use super::webhook_table::TABLE;
use crate::error::Result;

/// Deliveries that wait for one webhook: of more the oldest are given up. A receiver that is away for a day
/// meets what it can still use, and a registry that is busy does not fill its disk for one that never comes.
const WAITING_MAX: i64 = 10_000;
/// Deliveries that are over and kept to be looked at, for each webhook.
const FINISHED_MAX: i64 = 1000;
/// How long they are kept.
const FINISHED_FOR: Duration = Duration::from_hours(7 * 24);

impl SqlStore {
    /// Gives up what nobody wants any more or what is too much, and forgets what is long over.
    pub(crate) async fn sweep_deliveries(&self) -> mlflow::Result<()> {
        if self.read(any).await?.is_none() {
            return Ok(());
        }
        self.write(sweep).await
    }
}

fn any(connection: &mut dyn Connection) -> Result<Option<()>> {
    connection.first(&format!("SELECT 1 FROM {TABLE} LIMIT 1"), &[], |_row| Ok(()))
}

fn sweep(connection: &mut dyn Connection) -> Result<()> {
    let now = now_millis();
    connection.execute(
        &format!(
            "UPDATE {TABLE} SET state = 'dropped', finished_at = ?1, \
             last_error = 'the webhook was disabled or deleted' \
             WHERE (state = 'pending' OR (state = 'sending' AND due_at <= ?1)) \
             AND webhook_id NOT IN (SELECT w.webhook_id FROM webhooks w \
             WHERE w.status = 'ACTIVE' AND w.deleted_timestamp IS NULL)"
        ),
        &[now.into()],
    )?;
    connection.execute(
        &format!("DELETE FROM {TABLE} WHERE finished_at < ?1"),
        &[now.saturating_sub(millis(FINISHED_FOR)).into()],
    )?;
    drop_beyond(
        connection,
        "finished_at IS NULL",
        WAITING_MAX,
        &format!(
            "UPDATE {TABLE} SET state = 'dropped', finished_at = {now}, \
             last_error = 'more than {WAITING_MAX} deliveries waited'"
        ),
    )?;
    let delete = format!("DELETE FROM {TABLE}");
    drop_beyond(connection, "finished_at IS NOT NULL", FINISHED_MAX, &delete)
}

/// Does `what` to all but the newest `maximum` deliveries of each webhook that are `which`.
fn drop_beyond(
    connection: &mut dyn Connection,
    which: &str,
    maximum: i64,
    what: &str,
) -> Result<()> {
    let crowded = connection.rows(
        &format!(
            "SELECT webhook_id FROM {TABLE} WHERE {which} GROUP BY webhook_id HAVING count(*) > ?1"
        ),
        &[maximum.into()],
        |row| row.need_text(0),
    )?;
    for webhook in &crowded {
        connection.execute(
            &format!(
                "{what} WHERE webhook_id = ?1 AND {which} AND number <= (SELECT number FROM {TABLE} \
                 WHERE webhook_id = ?1 AND {which} ORDER BY number DESC LIMIT 1 OFFSET ?2)"
            ),
            &[webhook.into(), maximum.into()],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::webhook_deliveries::tests::subscribed;
    use super::*;

    #[tokio::test]
    async fn deliveries_that_wait_or_are_over_are_bounded() {
        let (store, webhook) = subscribed().await;
        let id = webhook.clone();
        let filled = store.write(move |connection| {
            fill(connection, &id, "pending", "NULL", WAITING_MAX + 5)?;
            fill(connection, &id, "delivered", &now_millis().to_string(), FINISHED_MAX + 7)?;
            fill(connection, &id, "failed", "1", 3)?;
            fill(connection, "gone", "pending", "NULL", 2)
        });
        filled.await.unwrap();
        store.sweep_deliveries().await.unwrap();
        let mut states = store.read(count).await.unwrap();
        states.sort();
        let of = |id: &str, state: &str, number| (id.to_owned(), state.to_owned(), number);
        // What was dropped is older than what was delivered, and first to be forgotten.
        assert_eq!(
            states.into_iter().filter(|(id, ..)| *id == webhook).collect::<Vec<_>>(),
            [of(&webhook, "delivered", FINISHED_MAX), of(&webhook, "pending", WAITING_MAX)]
        );
        assert!(store.deliveries_of("gone", 10).await.unwrap().iter().all(|one| {
            one.state == "dropped" && one.last_error.is_some() && one.finished_at.is_some()
        }));
    }

    fn fill(
        connection: &mut dyn Connection,
        webhook: &str,
        state: &str,
        finished_at: &str,
        number: i64,
    ) -> Result<()> {
        connection.execute(
            &format!(
                "INSERT INTO {TABLE} (delivery_id, webhook_id, entity, action, body, state, \
                 attempts, created_at, due_at, finished_at) \
                 WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?1) \
                 SELECT n, ?2, 'prompt', 'created', '', ?3, 0, 1, 1, {finished_at} FROM c"
            ),
            &[number.into(), webhook.into(), state.into()],
        )?;
        Ok(())
    }

    fn count(connection: &mut dyn Connection) -> Result<Vec<(String, String, i64)>> {
        connection.rows(
            &format!("SELECT webhook_id, state, count(*) FROM {TABLE} GROUP BY webhook_id, state"),
            &[],
            |row| Ok((row.need_text(0)?, row.need_text(1)?, row.need_int(2)?)),
        )
    }
}
