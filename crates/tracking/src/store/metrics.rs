//! Metrics: their histories, and the latest value of each.

use std::collections::HashMap;

use trainyard_mlflow::entities::{Metric, RunInfo};
use trainyard_mlflow::{Error, MetricHistoryPage, Page};

use super::database::{Connection, Dialect, HISTORIES, Row, Value};
use super::placeholders::{row_groups, row_placeholders};
use super::{page, run_rows, validate};
use crate::error::Result;

/// A value as the tables hold it: NaN is a zero with a mark, infinities are the largest numbers.
fn stored(value: f64) -> (bool, f64) {
    if value.is_nan() {
        (true, 0.0)
    } else {
        // Also turns -0.0 into 0.0, which are one value to the database's keys.
        (false, value.clamp(f64::MIN, f64::MAX) + 0.0)
    }
}

/// The value in column `value`, whose mark for NaN is in column `is_nan`.
pub(crate) fn value(row: &dyn Row, value: usize, is_nan: usize) -> Result<f64> {
    if row.int(is_nan)?.unwrap_or_default() != 0 {
        return Ok(f64::NAN);
    }
    Ok(row.real(value)?.unwrap_or(f64::NAN))
}

/// Logs one metric to an active run.
pub(crate) fn log_one(
    connection: &mut dyn Connection,
    run_id: &str,
    metric: &Metric,
) -> Result<()> {
    validate::metric(metric, "")?;
    let run = run_rows::find_active(connection, run_id)?;
    log(connection, &run.info, std::slice::from_ref(metric))
}

/// Logs checked metrics to an active run. A value that is there already is not added again.
pub(crate) fn log(
    connection: &mut dyn Connection,
    run: &RunInfo,
    metrics: &[Metric],
) -> Result<()> {
    let run_id = run.run_id.as_str();
    // The newest of each key within this call; only that one can become the latest.
    let mut newest: HashMap<&str, Point> = HashMap::new();
    let mut keys = Vec::new();
    insert(connection, run_id, metrics)?;
    for metric in metrics {
        let (is_nan, value) = stored(metric.value);
        let point = Point { step: metric.step, timestamp: metric.timestamp, value, is_nan };
        match newest.get_mut(metric.key.as_str()) {
            Some(known) if point.is_newer_than(known) => *known = point,
            Some(_known) => {}
            None => {
                newest.insert(&metric.key, point);
                keys.push(metric.key.as_str());
            }
        }
    }
    // Where several write at once, in one order, so that no two wait for each other.
    if connection.dialect() == Dialect::Postgres {
        keys.sort_unstable();
    }
    let latest: Vec<(&str, Point)> =
        keys.into_iter().filter_map(|key| Some((key, *newest.get(key)?))).collect();
    update_latest(connection, run_id, &latest)?;
    for metric in metrics.iter().filter(|metric| metric.model_id.is_some()) {
        log_to_model(connection, run, metric)?;
    }
    Ok(())
}

/// What decides which of two values is the latest: step, then timestamp, then value.
#[derive(Debug, Clone, Copy)]
struct Point {
    step: i64,
    timestamp: i64,
    value: f64,
    is_nan: bool,
}

impl Point {
    fn is_newer_than(&self, other: &Self) -> bool {
        (self.step, self.timestamp, self.value) > (other.step, other.timestamp, other.value)
    }
}

/// Appends to the history; what is there already is not added again.
fn insert(connection: &mut dyn Connection, run_id: &str, metrics: &[Metric]) -> Result<()> {
    // In the order of the indexes: rows that follow each other are in the same pages. And where several write at once
    // no two wait for each other.
    let mut metrics: Vec<&Metric> = metrics.iter().collect();
    metrics.sort_by(|a, b| place(a).cmp(&place(b)));
    for group in row_groups(&metrics) {
        let mut values = Vec::with_capacity(5 * group.len() + 1);
        values.push(Value::from(run_id));
        for metric in group {
            let (is_nan, value) = stored(metric.value);
            values.extend([
                Value::from(&metric.key),
                value.into(),
                metric.timestamp.into(),
                metric.step.into(),
                is_nan.into(),
            ]);
        }
        let rows = row_placeholders(group.len(), 5);
        let sql = format!(
            "INSERT INTO metrics (\"key\", value, timestamp, step, is_nan, run_uuid) \
             VALUES {rows} ON CONFLICT DO NOTHING"
        );
        connection.execute(&sql, &values)?;
    }
    Ok(())
}

fn place(metric: &Metric) -> (&str, i64, i64) {
    (&metric.key, metric.timestamp, metric.step)
}

