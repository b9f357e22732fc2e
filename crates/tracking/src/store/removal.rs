//! Removes for good what was deleted: runs, logged models and experiments with their rows.
//!
//! What may go is asked again in the transaction in which it goes: a server may restore it meanwhile.

use std::time::Duration;

use trainyard_mlflow as mlflow;

use super::audit::Change;
use super::clock::now_millis;
use super::database::{Connection, Dialect, Row, Value};
use super::permits::Reading;
use super::sql_store::SqlStore;
use super::tables;
use crate::error::Result;

/// A run `r` that is deleted since `?1`, or whose experiment `e` is.
const GONE_RUN: &str = "FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE \
     ((r.lifecycle_stage = 'deleted' AND r.deleted_time <= ?1) \
     OR (e.lifecycle_stage = 'deleted' AND COALESCE(e.last_update_time, 0) <= ?1))";
/// The same of a logged model.
const GONE_MODEL: &str = "FROM logged_models r JOIN experiments e ON e.experiment_id = r.experiment_id \
     WHERE ((r.lifecycle_stage = 'deleted' AND r.last_updated_timestamp_ms <= ?1) \
     OR (e.lifecycle_stage = 'deleted' AND COALESCE(e.last_update_time, 0) <= ?1))";
const GONE_EXPERIMENT: &str = "FROM experiments e WHERE e.lifecycle_stage = 'deleted' \
     AND COALESCE(e.last_update_time, 0) <= ?1";

/// Something of an experiment.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) experiment_id: String,
}

/// What was deleted long enough ago.
#[derive(Debug)]
pub(crate) struct Removable {
    /// Milliseconds since the Unix epoch; what was deleted later stays.
    pub(crate) before: i64,
    pub(crate) runs: Vec<Item>,
    pub(crate) logged_models: Vec<Item>,
    pub(crate) experiments: Vec<String>,
}

impl SqlStore {
    /// What was deleted at least so long ago.
    pub(crate) async fn removable(&self, older_than: Duration) -> mlflow::Result<Removable> {
        let age = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let before = now_millis().saturating_sub(age);
        self.read_many(Reading::Listing, move |connection| {
            let runs = format!("SELECT r.run_uuid, r.experiment_id {GONE_RUN}");
            let models = format!("SELECT r.model_id, r.experiment_id {GONE_MODEL}");
            let experiments = format!("SELECT e.experiment_id {GONE_EXPERIMENT}");
            Ok(Removable {
                before,
                runs: connection.rows(&runs, &[before.into()], item)?,
                logged_models: connection.rows(&models, &[before.into()], item)?,
                experiments: connection
                    .rows(&experiments, &[before.into()], |row| Ok(row.need_int(0)?.to_string()))?,
            })
        })
        .await
    }

    /// Removes a run's rows; where its files are, none if it is not to go any more.
    pub(crate) async fn remove_run(&self, id: &str, before: i64) -> mlflow::Result<Option<String>> {
        let (id, audit) = (id.to_owned(), self.auditor());
        self.write(move |connection| {
            let found = remove_run(connection, &id, before)?;
            let gone = found.as_ref().map(|_location| Change::of_run("run.remove", &id));
            audit.note(connection, gone.into_iter().collect())?;
            Ok(found)
        })
        .await
    }

    /// The same of a logged model.
    pub(crate) async fn remove_logged_model(
        &self,
        id: &str,
        before: i64,
    ) -> mlflow::Result<Option<String>> {
        let id = id.to_owned();
        let audit = self.auditor();
        self.write(move |connection| {
            let found = remove_logged_model(connection, &id, before)?;
            let gone =
                found.as_ref().map(|_location| Change::of_logged_model("logged_model.remove", &id));
            audit.note(connection, gone.into_iter().collect())?;
            Ok(found)
        })
        .await
    }

    /// Removes an experiment that has no runs and no logged models any more; whether it was to go.
    pub(crate) async fn remove_experiment(&self, id: &str, before: i64) -> mlflow::Result<bool> {
        let Ok(id) = id.parse::<i64>() else { return Ok(false) };
        let audit = self.auditor();
        self.write(move |connection| {
            let is_gone = remove_experiment(connection, id, before)?;
            let gone = is_gone.then(|| Change::of_experiment("experiment.remove", id));
            audit.note(connection, gone.into_iter().collect())?;
            Ok(is_gone)
        })
        .await
    }
}

