//! Runs, their params and tags.

use std::collections::{HashMap, HashSet};

use trainyard_mlflow::entities::{
    LifecycleStage, Metric, Param, Run, RunData, RunInfo, RunStatus, Tag,
};
use trainyard_mlflow::{CreateRun, Error, LogBatch, UpdateRun};

use super::database::{Connection, Row, Value};
use super::names::random_name;
use super::validate::{self, LongValues};
use super::{
    Chunk, chunks, experiments, inputs, join_uri, lifecycle, metrics, new_id, now_millis,
    placeholders, python, row_groups, row_placeholders,
};
use crate::error::Result;
use crate::search::runs_sql::RUN_NAME;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "r.run_uuid, r.name, r.user_id, r.status, r.start_time, \
     r.end_time, r.lifecycle_stage, r.artifact_uri, r.experiment_id";

/// A run without its data.
pub(crate) fn read(row: &dyn Row) -> Result<Run> {
    let run_id = row.need_text(0)?;
    let info = RunInfo {
        run_uuid: run_id.clone(),
        run_id,
        run_name: row.text_or_empty(1)?,
        user_id: row.text_or_empty(2)?,
        status: read_status(row.text(3)?),
        start_time: row.int(4)?,
        end_time: row.int(5)?,
        lifecycle_stage: lifecycle(row.text(6)?),
        artifact_uri: row.text_or_empty(7)?,
        experiment_id: row.int(8)?.unwrap_or_default().to_string(),
    };
    Ok(Run { info, ..Run::default() })
}

fn read_status(text: Option<&str>) -> RunStatus {
    match text {
        Some("SCHEDULED") => RunStatus::Scheduled,
        Some("FINISHED") => RunStatus::Finished,
        Some("FAILED") => RunStatus::Failed,
        Some("KILLED") => RunStatus::Killed,
        // The table allows nothing else.
        _ => RunStatus::Running,
    }
}

fn status_text(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "RUNNING",
        RunStatus::Scheduled => "SCHEDULED",
        RunStatus::Finished => "FINISHED",
        RunStatus::Failed => "FAILED",
        RunStatus::Killed => "KILLED",
    }
}

/// A run's info, deleted or not.
pub(crate) fn find(connection: &mut dyn Connection, run_id: &str) -> Result<Run> {
    let sql = format!("SELECT {COLUMNS} FROM runs r WHERE r.run_uuid = ?1");
    connection
        .first(&sql, &[run_id.into()], read)?
        .ok_or_else(|| Error::not_found(format!("Run with id={run_id} not found")).into())
}

/// A run to which something is logged.
pub(crate) fn find_active(connection: &mut dyn Connection, run_id: &str) -> Result<Run> {
    let run = find(connection, run_id)?;
    if run.info.lifecycle_stage == LifecycleStage::Active {
        return Ok(run);
    }
    Err(Error::invalid(format!(
        "The run {run_id} must be in the 'active' state. Current state is deleted."
    ))
    .into())
}

/// A run with everything that was logged to it.
pub(crate) fn get(connection: &mut dyn Connection, run_id: &str) -> Result<Run> {
    let mut run = [find(connection, run_id)?];
    fill(connection, &mut run)?;
    let [mut run] = run;
    run.inputs.model_inputs = inputs::model_inputs(connection, run_id)?;
    Ok(run)
}

/// Adds what was logged to runs: latest metrics, params, tags, datasets, models made.
pub(crate) fn fill(connection: &mut dyn Connection, runs: &mut [Run]) -> Result<()> {
    for mut chunk in chunks(runs) {
        let places: HashMap<String, usize> = chunk
            .items
            .iter()
            .enumerate()
            .map(|(place, run)| (run.info.run_id.clone(), place))
            .collect();
        let sql = listing(
            connection,
            "t.run_uuid, t.\"key\", t.value, t.timestamp, t.step, t.is_nan",
            "latest_metrics",
            &chunk,
        );
        let ids = ids(&chunk);
        connection.query(&sql, &ids, &mut |row| {
            if let Some(run) = owner(&mut chunk, &places, row)? {
                run.data.metrics.push(Metric::new(
                    row.need_text(1)?,
                    metrics::value(row, 2, 5)?,
                    row.int(3)?.unwrap_or_default(),
                    row.need_int(4)?,
                ));
            }
            Ok(())
        })?;
        for (table, pick) in [("params", pick_params as Pick), ("tags", pick_tags as Pick)] {
            let sql = listing(connection, "t.run_uuid, t.\"key\", t.value", table, &chunk);
            connection.query(&sql, &ids, &mut |row| {
                if let Some(run) = owner(&mut chunk, &places, row)? {
                    let entry = Param::new(row.need_text(1)?, row.text_or_empty(2)?);
                    pick(&mut run.data).push(entry);
                }
                Ok(())
            })?;
        }
        inputs::fill(connection, &mut chunk, &ids, &places)?;
    }
    Ok(())
}

