//! What was logged to runs: latest metrics, params, tags, datasets, models made.

use std::collections::HashMap;

use trainyard_mlflow::entities::{Metric, Param, Run, RunData, Tag};

use super::database::{Connection, Row, Value};
use super::placeholders::{Chunk, chunks, placeholders};
use super::run_rows::{find, owner};
use super::{inputs, metrics};
use crate::error::Result;

/// A run with everything that was logged to it.
pub(crate) fn get(connection: &mut dyn Connection, run_id: &str) -> Result<Run> {
    let mut run = [find(connection, run_id)?];
    fill(connection, &mut run)?;
    let [mut run] = run;
    run.inputs.model_inputs = inputs::model_inputs(connection, run_id)?;
    Ok(run)
}

/// Keys of metrics of one statement.
const KEYS_AT_ONCE: usize = 50;

/// Adds what was logged to runs.
pub(crate) fn fill(connection: &mut dyn Connection, runs: &mut [Run]) -> Result<()> {
    for mut chunk in chunks(runs) {
        let (places, ids) = (places(&chunk), ids(&chunk));
        let sql = listing(connection, METRICS, "latest_metrics", &chunk);
        connection.query(&sql, &ids, &mut |row| push_metric(&mut chunk, &places, row))?;
        fill_texts(connection, &mut chunk, &ids, &places)?;
        inputs::fill(connection, &mut chunk, &ids, &places)?;
    }
    Ok(())
}

/// Adds params, tags, and metrics of these keys, each looked up by itself: a run may have thousands of others.
pub(crate) fn fill_some(
    connection: &mut dyn Connection,
    runs: &mut [Run],
    keys: &[String],
) -> Result<()> {
    for mut chunk in chunks(runs) {
        let (places, ids) = (places(&chunk), ids(&chunk));
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let sql = format!(
                "SELECT {METRICS} FROM latest_metrics t WHERE t.run_uuid IN ({}) AND t.\"key\" IN ({}) \
                 ORDER BY t.run_uuid, t.\"key\"",
                placeholders(1, chunk.padded),
                placeholders(chunk.padded + 1, keys.len()),
            );
            let keys = keys.iter().map(|key| Value::from(key.clone()));
            let values: Vec<Value<'_>> = ids.iter().cloned().chain(keys).collect();
            connection.query(&sql, &values, &mut |row| push_metric(&mut chunk, &places, row))?;
        }
        fill_texts(connection, &mut chunk, &ids, &places)?;
    }
    Ok(())
}

/// What is read of a metric.
const METRICS: &str = "t.run_uuid, t.\"key\", t.value, t.timestamp, t.step, t.is_nan";

type Places = HashMap<String, usize>;

fn places(chunk: &Chunk<'_, Run>) -> Places {
    let places = chunk.items.iter().enumerate();
    places.map(|(place, run)| (run.info.run_id.clone(), place)).collect()
}

fn push_metric(chunk: &mut Chunk<'_, Run>, places: &Places, row: &dyn Row) -> Result<()> {
    if let Some(run) = owner(chunk, places, row)? {
        run.data.metrics.push(Metric::new(
            row.need_text(1)?,
            metrics::value(row, 2, 5)?,
            row.int(3)?.unwrap_or_default(),
            row.need_int(4)?,
        ));
    }
    Ok(())
}

fn fill_texts(
    connection: &mut dyn Connection,
    chunk: &mut Chunk<'_, Run>,
    ids: &[Value<'_>],
    places: &Places,
) -> Result<()> {
    for (table, pick) in [("params", pick_params as Pick), ("tags", pick_tags as Pick)] {
        let sql = listing(connection, "t.run_uuid, t.\"key\", t.value", table, chunk);
        connection.query(&sql, ids, &mut |row| {
            if let Some(run) = owner(chunk, places, row)? {
                let entry = Param::new(row.need_text(1)?, row.text_or_empty(2)?);
                pick(&mut run.data).push(entry);
            }
            Ok(())
        })?;
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
