//! A few values of very many runs, to draw: one statement for each key, whatever else was logged to the runs.

use std::collections::HashMap;

use trainyard_mlflow::WantedValues;
use trainyard_mlflow::entities::{Metric, Param, Run};

use super::database::{Connection, Dialect, List, Row, Value};
use super::metrics;
use crate::error::Result;

/// Characters of a text that are read: more are not told apart in a drawing, and a run may have a megabyte of them.
const TEXT_CHARS: usize = 250;
/// Where so many times as many runs have a key as are asked for, each is looked up; else all that have it are read, which
/// costs a fifth of a look-up each.
const LOOKED_UP_FROM: usize = 4;

/// A table of values by key and run, and what is read of it: the run first.
struct Source {
    table: &'static str,
    columns: String,
    /// The index that has these columns, where there is one.
    index: Option<&'static str>,
}

/// Adds the values of these keys.
pub(crate) fn fill(
    connection: &mut dyn Connection,
    runs: &mut [Run],
    wanted: &WantedValues,
) -> Result<()> {
    let places = runs.iter().enumerate();
    let places: HashMap<String, usize> =
        places.map(|(place, run)| (run.info.run_id.clone(), place)).collect();
    let metrics = Source {
        table: "latest_metrics",
        columns: "t.run_uuid, t.value, t.is_nan".to_owned(),
        index: Some("trainyard_latest_metrics_by_value"),
    };
    for key in &wanted.metrics {
        read(connection, &metrics, key, &places, |place, row| {
            let Some(run) = runs.get_mut(place) else { return Ok(()) };
            run.data.metrics.push(Metric::new(key.clone(), metrics::value(row, 1, 2)?, 0, 0));
            Ok(())
        })?;
    }
    for (table, keys) in [("params", &wanted.params), ("tags", &wanted.tags)] {
        let columns = format!("t.run_uuid, substr(t.value, 1, {TEXT_CHARS})");
        let source = Source { table, columns, index: None };
        for key in keys {
            read(connection, &source, key, &places, |place, row| {
                let Some(run) = runs.get_mut(place) else { return Ok(()) };
                let of = if table == "params" { &mut run.data.params } else { &mut run.data.tags };
                of.push(Param::new(key.clone(), row.text_or_empty(1)?));
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Calls `each` for the runs that have the key, with their places.
fn read(
    connection: &mut dyn Connection,
    source: &Source,
    key: &str,
    places: &HashMap<String, usize>,
    mut each: impl FnMut(usize, &dyn Row) -> Result<()>,
) -> Result<()> {
    let Source { table, columns, index } = source;
    let bound = i64::try_from(places.len().saturating_mul(LOOKED_UP_FROM)).unwrap_or(i64::MAX);
    let counted =
        format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE \"key\" = ?1 LIMIT ?2) x");
    let counted = connection.first(&counted, &[key.into(), bound.into()], |row| row.need_int(0))?;
    let is_few = counted.unwrap_or_default() < bound;
    let mut values = vec![Value::from(key)];
    let dialect = connection.dialect();
    let of_key = "t.\"key\" = ?1";
    let sql = if is_few {
        let table = format!("{table} t");
        let table = index.map_or(table.clone(), |index| dialect.indexed_by(&table, index));
        format!("SELECT {columns} FROM {table} WHERE {of_key}")
    } else {
        values.push(Value::List(List::Texts(places.keys().cloned().collect())));
        match dialect {
            // In this order: SQLite would go through all that have the key.
            Dialect::Sqlite => format!(
                "SELECT {columns} FROM {} CROSS JOIN {table} t WHERE {of_key} AND t.run_uuid = ids.value",
                dialect.list_rows("?2", "ids")
            ),
            Dialect::Postgres => {
                format!("SELECT {columns} FROM {table} t WHERE {of_key} AND t.run_uuid = ANY(?2)")
            }
        }
    };
    connection.query(&sql, &values, &mut |row| {
        let place = row.text(0)?.and_then(|id| places.get(id).copied());
        place.map_or(Ok(()), |place| each(place, row))
    })
}