type Pick = fn(&mut RunData) -> &mut Vec<Param>;

fn pick_params(data: &mut RunData) -> &mut Vec<Param> {
    &mut data.params
}

fn pick_tags(data: &mut RunData) -> &mut Vec<Tag> {
    &mut data.tags
}

fn listing(
    connection: &mut dyn Connection,
    columns: &str,
    table: &str,
    chunk: &Chunk<'_, Run>,
) -> String {
    let order = connection.dialect().insertion_order("t");
    let ids = placeholders(1, chunk.padded);
    format!(
        "SELECT {columns} FROM {table} t WHERE t.run_uuid IN ({ids}) ORDER BY t.run_uuid, {order}"
    )
}

fn ids<'a>(chunk: &Chunk<'_, Run>) -> Vec<Value<'a>> {
    let mut ids: Vec<Value<'a>> =
        chunk.items.iter().map(|run| Value::from(run.info.run_id.clone())).collect();
    chunk.pad(&mut ids);
    ids
}

/// The run that a row with the run's id in column 0 belongs to.
pub(crate) fn owner<'a>(
    chunk: &'a mut Chunk<'_, Run>,
    places: &HashMap<String, usize>,
    row: &dyn Row,
) -> Result<Option<&'a mut Run>> {
    let place = row.text(0)?.and_then(|id| places.get(id).copied());
    Ok(place.and_then(|place| chunk.items.get_mut(place)))
}

/// Makes a run.
pub(crate) fn create(connection: &mut dyn Connection, run: CreateRun) -> Result<Run> {
    let experiment = experiments::get_active(connection, &run.experiment_id)?;
    let mut tags = run.tags;
    let tagged = tags.iter().find(|tag| tag.key == RUN_NAME).map(|tag| tag.value.clone());
    let name = run.run_name.filter(|name| !name.is_empty());
    let tagged = tagged.filter(|name| !name.is_empty());
    if let (Some(name), Some(tagged)) = (&name, &tagged)
        && name != tagged
    {
        return Err(Error::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different \
             values (run_name='{name}', mlflow.runName='{tagged}')."
        ))
        .into());
    }
    let has_tag = tagged.is_some();
    let name = name.or(tagged).unwrap_or_else(random_name);
    if !has_tag {
        tags.retain(|tag| tag.key != RUN_NAME);
        tags.push(Tag::new(RUN_NAME, name.clone()));
    }
    let run_id = new_id();
    let artifact_uri = join_uri(&experiment.artifact_location, &format!("{run_id}/artifacts"));
    let experiment_id = validate::experiment_id(&experiment.experiment_id)?;
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, \
         status, start_time, end_time, deleted_time, source_version, lifecycle_stage, \
         artifact_uri, experiment_id) \
         VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, 'RUNNING', ?4, NULL, NULL, '', 'active', ?5, ?6)",
        &[
            (&run_id).into(),
            (&name).into(),
            (&run.user_id).into(),
            run.start_time.into(),
            (&artifact_uri).into(),
            experiment_id.into(),
        ],
    )?;
    let tags = unique_tags(tags);
    upsert_tags(connection, &run_id, &tags)?;
    Ok(Run {
        info: RunInfo {
            run_uuid: run_id.clone(),
            run_id,
            run_name: name,
            experiment_id: experiment.experiment_id,
            user_id: run.user_id,
            status: RunStatus::Running,
            start_time: Some(run.start_time),
            end_time: None,
            artifact_uri,
            lifecycle_stage: LifecycleStage::Active,
        },
        data: RunData { tags, ..RunData::default() },
        ..Run::default()
    })
}

