//! Logged models: model folders as entities of their own.

use std::collections::HashMap;

use trainyard_mlflow::entities::{
    LoggedModel, LoggedModelInfo, LoggedModelStatus, Metric, Param, Tag,
};
use trainyard_mlflow::{CreateLoggedModel, Error};

use super::database::{Connection, Row, Value};
use super::names::random_name;
use super::{
    Chunk, chunks, creation_millis, experiments, join_uri, new_id, now_millis, placeholders,
    python, validate,
};
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

fn find(connection: &mut dyn Connection, model_id: &str, deleted: Deleted) -> Result<LoggedModel> {
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

/// Makes a logged model whose files are still to come.
pub(crate) fn create(
    connection: &mut dyn Connection,
    model: &CreateLoggedModel,
) -> Result<LoggedModel> {
    validate::logged_model_name(model.name.as_deref())?;
    let experiment = experiments::get_active(connection, &model.experiment_id)?;
    let experiment_id = validate::experiment_id(&experiment.experiment_id)?;
    let model_id = format!("m-{}", new_id());
    let location = join_uri(&experiment.artifact_location, &format!("models/{model_id}/artifacts"));
    let name = model.name.clone().unwrap_or_else(random_name);
    let now = creation_millis();
    connection.execute(
        "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, \
         creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage, model_type, \
         source_run_id) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1, 'active', ?6, ?7)",
        &[
            (&model_id).into(),
            experiment_id.into(),
            name.into(),
            location.into(),
            now.into(),
            model.model_type.as_deref().into(),
            model.source_run_id.as_deref().into(),
        ],
    )?;
    insert_params(connection, &model_id, experiment_id, &model.params)?;
    upsert_tags(connection, &model_id, experiment_id, &model.tags)?;
    get(connection, &model_id, Deleted::Hidden)
}

fn insert_params(
    connection: &mut dyn Connection,
    model_id: &str,
    experiment_id: i64,
    params: &[Param],
) -> Result<()> {
    for param in params {
        let inserted = connection.execute(
            "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value) \
             VALUES (?1, ?2, ?3, ?4)",
            &[model_id.into(), experiment_id.into(), (&param.key).into(), (&param.value).into()],
        );
        match inserted {
            Ok(_rows) => {}
            // The code is upstream's, whose message is the database's.
            Err(error) if error.is_unique() => {
                return Err(Error::api(
                    trainyard_mlflow::ErrorCode::BadRequest,
                    format!(
                        "Param with key {} was already logged for model with ID '{model_id}'.",
                        python::repr(&param.key)
                    ),
                )
                .into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn upsert_tags(
    connection: &mut dyn Connection,
    model_id: &str,
    experiment_id: i64,
    tags: &[Tag],
) -> Result<()> {
    for tag in tags {
        connection.execute(
            "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) \
             VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (model_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
            &[model_id.into(), experiment_id.into(), (&tag.key).into(), (&tag.value).into()],
        )?;
    }
    Ok(())
}

fn experiment_of(connection: &mut dyn Connection, model_id: &str) -> Result<i64> {
    validate::experiment_id(&find(connection, model_id, Deleted::Shown)?.info.experiment_id)
}

/// Says whether the files are all there.
pub(crate) fn finalize(
    connection: &mut dyn Connection,
    model_id: &str,
    status: LoggedModelStatus,
) -> Result<LoggedModel> {
    find(connection, model_id, Deleted::Shown)?;
    connection.execute(
        "UPDATE logged_models SET status = ?1, last_updated_timestamp_ms = ?2 WHERE model_id = ?3",
        &[status_number(status).into(), now_millis().into(), model_id.into()],
    )?;
    get(connection, model_id, Deleted::Shown)
}

/// Marks a logged model as deleted.
pub(crate) fn delete(connection: &mut dyn Connection, model_id: &str) -> Result<()> {
    find(connection, model_id, Deleted::Shown)?;
    connection.execute(
        "UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp_ms = ?1 \
         WHERE model_id = ?2",
        &[now_millis().into(), model_id.into()],
    )?;
    Ok(())
}

/// Sets or replaces tags.
pub(crate) fn set_tags(
    connection: &mut dyn Connection,
    model_id: &str,
    tags: &[Tag],
) -> Result<()> {
    let experiment_id = experiment_of(connection, model_id)?;
    upsert_tags(connection, model_id, experiment_id, tags)
}

/// Removes a tag.
pub(crate) fn delete_tag(connection: &mut dyn Connection, model_id: &str, key: &str) -> Result<()> {
    find(connection, model_id, Deleted::Shown)?;
    let removed = connection.execute(
        "DELETE FROM logged_model_tags WHERE model_id = ?1 AND tag_key = ?2",
        &[model_id.into(), key.into()],
    )?;
    if removed == 0 {
        return Err(Error::not_found(format!(
            "No tag with key {} found for model with ID {}.",
            python::repr(key),
            python::repr(model_id)
        ))
        .into());
    }
    Ok(())
}

/// Adds params, each once.
pub(crate) fn log_params(
    connection: &mut dyn Connection,
    model_id: &str,
    params: &[Param],
) -> Result<()> {
    let experiment_id = experiment_of(connection, model_id)?;
    insert_params(connection, model_id, experiment_id, params)
}
