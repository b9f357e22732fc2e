//! Logged models: model folders as entities of their own.

use async_trait::async_trait;
use trainyard_mlflow::entities::{LoggedModel, LoggedModelStatus, Param, Tag};
use trainyard_mlflow::{
    self as mlflow, CreateLoggedModel, Error, LoggedModels, Page, SearchLoggedModels, uri,
};

use super::audit::Change;
use super::clock::{creation_millis, now_millis};
use super::database::Connection;
use super::logged_model_rows::{Deleted, find, get, status_number};
use super::names::{new_id, random_name};
use super::permits::Reading;
use super::sql_store::SqlStore;
use super::{experiment_rows, python, search_logged_models, validate};
use crate::error::Result;

#[async_trait]
impl LoggedModels for SqlStore {
    async fn create(&self, model: CreateLoggedModel) -> mlflow::Result<LoggedModel> {
        self.create_one(move |connection| create(connection, &model)).await
    }

    async fn get(&self, model_id: &str) -> mlflow::Result<LoggedModel> {
        let id = model_id.to_owned();
        self.read(move |connection| get(connection, &id, Deleted::Hidden)).await
    }

    async fn get_or_deleted(&self, model_id: &str) -> mlflow::Result<LoggedModel> {
        let id = model_id.to_owned();
        self.read(move |connection| get(connection, &id, Deleted::Shown)).await
    }

    async fn finalize(
        &self,
        model_id: &str,
        status: LoggedModelStatus,
    ) -> mlflow::Result<LoggedModel> {
        let id = model_id.to_owned();
        self.write(move |connection| finalize(connection, &id, status)).await
    }

    async fn delete(&self, model_id: &str) -> mlflow::Result<()> {
        let (id, audit) = (model_id.to_owned(), self.auditor());
        self.write(move |connection| {
            delete(connection, &id)?;
            audit.note(connection, vec![Change::of_logged_model("logged_model.delete", &id)])
        })
        .await
    }

    async fn set_tags(&self, model_id: &str, tags: Vec<Tag>) -> mlflow::Result<()> {
        let id = model_id.to_owned();
        self.write(move |connection| set_tags(connection, &id, &tags)).await
    }

    async fn delete_tag(&self, model_id: &str, key: &str) -> mlflow::Result<()> {
        let (id, key) = (model_id.to_owned(), key.to_owned());
        self.write(move |connection| delete_tag(connection, &id, &key)).await
    }

    async fn log_params(&self, model_id: &str, params: Vec<Param>) -> mlflow::Result<()> {
        let id = model_id.to_owned();
        self.write(move |connection| log_params(connection, &id, &params)).await
    }

    async fn search(&self, search: SearchLoggedModels) -> mlflow::Result<Page<LoggedModel>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| search_logged_models::search(connection, &search))
            .await
    }
}

/// Makes a logged model whose files are still to come.
fn create(connection: &mut dyn Connection, model: &CreateLoggedModel) -> Result<LoggedModel> {
    validate::logged_model_name(model.name.as_deref())?;
    let experiment = experiment_rows::get_active(connection, &model.experiment_id)?;
    let experiment_id = validate::experiment_id(&experiment.experiment_id)?;
    let model_id = format!("m-{}", new_id());
    let location =
        uri::join(&experiment.artifact_location, &format!("models/{model_id}/artifacts"));
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
                    mlflow::ErrorCode::BadRequest,
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
fn finalize(
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
fn delete(connection: &mut dyn Connection, model_id: &str) -> Result<()> {
    find(connection, model_id, Deleted::Shown)?;
    connection.execute(
        "UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp_ms = ?1 \
         WHERE model_id = ?2",
        &[now_millis().into(), model_id.into()],
    )?;
    Ok(())
}

/// Sets or replaces tags.
fn set_tags(connection: &mut dyn Connection, model_id: &str, tags: &[Tag]) -> Result<()> {
    let experiment_id = experiment_of(connection, model_id)?;
    upsert_tags(connection, model_id, experiment_id, tags)
}

/// Removes a tag.
fn delete_tag(connection: &mut dyn Connection, model_id: &str, key: &str) -> Result<()> {
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
fn log_params(connection: &mut dyn Connection, model_id: &str, params: &[Param]) -> Result<()> {
    let experiment_id = experiment_of(connection, model_id)?;
    insert_params(connection, model_id, experiment_id, params)
}