/// Changes status, end or name of a run.
pub(crate) fn update(connection: &mut dyn Connection, update: &UpdateRun) -> Result<RunInfo> {
    let mut info = find_active(connection, &update.run_id)?.info;
    if let Some(status) = update.status {
        info.status = status;
    }
    if update.end_time.is_some() {
        info.end_time = update.end_time;
    }
    connection.execute(
        "UPDATE runs SET status = ?1, end_time = ?2 WHERE run_uuid = ?3",
        &[status_text(info.status).into(), info.end_time.into(), (&update.run_id).into()],
    )?;
    if let Some(name) = update.run_name.as_deref().filter(|name| !name.is_empty()) {
        set_name(connection, &update.run_id, name)?;
        name.clone_into(&mut info.run_name);
    }
    Ok(info)
}

fn set_name(connection: &mut dyn Connection, run_id: &str, name: &str) -> Result<()> {
    connection
        .execute("UPDATE runs SET name = ?1 WHERE run_uuid = ?2", &[name.into(), run_id.into()])?;
    upsert_tags(connection, run_id, &[Tag::new(RUN_NAME, name)])
}

/// Marks a run as deleted; doing it again is no error.
pub(crate) fn delete(connection: &mut dyn Connection, run_id: &str) -> Result<()> {
    move_to(connection, run_id, "deleted", Some(now_millis()))
}

/// Brings a run back; doing it again is no error.
pub(crate) fn restore(connection: &mut dyn Connection, run_id: &str) -> Result<()> {
    move_to(connection, run_id, "active", None)
}

fn move_to(
    connection: &mut dyn Connection,
    run_id: &str,
    stage: &str,
    deleted_time: Option<i64>,
) -> Result<()> {
    find(connection, run_id)?;
    connection.execute(
        "UPDATE runs SET lifecycle_stage = ?1, deleted_time = ?2 WHERE run_uuid = ?3",
        &[stage.into(), deleted_time.into(), run_id.into()],
    )?;
    Ok(())
}

/// Logs a param once; the same value again is no error.
pub(crate) fn log_param(
    connection: &mut dyn Connection,
    run_id: &str,
    mut param: Param,
    long_values: LongValues,
) -> Result<()> {
    validate::param(&mut param, "", long_values)?;
    find_active(connection, run_id)?;
    if !insert_params(connection, run_id, std::slice::from_ref(&param))?.is_empty() {
        return Ok(());
    }
    match param_value(connection, run_id, &param.key)? {
        Some(old) if old != param.value => Err(Error::invalid(format!(
            "Changing param values is not allowed. Param with key='{}' was already logged with \
             value='{old}' for run ID='{run_id}'. Attempted logging new value '{}'.",
            param.key, param.value
        ))
        .into()),
        _ => Ok(()),
    }
}

fn param_value(connection: &mut dyn Connection, run_id: &str, key: &str) -> Result<Option<String>> {
    connection.first(
        "SELECT value FROM params WHERE \"key\" = ?1 AND run_uuid = ?2",
        &[key.into(), run_id.into()],
        |row| row.text_or_empty(0),
    )
}

/// Sets or replaces tags, of which no two have one key: a statement writes a row once.
fn upsert_tags(connection: &mut dyn Connection, run_id: &str, tags: &[Tag]) -> Result<()> {
    for group in row_groups(tags) {
        let tags = group.iter().flat_map(|tag| [Value::from(&tag.key), (&tag.value).into()]);
        let values: Vec<Value<'_>> = std::iter::once(run_id.into()).chain(tags).collect();
        let rows = row_placeholders(group.len(), 2);
        let sql = format!(
            "INSERT INTO tags (\"key\", value, run_uuid) VALUES {rows} \
             ON CONFLICT (\"key\", run_uuid) DO UPDATE SET value = excluded.value"
        );
        connection.execute(&sql, &values)?;
    }
    Ok(())
}

