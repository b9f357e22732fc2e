//! Makes upstream's tables in an empty database, checks them in one that is there.
//!
//! The layout is upstream's, with all its tables (also those that this program never fills), so
//! that an upstream server opens a database made here. One of an older version is refused with the command
//! that upgrades it; one of a newer version opens if the tables that are used here are as they were.

use super::clock::now_millis;
use super::database::{Connection, Dialect, HISTORIES, Value};
use super::upgrade::{HEAD, Position, read_head};
use super::{postgres_doubt, schema_columns, tables, webhook_table};
use crate::error::{Error, Result};

/// Upstream's workspace when workspaces are not used.
pub(crate) const WORKSPACE: &str = "default";

const SQLITE_SCHEMA: &str = include_str!("schema_3_17.sql");
const POSTGRES_SCHEMA: &str = include_str!("schema_3_17_postgres.sql");

/// Indexes of our own on upstream's tables: they make searches fast, and upstream, which never
/// names them, goes on working.
const INDEXES: &[(&str, &str)] = &[
    // Upstream's own, which is asked for by its name; only where a later one has dropped it is it made here.
    (HISTORIES, "metrics (run_uuid, \"key\", step)"),
    // The runs of an experiment, newest first.
    ("trainyard_runs_by_start", "runs (experiment_id, start_time DESC, run_uuid, lifecycle_stage)"),
    // Runs by the latest value of a metric.
    ("trainyard_latest_metrics_by_value", "latest_metrics (\"key\", is_nan, value, run_uuid)"),
    // Runs by a param or tag. Values may be thousands of characters long, so only their start is
    // in the index; it is written as PREFIX in the searches, too.
    ("trainyard_params_by_value", "params (\"key\", substr(value, 1, 64), run_uuid)"),
    ("trainyard_tags_by_value", "tags (\"key\", substr(value, 1, 64), run_uuid)"),
    // The logged models of an experiment, newest first.
    (
        "trainyard_logged_models_by_creation",
        "logged_models (experiment_id, creation_timestamp_ms DESC, model_id)",
    ),
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
    let schema = match connection.dialect() {
        Dialect::Sqlite => SQLITE_SCHEMA,
        Dialect::Postgres => POSTGRES_SCHEMA,
    };
    let tables = tables::names(connection)?;
    // Tables of our own, and of users, are no database of MLflow's store.
    if tables::are_elsewheres(&tables) {
        connection.execute_script(schema)?;
        connection.execute(
            "INSERT INTO workspaces (name, description) VALUES (?1, ?2)",
            &[WORKSPACE.into(), "Default workspace for legacy resources".into()],
        )?;
        connection
            .execute("INSERT INTO alembic_version (version_num) VALUES (?1)", &[HEAD.into()])?;
    } else {
        check_version(connection, uri)?;
        refuse_workspaces(connection, uri)?;
    }
    let is_postgres = connection.dialect() == Dialect::Postgres;
    if is_postgres && !tables.iter().any(|table| table == postgres_doubt::TABLE) {
        connection.execute_script(postgres_doubt::CREATE)?;
    }
    if !tables.iter().any(|table| table == webhook_table::TABLE) {
        let table = webhook_table::create_table(connection.dialect());
        connection.execute_script(&table)?;
    }
    let there = tables::indexes(connection)?;
    for (name, columns) in INDEXES {
        // Making one that is there would still wait for all writers of its table, and they for it.
        if !there.iter().any(|index| index == name) {
            connection.execute_script(&format!("CREATE INDEX {name} ON {columns}"))?;
        }
    }
    create_default_experiment(connection, default_artifact_root)
}

fn check_version(connection: &mut dyn Connection, uri: &str) -> Result<()> {
    let found = read_head(connection, uri)?;
    let uri = uri.to_owned();
    match Position::of(&found) {
        Position::Same => Ok(()),
        Position::Older => Err(Error::SchemaOlder { found, uri }),
        Position::TooOld => Err(Error::SchemaTooOld { found, uri }),
        Position::Newer => {
            let differences =
                schema_columns::differences(connection, SQLITE_SCHEMA, &schema_columns::USED)?;
            if !differences.is_empty() {
                return Err(Error::SchemaNewer { found, uri, differences });
            }
            tracing::warn!(
                %uri,
                "the database is of a newer MLflow than 3.17 (schema version {found}): the tables that are used \
                 here are as they were, so it opens"
            );
            Ok(())
        }
    }
}

/// Refuses a database in which something is in a workspace of its own, as upstream does without workspaces: those who
/// were kept apart would read each other's experiments.
fn refuse_workspaces(connection: &mut dyn Connection, uri: &str) -> Result<()> {
    for (what, table, name) in [
        ("experiment", "experiments", "name"),
        ("registered model", "registered_models", "name"),
        ("webhook", "webhooks", "webhook_id"),
    ] {
        let sql = format!("SELECT {name}, workspace FROM {table} WHERE workspace <> ?1 LIMIT 1");
        let found = connection.first(&sql, &[WORKSPACE.into()], |row| {
            Ok((row.text_or_empty(0)?, row.text_or_empty(1)?))
        })?;
        if let Some((name, workspace)) = found {
            let example = format!("the {what} '{name}' is in the workspace '{workspace}'");
            return Err(Error::Divided { example, uri: uri.to_owned() });
        }
    }
    Ok(())
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
