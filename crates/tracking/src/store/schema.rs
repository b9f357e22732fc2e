//! Makes upstream's tables in an empty database, checks them in one that is there.
//!
//! The layout is upstream's, with all its tables (also those that this program never fills), so
//! that an upstream server opens a database made here. A database of another schema version is
//! never touched.

use super::clock::now_millis;
use super::database::{Connection, Dialect, Value};
use super::postgres_doubt;
use crate::error::{Error, Result};

/// `alembic_version.version_num` of MLflow 3.17.
pub(crate) const VERSION: &str = "dc11669786a5";
/// Upstream's workspace when workspaces are not used.
pub(crate) const WORKSPACE: &str = "default";

const SQLITE_SCHEMA: &str = include_str!("schema_3_17.sql");
const POSTGRES_SCHEMA: &str = include_str!("schema_3_17_postgres.sql");

/// Indexes of our own on upstream's tables: they make searches fast, and upstream, which never
/// names them, goes on working.
const INDEXES: &[&str] = &[
    // The runs of an experiment, newest first.
    "CREATE INDEX IF NOT EXISTS trainyard_runs_by_start \
     ON runs (experiment_id, start_time DESC, run_uuid, lifecycle_stage)",
    // Runs by the latest value of a metric.
    "CREATE INDEX IF NOT EXISTS trainyard_latest_metrics_by_value \
     ON latest_metrics (\"key\", is_nan, value, run_uuid)",
    // Runs by a param or tag. Values may be thousands of characters long, so only their start is
    // in the index; it is written as PREFIX in the searches, too.
    "CREATE INDEX IF NOT EXISTS trainyard_params_by_value \
     ON params (\"key\", substr(value, 1, 64), run_uuid)",
    "CREATE INDEX IF NOT EXISTS trainyard_tags_by_value \
     ON tags (\"key\", substr(value, 1, 64), run_uuid)",
    // The logged models of an experiment, newest first.
    "CREATE INDEX IF NOT EXISTS trainyard_logged_models_by_creation \
     ON logged_models (experiment_id, creation_timestamp_ms DESC, model_id)",
];

/// Creates or checks the schema; `uri` is for messages.
pub(crate) fn prepare(
    connection: &mut dyn Connection,
    uri: &str,
    default_artifact_root: &str,
) -> Result<()> {
    // Two processes may open a new database at once: the second waits here and finds it made.
    match connection.dialect() {
        Dialect::Sqlite => connection.execute_script("BEGIN IMMEDIATE")?,
        Dialect::Postgres => {
            connection.execute_script("BEGIN; SELECT pg_advisory_xact_lock(3170317)")?;
        }
    }
    let result = prepare_within(connection, uri, default_artifact_root);
    connection.execute_script(if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    result
}

fn prepare_within(
    connection: &mut dyn Connection,
    uri: &str,
    default_artifact_root: &str,
) -> Result<()> {
    let (list, schema) = match connection.dialect() {
        Dialect::Sqlite => (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            SQLITE_SCHEMA,
        ),
        Dialect::Postgres => (
            "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema()",
            POSTGRES_SCHEMA,
        ),
    };
    let tables = connection.rows(list, &[], |row| row.need_text(0))?;
    if tables.is_empty() {
        connection.execute_script(schema)?;
        connection.execute(
            "INSERT INTO workspaces (name, description) VALUES (?1, ?2)",
            &[WORKSPACE.into(), "Default workspace for legacy resources".into()],
        )?;
        connection
            .execute("INSERT INTO alembic_version (version_num) VALUES (?1)", &[VERSION.into()])?;
    } else if tables.iter().any(|table| table == "alembic_version") {
        check_version(connection, uri)?;
    } else {
        return Err(Error::NotMlflow { uri: uri.to_owned() });
    }
    let is_postgres = connection.dialect() == Dialect::Postgres;
    if is_postgres && !tables.iter().any(|table| table == postgres_doubt::TABLE) {
        connection.execute_script(postgres_doubt::CREATE)?;
    }
    for index in INDEXES {
        connection.execute_script(index)?;
    }
    create_default_experiment(connection, default_artifact_root)
}

fn check_version(connection: &mut dyn Connection, uri: &str) -> Result<()> {
    let versions =
        connection.rows("SELECT version_num FROM alembic_version", &[], |row| row.need_text(0))?;
    if versions == [VERSION] {
        return Ok(());
    }
    let found = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
    Err(Error::SchemaVersion { found, expected: VERSION, uri: uri.to_owned() })
}

/// Clients expect experiment 0; upstream makes it when there is no experiment at all.
fn create_default_experiment(connection: &mut dyn Connection, root: &str) -> Result<()> {
    let some = connection.first("SELECT 1 FROM experiments LIMIT 1", &[], |_row| Ok(()))?;
    if some.is_some() {
        return Ok(());
    }
    let now = now_millis();
    connection.execute(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, \
         creation_time, last_update_time, workspace) VALUES (0, 'Default', ?1, 'active', ?2, ?2, ?3)",
        &[Value::from(trainyard_mlflow::uri::join(root, "0")), now.into(), WORKSPACE.into()],
    )?;
    Ok(())
}
