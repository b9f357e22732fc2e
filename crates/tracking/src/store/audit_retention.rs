//! Retention of the audit log: old events go, and what is left can still be verified.
//!
//! A checkpoint, itself an event of the chain, says which event was the last to go, what its hash was, and where
//! aliases pointed then. It is written in the transaction in which the events go, and a step is short: whenever
//! this is broken off, what is there is whole.

use trainyard_mlflow as mlflow;

use super::audit::{Auditor, Change, last};
use super::audit_search::aliases_after;
use super::database::Connection;
use super::sql_store::SqlStore;
use crate::audit::{CHECKPOINT, Checkpoint, LOG};
use crate::error::{Error, Result};
use crate::governance::Audited;

/// Events that go in one step: others who write wait for less than a second.
const STEP: i64 = 20_000;

impl SqlStore {
    /// Lets the oldest events go that are from before a time and before the event `end`, a step of them; how many
    /// that were.
    pub(crate) async fn prune_audit(&self, before: i64, end: i64) -> mlflow::Result<i64> {
        // Whatever else is written down, this is.
        let auditor = Auditor::current(Audited::Changes);
        self.write(move |connection| prune(connection, &auditor, before, end)).await
    }
}

fn prune(connection: &mut dyn Connection, auditor: &Auditor, before: i64, end: i64) -> Result<i64> {
    // Nobody adds an event meanwhile.
    last(connection)?;
    let oldest = "SELECT min(id) FROM trainyard_audit";
    let Some(oldest) = connection.first(oldest, &[], |row| row.int(0))?.flatten() else {
        return Ok(0);
    };
    let sql = "SELECT id, hash FROM trainyard_audit WHERE id < ?1 AND at < ?2 \
               ORDER BY id DESC LIMIT 1";
    let end = end.min(oldest.saturating_add(STEP));
    let found = connection.first(sql, &[end.into(), before.into()], |row| {
        Ok((row.need_int(0)?, row.need_text(1)?))
    })?;
    let Some((through, hash)) = found else { return Ok(0) };
    let aliases = aliases_after(connection, through, None)?;
    let checkpoint = serde_json::to_string(&Checkpoint { through, hash, aliases })
        .map_err(|error| Error::database(format!("a checkpoint is no JSON: {error}")))?;
    let change = Change::new(CHECKPOINT, LOG.to_owned()).field(&through.to_string());
    auditor.note(connection, vec![change.after(checkpoint).whole()])?;
    let gone = "DELETE FROM trainyard_audit WHERE id <= ?1";
    let gone = connection.execute(gone, &[through.into()])?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}