/// Sets or replaces a tag; the tag `mlflow.runName` renames the run.
pub(crate) fn set_tag(
    connection: &mut dyn Connection,
    run_id: &str,
    mut tag: Tag,
    long_values: LongValues,
) -> Result<()> {
    validate::run_tag(&mut tag, "", long_values)?;
    find_active(connection, run_id)?;
    put_tag(connection, run_id, &tag)
}

fn put_tag(connection: &mut dyn Connection, run_id: &str, tag: &Tag) -> Result<()> {
    if tag.key == RUN_NAME && !tag.value.is_empty() {
        set_name(connection, run_id, &tag.value)
    } else if tag.key == RUN_NAME {
        // Upstream ignores an empty name.
        Ok(())
    } else {
        upsert_tags(connection, run_id, std::slice::from_ref(tag))
    }
}

/// Removes a tag.
pub(crate) fn delete_tag(connection: &mut dyn Connection, run_id: &str, key: &str) -> Result<()> {
    find_active(connection, run_id)?;
    let removed = connection.execute(
        "DELETE FROM tags WHERE \"key\" = ?1 AND run_uuid = ?2",
        &[key.into(), run_id.into()],
    )?;
    if removed == 0 {
        return Err(
            Error::not_found(format!("No tag with name: {key} in run with id {run_id}")).into()
        );
    }
    Ok(())
}

/// Logs metrics, params and tags, all or nothing.
pub(crate) fn log_batch(
    connection: &mut dyn Connection,
    run_id: &str,
    batch: &LogBatch,
) -> Result<()> {
    let run = find_active(connection, run_id)?;
    log_params(connection, run_id, &batch.params)?;
    metrics::log(connection, &run.info, &batch.metrics)?;
    put_tags(connection, run_id, &batch.tags)
}

/// The same as [`put_tag`] for each, in few statements.
fn put_tags(connection: &mut dyn Connection, run_id: &str, tags: &[Tag]) -> Result<()> {
    let (names, plain): (Vec<Tag>, Vec<Tag>) =
        tags.iter().cloned().partition(|tag| tag.key == RUN_NAME);
    for name in &names {
        put_tag(connection, run_id, name)?;
    }
    upsert_tags(connection, run_id, &unique_tags(plain))
}

/// A key that is given twice keeps its last value and its first place.
fn unique_tags(tags: Vec<Tag>) -> Vec<Tag> {
    let mut unique: Vec<Tag> = Vec::with_capacity(tags.len());
    for tag in tags {
        match unique.iter_mut().find(|known| known.key == tag.key) {
            Some(known) => known.value = tag.value,
            None => unique.push(tag),
        }
    }
    unique
}

/// Inserts params and returns the keys of those that were not there.
fn insert_params(
    connection: &mut dyn Connection,
    run_id: &str,
    params: &[Param],
) -> Result<HashSet<String>> {
    let pairs = params.iter().flat_map(|param| [Value::from(&param.key), (&param.value).into()]);
    let values: Vec<Value<'_>> = std::iter::once(run_id.into()).chain(pairs).collect();
    let rows = row_placeholders(params.len(), 2);
    let sql = format!(
        "INSERT INTO params (\"key\", value, run_uuid) VALUES {rows} \
         ON CONFLICT (\"key\", run_uuid) DO NOTHING RETURNING \"key\""
    );
    let keys = connection.rows(&sql, &values, |row| row.need_text(0))?;
    Ok(keys.into_iter().collect())
}

fn log_params(connection: &mut dyn Connection, run_id: &str, params: &[Param]) -> Result<()> {
    let mut changed = Vec::new();
    for group in row_groups(params) {
        let mut inserted = insert_params(connection, run_id, group)?;
        for param in group {
            if inserted.remove(param.key.as_str()) {
                continue;
            }
            let old = param_value(connection, run_id, &param.key)?.unwrap_or_default();
            if old != param.value {
                changed.push(format!(
                    "{{'key': {}, 'old_value': {}, 'new_value': {}}}",
                    python::repr(&param.key),
                    python::repr(&old),
                    python::repr(&param.value)
                ));
            }
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Changing param values is not allowed. Params were already logged='[{}]' for run \
         ID='{run_id}'.",
        changed.join(", ")
    ))
    .into())
}
