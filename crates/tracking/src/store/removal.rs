//! Removes for good what was deleted: runs, logged models and experiments with their rows.
//!
//! What may go is asked again in the transaction in which it goes: a server may restore it meanwhile, or make a version
//! of it ([`hold_files`](super::version_source::hold_files) is the other side of that).

use std::time::Duration;

use trainyard_mlflow as mlflow;

use super::audit::Change;
use super::clock::now_millis;
use super::database::{Connection, Dialect, Row, Value};
use super::experiment_numbers;
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

/// What became of a run or logged model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Removed {
    /// Its rows are gone; its files are there.
    Rows { location: String },
    /// It is not to go any more, or somebody else removed it.
    NotDue,
    /// A version is made of it.
    InUse { version: String },
}

impl Removed {
    /// Whether this removed something.
    fn is_gone(&self) -> bool {
        matches!(self, Self::Rows { .. })
    }
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

    /// Removes a run's rows.
    pub(crate) async fn remove_run(&self, id: &str, before: i64) -> mlflow::Result<Removed> {
        let (id, audit) = (id.to_owned(), self.auditor());
        self.write(move |connection| {
            let removed = remove_run(connection, &id, before)?;
            let gone = removed.is_gone().then(|| Change::of_run("run.remove", &id));
            audit.note(connection, gone.into_iter().collect())?;
            Ok(removed)
        })
        .await
    }

    /// The same of a logged model.
    pub(crate) async fn remove_logged_model(
        &self,
        id: &str,
        before: i64,
    ) -> mlflow::Result<Removed> {
        let (id, audit) = (id.to_owned(), self.auditor());
        self.write(move |connection| {
            let removed = remove_logged_model(connection, &id, before)?;
            let gone =
                removed.is_gone().then(|| Change::of_logged_model("logged_model.remove", &id));
            audit.note(connection, gone.into_iter().collect())?;
            Ok(removed)
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

/// Holds what is found as `id`: where its files are, or why it stays.
fn hold(
    connection: &mut dyn Connection,
    (column, gone, key): (&str, &str, &str),
    id: &str,
    before: i64,
) -> Result<Removed> {
    let lock = lock(connection, "r");
    let sql = format!("SELECT r.{column} {gone} AND r.{key} = ?2{lock}");
    let found = connection.first(&sql, &[before.into(), id.into()], |row| row.text_or_empty(0))?;
    let Some(location) = found else { return Ok(Removed::NotDue) };
    // A copy of a version has the files of the original where it says that they are.
    let dialect = connection.dialect();
    let (place, source) =
        (dialect.like("v.storage_location", "?1"), dialect.like("v.source", "?1"));
    let sql = format!(
        "SELECT v.name, v.version FROM model_versions v \
         WHERE v.current_stage <> 'Deleted_Internal' AND ({place} OR {source}) LIMIT 1"
    );
    let version = connection.first(&sql, &[containing(id).into()], |row| {
        Ok(format!("version {} of {}", row.need_int(1)?, row.need_text(0)?))
    })?;
    Ok(match version {
        Some(version) => Removed::InUse { version },
        None => Removed::Rows { location },
    })
}

/// A pattern of what an id is in. Ids are letters and digits (and `m-`); what else an imported one may have matches
/// anything.
pub(crate) fn containing(id: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let plain = id.chars().map(|character| if is_plain(character) { character } else { '_' });
    format!("%{}%", plain.collect::<String>())
}

fn remove_run(connection: &mut dyn Connection, id: &str, before: i64) -> Result<Removed> {
    let held = hold(connection, ("artifact_uri", GONE_RUN, "run_uuid"), id, before)?;
    if !held.is_gone() {
        return Ok(held);
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
    Ok(held)
}

fn remove_logged_model(connection: &mut dyn Connection, id: &str, before: i64) -> Result<Removed> {
    let held = hold(connection, ("artifact_location", GONE_MODEL, "model_id"), id, before)?;
    if held.is_gone() {
        // Its metrics, params and tags go with it.
        connection.execute("DELETE FROM logged_models WHERE model_id = ?1", &[id.into()])?;
    }
    Ok(held)
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
    experiment_numbers::remember(connection, id)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::{CreateModelVersion, CreateRun, ModelVersions, RegisteredModels, Runs};

    use super::*;
    use crate::governance::Governance;
    use crate::store::{ReadLimits, StoreOptions};

    #[tokio::test]
    async fn what_a_version_is_made_of_stays_and_what_went_becomes_none() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            artifact_root: folder.path().join("mlruns").display().to_string(),
            truncate_long_values: true,
            limits: ReadLimits::default(),
            governance: Governance::default(),
        };
        let store = SqlStore::open_sqlite(&folder.path().join("mlflow.db"), options).unwrap();
        RegisteredModels::create(&store, "m", &[], None).await.unwrap();
        let mut versions = Vec::new();
        for _ in 0..2 {
            let run = CreateRun { experiment_id: "0".to_owned(), ..CreateRun::default() };
            let run = Runs::create(&store, run).await.unwrap().info;
            Runs::delete(&store, &run.run_id).await.unwrap();
            versions.push(CreateModelVersion {
                name: "m".to_owned(),
                source: format!("{}/model", run.artifact_uri),
                run_id: Some(run.run_id),
                ..CreateModelVersion::default()
            });
        }
        let ids: Vec<String> = versions.iter().filter_map(|one| one.run_id.clone()).collect();
        let before = now_millis();
        // Registered after somebody looked for versions of it, and before its rows go.
        let first = versions.swap_remove(0);
        let made = ModelVersions::create(&store, first).await.unwrap();
        let kept = store.remove_run(&ids[0], before).await.unwrap();
        assert_eq!(kept, Removed::InUse { version: format!("version {} of m", made.version) });
        Runs::get(&store, &ids[0]).await.unwrap();
        // The other one goes, and nothing can be made of it any more.
        let gone = store.remove_run(&ids[1], before).await.unwrap();
        assert!(matches!(gone, Removed::Rows { .. }), "{gone:?}");
        let again = store.remove_run(&ids[1], before).await.unwrap();
        assert_eq!(again, Removed::NotDue);
        let late = ModelVersions::create(&store, versions.remove(0)).await;
        assert!(late.unwrap_err().is_not_found());
    }
}
