//! Whether a change was stored whose connection broke before the answer to COMMIT.
//!
//! Nobody can tell from the broken connection. Taken for not stored and repeated, a run or a version would be
//! there twice; taken for stored, it may be lost. So each connection has a row of its own in a small table, and
//! each change of it writes its number there: row and change are stored together or not at all, whatever happens to the
//! server, and a standby that takes over has both or neither. Afterwards the row tells. Reading it is a write:
//! it waits until the change in doubt has ended either way, and, where a standby confirms commits, until that one
//! has what was read.

use super::database::Connection;
use super::names::new_id;
use super::postgres_client::Client;
use crate::error::Result;

/// Made with upstream's tables ([`schema`](super::schema)), which do not know of it.
pub(super) const TABLE: &str = "trainyard_writers";
/// How its rows are made.
pub(super) const CREATE: &str = "CREATE TABLE trainyard_writers (\
     writer text PRIMARY KEY, \
     change bigint NOT NULL, \
     used_at timestamp with time zone NOT NULL DEFAULT now()) \
     WITH (fillfactor = 50)";

/// Makes it where it is not there.
pub(super) fn make(connection: &mut dyn Connection) -> Result<()> {
    let sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?1";
    if connection.first(sql, &[TABLE.into()], |_row| Ok(()))?.is_none() {
        connection.execute_script(CREATE)?;
    }
    Ok(())
}

/// The row of a connection.
pub(super) struct Writer {
    id: String,
    change: i64,
}

/// One change of a connection.
pub(super) struct Mark {
    writer: String,
    change: i64,
}

impl Writer {
    /// The row of a new connection; those that nobody has used for a day go.
    pub(super) fn register(client: &mut Client) -> Result<Self> {
        client.run(&format!(
            "DELETE FROM {TABLE} WHERE writer IN (SELECT writer FROM {TABLE} \
             WHERE used_at < now() - interval '1 day' FOR UPDATE SKIP LOCKED)"
        ))?;
        Ok(Self { id: new_id(), change: 0 })
    }

    /// What marks the next change, within its transaction.
    pub(super) fn mark(&mut self) -> String {
        self.change += 1;
        format!(
            "INSERT INTO {TABLE} (writer, change) VALUES ('{}', {}) ON CONFLICT (writer) \
             DO UPDATE SET change = excluded.change, used_at = excluded.used_at",
            self.id, self.change
        )
    }

    /// The change that was marked last.
    pub(super) fn marked(&self) -> Mark {
        Mark { writer: self.id.clone(), change: self.change }
    }
}

impl Mark {
    /// Whether the change is there. It has ended when this returns.
    pub(super) fn settle(&self, client: &mut Client) -> Result<bool> {
        let stored = client.first(&format!(
            "INSERT INTO {TABLE} (writer, change) VALUES ('{}', -1) ON CONFLICT (writer) \
             DO UPDATE SET used_at = excluded.used_at RETURNING change",
            self.writer
        ))?;
        Ok(stored.is_some_and(|stored| stored == self.change.to_string()))
    }
}
