//! Runs of another store, with the ids and times that they have there. What is here already stays as it is.

use std::sync::Arc;

use trainyard_mlflow as mlflow;
use trainyard_mlflow::entities::{KeyValue, LifecycleStage, Metric, Run, RunInfo, Tag};

use super::database::{Connection, Value};
use super::import_experiments::count;
use super::placeholders::{row_groups, row_placeholders};
use super::run_rows::status_text;
use super::sql_store::SqlStore;
use super::{inputs, metrics, validate};
use crate::error::Result;
use crate::search::runs_sql::RUN_NAME;

/// A run as it is elsewhere, with the experiment and location that it has here.
#[derive(Debug, Clone)]
pub(crate) struct ImportedRun {
    pub(crate) run: Run,
    /// Milliseconds since the Unix epoch, if it is deleted.
    pub(crate) deleted_time: Option<i64>,
}

/// What is stored of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StoredRun {
    pub(crate) params: u64,
    pub(crate) tags: u64,
    pub(crate) metric_values: u64,
    pub(crate) dataset_inputs: u64,
    pub(crate) model_inputs: u64,
    pub(crate) model_outputs: u64,
}

impl SqlStore {
    /// The experiment that a run is in; none if it is not here.
    pub(crate) async fn experiment_of_run(&self, run_id: &str) -> mlflow::Result<Option<i64>> {
        let run_id = run_id.to_owned();
        self.read(move |connection| {
            connection.first(
                "SELECT experiment_id FROM runs WHERE run_uuid = ?1",
                &[(&run_id).into()],
                |row| row.need_int(0),
            )
        })
        .await
    }

    /// Adds a run with params, tags, inputs and outputs.
    pub(crate) async fn import_run(&self, run: &Arc<ImportedRun>) -> mlflow::Result<()> {
        let run = Arc::clone(run);
        self.write(move |connection| insert(connection, &run)).await
    }

    /// Adds values of metrics to a run.
    pub(crate) async fn import_metrics(
        &self,
        info: &RunInfo,
        values: Vec<Metric>,
    ) -> mlflow::Result<()> {
        let info = info.clone();
        self.write(move |connection| metrics::log(connection, &info, &values)).await
    }

    /// How much of a run is here.
    pub(crate) async fn stored_run(&self, run_id: &str) -> mlflow::Result<StoredRun> {
        let run_id = run_id.to_owned();
        self.read(move |connection| stored(connection, &run_id)).await
    }
}

fn insert(connection: &mut dyn Connection, imported: &ImportedRun) -> Result<()> {
    let Run { info, data, inputs, outputs } = &imported.run;
    let experiment_id = validate::experiment_id(&info.experiment_id)?;
    let stage = match info.lifecycle_stage {
        LifecycleStage::Active => "active",
        LifecycleStage::Deleted => "deleted",
    };
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, \
         status, start_time, end_time, deleted_time, source_version, lifecycle_stage, \
         artifact_uri, experiment_id) \
         VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, ?4, ?5, ?6, ?7, '', ?8, ?9, ?10) \
         ON CONFLICT (run_uuid) DO NOTHING",
        &[
            (&info.run_id).into(),
            (&info.run_name).into(),
            (&info.user_id).into(),
            status_text(info.status).into(),
            info.start_time.into(),
            info.end_time.into(),
            imported.deleted_time.into(),
            stage.into(),
            (&info.artifact_uri).into(),
            experiment_id.into(),
        ],
    )?;
    insert_pairs(connection, "params", &info.run_id, &data.params)?;
    insert_pairs(connection, "tags", &info.run_id, &data.tags)?;
    // Searches look for a run's name among its tags.
    if !info.run_name.is_empty() && Tag::find(&data.tags, RUN_NAME).is_none() {
        let name = [Tag::new(RUN_NAME, &info.run_name)];
        insert_pairs(connection, "tags", &info.run_id, &name)?;
    }
    let models = &inputs.model_inputs;
    inputs::add(connection, &info.run_id, experiment_id, &inputs.dataset_inputs, models)?;
    inputs::add_outputs(connection, &info.run_id, &outputs.model_outputs)
}

/// Adds the params or tags that are not there.
fn insert_pairs(
    connection: &mut dyn Connection,
    table: &str,
    run_id: &str,
    pairs: &[KeyValue],
) -> Result<()> {
    for group in row_groups(pairs) {
        let pairs = group.iter().flat_map(|pair| [Value::from(&pair.key), (&pair.value).into()]);
        let values: Vec<Value<'_>> = std::iter::once(run_id.into()).chain(pairs).collect();
        let rows = row_placeholders(group.len(), 2);
        let sql = format!(
            "INSERT INTO {table} (\"key\", value, run_uuid) VALUES {rows} \
             ON CONFLICT (\"key\", run_uuid) DO NOTHING"
        );
        connection.execute(&sql, &values)?;
    }
    Ok(())
}

fn stored(connection: &mut dyn Connection, run_id: &str) -> Result<StoredRun> {
    let mut of = |sql: &str| count(connection, sql, &[run_id.into()]);
    Ok(StoredRun {
        params: of("SELECT count(*) FROM params WHERE run_uuid = ?1")?,
        tags: of("SELECT count(*) FROM tags WHERE run_uuid = ?1")?,
        metric_values: of("SELECT count(*) FROM metrics WHERE run_uuid = ?1")?,
        dataset_inputs: of("SELECT count(*) FROM inputs WHERE destination_type = 'RUN' \
             AND destination_id = ?1 AND source_type = 'DATASET'")?,
        model_inputs: of("SELECT count(*) FROM inputs WHERE source_type = 'RUN_INPUT' \
             AND source_id = ?1 AND destination_type = 'MODEL_INPUT'")?,
        model_outputs: of("SELECT count(*) FROM inputs WHERE source_type = 'RUN_OUTPUT' \
             AND source_id = ?1 AND destination_type = 'MODEL_OUTPUT'")?,
    })
}