fn item(row: &dyn Row) -> Result<Item> {
    Ok(Item { id: row.need_text(0)?, experiment_id: row.need_int(1)?.to_string() })
}

/// Keeps others from changing what was found until the transaction ends; SQLite has one writer anyway.
fn lock(connection: &dyn Connection, table: &str) -> String {
    match connection.dialect() {
        Dialect::Sqlite => String::new(),
        Dialect::Postgres => format!(" FOR UPDATE OF {table}"),
    }
}

/// Where the files are of what is found as `id`.
fn location(
    connection: &mut dyn Connection,
    (column, gone, key): (&str, &str, &str),
    id: &str,
    before: i64,
) -> Result<Option<String>> {
    let lock = lock(connection, "r");
    let sql = format!("SELECT r.{column} {gone} AND r.{key} = ?2{lock}");
    connection.first(&sql, &[before.into(), id.into()], |row| row.text_or_empty(0))
}

fn remove_run(connection: &mut dyn Connection, id: &str, before: i64) -> Result<Option<String>> {
    let found = location(connection, ("artifact_uri", GONE_RUN, "run_uuid"), id, before)?;
    if found.is_none() {
        return Ok(None);
    }
    // A metric at a time: a statement has a limit of time, and a history may have millions of values.
    let keys = "SELECT \"key\" FROM latest_metrics WHERE run_uuid = ?1";
    for key in connection.rows(keys, &[id.into()], |row| row.need_text(0))? {
        let metric = "DELETE FROM metrics WHERE run_uuid = ?1 AND \"key\" = ?2";
        connection.execute(metric, &[id.into(), Value::from(key)])?;
    }
    for table in ["metrics", "latest_metrics", "params", "tags"] {
        connection.execute(&format!("DELETE FROM {table} WHERE run_uuid = ?1"), &[id.into()])?;
    }
    let inputs = "FROM inputs WHERE destination_type = 'RUN' AND destination_id = ?1";
    let input_tags =
        format!("DELETE FROM input_tags WHERE input_uuid IN (SELECT input_uuid {inputs})");
    connection.execute(&input_tags, &[id.into()])?;
    connection.execute(&format!("DELETE {inputs}"), &[id.into()])?;
    connection.execute("DELETE FROM runs WHERE run_uuid = ?1", &[id.into()])?;
    Ok(found)
}

fn remove_logged_model(
    connection: &mut dyn Connection,
    id: &str,
    before: i64,
) -> Result<Option<String>> {
    let found = location(connection, ("artifact_location", GONE_MODEL, "model_id"), id, before)?;
    if found.is_some() {
        // Its metrics, params and tags go with it.
        connection.execute("DELETE FROM logged_models WHERE model_id = ?1", &[id.into()])?;
    }
    Ok(found)
}

fn remove_experiment(connection: &mut dyn Connection, id: i64, before: i64) -> Result<bool> {
    let lock = lock(connection, "e");
    let sql = format!("SELECT 1 {GONE_EXPERIMENT} AND e.experiment_id = ?2{lock}");
    if connection.first(&sql, &[before.into(), id.into()], |_row| Ok(()))?.is_none() {
        return Ok(false);
    }
    // Spans go with their traces; what sums up days has no foreign key, and ids are used again. Databases of a newer
    // MLflow need not have all of these.
    let there = tables::names(connection)?;
    for table in [
        "trace_info",
        "sql_trace_rollup_rebuild_queue",
        "sql_trace_metric_daily_rollups",
        "sql_span_cost_daily_rollups",
        "sql_assessment_daily_rollups",
        "online_scoring_configs",
        "experiment_tags",
        "experiments",
    ] {
        if !there.iter().any(|name| name == table) {
            continue;
        }
        connection
            .execute(&format!("DELETE FROM {table} WHERE experiment_id = ?1"), &[id.into()])?;
    }
    Ok(true)
}
