//! Which tables and indexes a database has.

use super::database::{Connection, Dialect};
use crate::error::Result;

/// How the names of tables and indexes begin that are not upstream's.
const OURS: &str = "trainyard_";

/// Which tables upstream's app for users has in a database: it shares one with the store, or has its own.
const USERS: &[&str] = &[
    "alembic_version_auth",
    "experiment_permissions",
    "gateway_endpoint_permissions",
    "gateway_model_definition_permissions",
    "gateway_secret_permissions",
    "registered_model_permissions",
    "role_permissions",
    "roles",
    "scorer_permissions",
    "user_role_assignments",
    "users",
    "workspace_permissions",
];

/// Whether none of them is of MLflow's store: whatever is there is ours, or of users.
pub(super) fn are_elsewheres(tables: &[String]) -> bool {
    let has_users = tables.iter().any(|table| table == USERS[0]);
    tables
        .iter()
        .all(|table| table.starts_with(OURS) || (has_users && USERS.contains(&table.as_str())))
}

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
