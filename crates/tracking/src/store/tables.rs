//! Which tables and indexes a database has.

use super::database::{Connection, Dialect};
use crate::error::Result;

/// How the names of tables and indexes begin that are not upstream's.
pub(super) const OURS: &str = "trainyard_";

/// The names of all tables but the database's own.
pub(super) fn names(connection: &mut dyn Connection) -> Result<Vec<String>> {
    let list = match connection.dialect() {
        Dialect::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        }
        Dialect::Postgres => {
            "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema()"
        }
    };
    connection.rows(list, &[], |row| row.need_text(0))
}

/// The names of all indexes.
pub(super) fn indexes(connection: &mut dyn Connection) -> Result<Vec<String>> {
    let list = match connection.dialect() {
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'index'",
        Dialect::Postgres => {
            "SELECT CAST(indexname AS text) FROM pg_indexes WHERE schemaname = current_schema()"
        }
    };
    connection.rows(list, &[], |row| row.need_text(0))
}
