//! From the database of users into the server's audit log.

use std::sync::OnceLock;

use tokio::sync::Mutex;
use trainyard_mlflow::Result;

use super::outbox;
use crate::audit::AuditLog;
use crate::store::audit_taken::Taken;
use crate::store::{Database, Reading};

/// Takes changes over into a log, once there is one: `trainyard user` has none, and leaves them to the server.
#[derive(Debug)]
pub(crate) struct Feed {
    log: OnceLock<AuditLog>,
    /// Changes that were made before this program began.
    made_before: i64,
    /// Held by whoever takes something over. Those behind find it done.
    turn: Mutex<()>,
}

impl Feed {
    /// `made_before` is how many changes there ever were.
    pub(crate) fn new(made_before: i64) -> Self {
        Self { log: OnceLock::new(), made_before, turn: Mutex::new(()) }
    }

    /// Names the log, and takes over what was left by a server that ended.
    pub(crate) async fn open(&self, database: &Database, log: AuditLog) -> Result<()> {
        // A directory is one server's: it is set once.
        let _set = self.log.set(log);
        self.take_over(database, true).await
    }

    /// Takes over what waits.
    pub(crate) async fn take_over(&self, database: &Database, is_start: bool) -> Result<()> {
        let Some(log) = self.log.get() else { return Ok(()) };
        let _turn = self.turn.lock().await;
        let left = if is_start { self.made_before } else { 0 };
        let mut seen = None;
        loop {
            let waiting = database.read_many(Reading::Listing, outbox::waiting).await?;
            let is_all = waiting.is_all;
            // The log is looked at without need only when a server starts.
            if waiting.events.is_empty() && is_all && !is_start {
                return Ok(());
            }
            // A change that a power cut takes back must not be in the log of another file.
            database.settle().await?;
            let (through, late, gaps) = match log.0.take_changes(waiting, seen, left).await? {
                Taken::Done { through, late, gaps } => (through, late, gaps),
                Taken::LookAgain { known } => {
                    seen = Some(known);
                    continue;
                }
            };
            seen = None;
            for gap in gaps {
                tracing::error!(gap, "the audit log cannot say everything about users");
            }
            if late > 0 {
                tracing::warn!(late, "changes of users come into the audit log only now");
            }
            database.write(move |connection| outbox::remove(connection, through)).await?;
            if is_all {
                return Ok(());
            }
        }
    }
}