/// Replaces the latest value of each key, which is in the list once, if this one is newer.
fn update_latest(
    connection: &mut dyn Connection,
    run_id: &str,
    latest: &[(&str, Point)],
) -> Result<()> {
    for group in row_groups(latest) {
        let mut values = Vec::with_capacity(5 * group.len() + 1);
        values.push(Value::from(run_id));
        for (key, point) in group {
            values.extend([
                Value::from(*key),
                point.value.into(),
                point.timestamp.into(),
                point.step.into(),
                point.is_nan.into(),
            ]);
        }
        let rows = row_placeholders(group.len(), 5);
        let sql = format!(
            "INSERT INTO latest_metrics (\"key\", value, timestamp, step, is_nan, run_uuid) \
             VALUES {rows} \
             ON CONFLICT (\"key\", run_uuid) DO UPDATE SET value = excluded.value, \
             timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan \
             WHERE (excluded.step, excluded.timestamp, excluded.value) > \
             (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)"
        );
        connection.execute(&sql, &values)?;
    }
    Ok(())
}

/// The same value as one of the logged model that the metric names.
fn log_to_model(connection: &mut dyn Connection, run: &RunInfo, metric: &Metric) -> Result<()> {
    let value = Metric { run_id: Some(run.run_id.clone()), ..metric.clone() };
    let experiment_id = validate::experiment_id(&run.experiment_id)?;
    log_to_model_of(
        connection,
        experiment_id,
        metric.model_id.as_deref().unwrap_or_default(),
        &value,
    )
}

/// A value of a logged model, which names the run that logged it.
pub(crate) fn log_to_model_of(
    connection: &mut dyn Connection,
    experiment_id: i64,
    model_id: &str,
    metric: &Metric,
) -> Result<()> {
    let (_is_nan, value) = stored(metric.value);
    let logged = connection.execute(
        "INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, \
         metric_step, metric_value, experiment_id, run_id, dataset_uuid, dataset_name, \
         dataset_digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8, ?9) \
         ON CONFLICT DO NOTHING",
        &[
            model_id.into(),
            (&metric.key).into(),
            metric.timestamp.into(),
            metric.step.into(),
            value.into(),
            experiment_id.into(),
            metric.run_id.as_deref().into(),
            metric.dataset_name.as_deref().into(),
            metric.dataset_digest.as_deref().into(),
        ],
    );
    match logged {
        Ok(_rows) => Ok(()),
        // The code is upstream's, whose message is the database's.
        Err(error) if error.is_foreign_key() => Err(Error::api(
            trainyard_mlflow::ErrorCode::BadRequest,
            format!("Logged model with ID '{model_id}' not found."),
        )
        .into()),
        Err(error) => Err(error),
    }
}

/// All values of a metric by timestamp, step and value. An unknown run or key has none.
pub(crate) fn history(
    connection: &mut dyn Connection,
    run_id: &str,
    key: &str,
    request: &MetricHistoryPage,
) -> Result<Page<Metric>> {
    let offset = page::offset(request.page_token.as_deref())?;
    if let Some(max_results) = request.max_results.filter(|max_results| *max_results <= 0) {
        return Err(Error::invalid(format!(
            "Invalid value {max_results} for parameter 'max_results' supplied. It must be a \
             positive integer."
        ))
        .into());
    }
    // SQLite and PostgreSQL read a limit of this size as no limit.
    let limit = request.max_results.map_or(i64::MAX, |max_results| max_results.saturating_add(1));
    let table = connection.dialect().indexed_by("metrics", HISTORIES);
    let metrics = connection.rows(
        &format!(
            "SELECT value, timestamp, step, is_nan FROM {table} \
             WHERE run_uuid = ?1 AND \"key\" = ?2 ORDER BY timestamp, step, value \
             LIMIT ?3 OFFSET ?4"
        ),
        &[run_id.into(), key.into(), limit.into(), offset.into()],
        |row| Ok(Metric::new(key, value(row, 0, 3)?, row.need_int(1)?, row.need_int(2)?)),
    )?;
    let (items, next_page_token) =
        page::cut(metrics, offset, request.max_results.unwrap_or(i64::MAX));
    Ok(Page { items, next_page_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_values_are_stored_as_upstream_does() {
        assert_eq!(stored(f64::NAN), (true, 0.0));
        assert_eq!(stored(f64::INFINITY), (false, f64::MAX));
        assert_eq!(stored(f64::NEG_INFINITY), (false, f64::MIN));
        assert!(stored(-0.0).1.is_sign_positive());
        assert_eq!(stored(0.25), (false, 0.25));
    }
}
