//! Numbers of experiments that were removed for good: none is given twice.
//!
//! Whoever was given something on an experiment, or kept from it, has that by its number, in another database. PostgreSQL
//! never counts back; SQLite gives the number of its newest row again once that row is gone. So what was removed is
//! written down in the transaction that removes it.

use std::collections::HashSet;

use super::database::{Connection, Dialect};
use crate::error::Result;

/// A row for each of them.
pub(super) const TABLE: &str = "trainyard_removed_experiments";

/// How the table is made.
pub(super) fn create_table() -> String {
    format!("CREATE TABLE IF NOT EXISTS {TABLE} (experiment_id BIGINT NOT NULL PRIMARY KEY)")
}

/// The column of the number and its value for a new row, each with a comma behind it. SQLite takes NULL for the next
/// number after its largest.
pub(super) fn of_new_row(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Sqlite => (
            "experiment_id, ",
            "(SELECT max(g.experiment_id) + 1 FROM trainyard_removed_experiments g \
             HAVING max(g.experiment_id) > (SELECT COALESCE(max(e.experiment_id), 0) FROM experiments e)), ",
        ),
        Dialect::Postgres => ("", ""),
    }
}

/// Writes down that an experiment is removed.
pub(super) fn remember(connection: &mut dyn Connection, id: i64) -> Result<()> {
    let sql = format!("INSERT INTO {TABLE} (experiment_id) VALUES (?1) ON CONFLICT DO NOTHING");
    connection.execute(&sql, &[id.into()])?;
    Ok(())
}

/// All that were removed.
pub(super) fn removed(connection: &mut dyn Connection) -> Result<HashSet<i64>> {
    let mut removed = HashSet::new();
    connection.query(&format!("SELECT experiment_id FROM {TABLE}"), &[], &mut |row| {
        removed.insert(row.need_int(0)?);
        Ok(())
    })?;
    Ok(removed)
}
