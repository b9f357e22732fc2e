//! Logged models as they lie in the tables.

use std::collections::HashMap;

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{
    LoggedModel, LoggedModelInfo, LoggedModelStatus, Metric, Param, Tag,
};

use super::database::{Connection, Row, Value};
use super::placeholders::{Chunk, chunks, placeholders};
use crate::error::Result;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "l.model_id, l.experiment_id, l.name, l.artifact_location, \
     l.creation_timestamp_ms, l.last_updated_timestamp_ms, l.status, l.model_type, \
     l.source_run_id, l.status_message";

/// A logged model without params, tags and metrics.
pub(crate) fn read(row: &dyn Row) -> Result<LoggedModel> {
    let info = LoggedModelInfo {
        model_id: row.need_text(0)?,
        experiment_id: row.need_int(1)?.to_string(),
        name: row.text_or_empty(2)?,
        artifact_uri: row.text_or_empty(3)?,
        creation_timestamp_ms: row.need_int(4)?,
        last_updated_timestamp_ms: row.need_int(5)?,
        status: match row.need_int(6)? {
            1 => LoggedModelStatus::Pending,
            2 => LoggedModelStatus::Ready,
            3 => LoggedModelStatus::UploadFailed,
            _ => LoggedModelStatus::Unspecified,
        },
        model_type: row.optional_text(7)?,
        source_run_id: row.optional_text(8)?,
        status_message: row.optional_text(9)?,
        ..LoggedModelInfo::default()
    };
    Ok(LoggedModel { info, ..LoggedModel::default() })
}

/// The number that the table holds for a status.
pub(crate) fn status_number(status: LoggedModelStatus) -> i64 {
    match status {
        LoggedModelStatus::Unspecified => 0,
        LoggedModelStatus::Pending => 1,
        LoggedModelStatus::Ready => 2,
        LoggedModelStatus::UploadFailed => 3,
    }
}

fn not_found(model_id: &str) -> crate::Error {
    Error::not_found(format!("Logged model with ID '{model_id}' not found.")).into()
}

/// Whether a deleted model is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    Hidden,
    Shown,
}

/// A logged model without params, tags and metrics.
pub(crate) fn find(
    connection: &mut dyn Connection,
    model_id: &str,
    deleted: Deleted,
) -> Result<LoggedModel> {
    let stage = match deleted {
        Deleted::Hidden => " AND l.lifecycle_stage <> 'deleted'",
        Deleted::Shown => "",
    };
    let sql = format!("SELECT {COLUMNS} FROM logged_models l WHERE l.model_id = ?1{stage}");
    connection.first(&sql, &[model_id.into()], read)?.ok_or_else(|| not_found(model_id))
}

/// A logged model with params, tags and metrics.
pub(crate) fn get(
    connection: &mut dyn Connection,
    model_id: &str,
    deleted: Deleted,
) -> Result<LoggedModel> {
    let mut model = [find(connection, model_id, deleted)?];
    fill(connection, &mut model)?;
    let [model] = model;
    Ok(model)
}

/// Adds params, tags and metrics to logged models.
pub(crate) fn fill(connection: &mut dyn Connection, models: &mut [LoggedModel]) -> Result<()> {
    for mut chunk in chunks(models) {
        let places: HashMap<String, usize> = chunk
            .items
            .iter()
            .enumerate()
            .map(|(place, model)| (model.info.model_id.clone(), place))
            .collect();
        let mut ids: Vec<Value<'_>> =
            chunk.items.iter().map(|model| Value::from(model.info.model_id.clone())).collect();
        chunk.pad(&mut ids);
        let order = connection.dialect().insertion_order("t");
        let list = placeholders(1, chunk.padded);
        let select = |columns: &str, table: &str| {
            format!(
                "SELECT t.model_id, {columns} FROM {table} t WHERE t.model_id IN ({list}) \
                 ORDER BY t.model_id, {order}"
            )
        };
        connection.query(
            &select("t.param_key, t.param_value", "logged_model_params"),
            &ids,
            &mut |row| {
                if let Some(model) = owner(&mut chunk, &places, row)? {
                    model.data.params.push(Param::new(row.need_text(1)?, row.text_or_empty(2)?));
                }
                Ok(())
            },
        )?;
        connection.query(
            &select("t.tag_key, t.tag_value", "logged_model_tags"),
            &ids,
            &mut |row| {
                if let Some(model) = owner(&mut chunk, &places, row)? {
                    model.info.tags.push(Tag::new(row.need_text(1)?, row.text_or_empty(2)?));
                }
                Ok(())
            },
        )?;
        let columns = "t.metric_name, t.metric_value, t.metric_timestamp_ms, t.metric_step, \
                       t.dataset_name, t.dataset_digest, t.run_id";
        connection.query(&select(columns, "logged_model_metrics"), &ids, &mut |row| {
            if let Some(model) = owner(&mut chunk, &places, row)? {
                let metric = Metric {
                    key: row.need_text(1)?,
                    value: row.real(2)?.unwrap_or(f64::NAN),
                    timestamp: row.need_int(3)?,
                    step: row.need_int(4)?,
                    dataset_name: row.optional_text(5)?,
                    dataset_digest: row.optional_text(6)?,
                    run_id: row.optional_text(7)?,
                    model_id: Some(model.info.model_id.clone()),
                };
                model.data.metrics.push(metric);
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn owner<'a>(
    chunk: &'a mut Chunk<'_, LoggedModel>,
    places: &HashMap<String, usize>,
    row: &dyn Row,
) -> Result<Option<&'a mut LoggedModel>> {
    let place = row.text(0)?.and_then(|id| places.get(id).copied());
    Ok(place.and_then(|place| chunk.items.get_mut(place)))
}
