//! Logged models and registered models of another store, as they are there. What is here already stays as it is.

use std::sync::Arc;

use trainyard_mlflow as mlflow;
use trainyard_mlflow::entities::{
    LifecycleStage, LoggedModel, Metric, ModelVersion, ModelVersionStatus, RegisteredModel,
};

use super::audit::Change;
use super::database::Connection;
use super::import_experiments::count;
use super::logged_model_rows::status_number;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::{metrics, validate};
use crate::error::Result;

/// What is stored of a logged model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StoredModel {
    pub(crate) models: u64,
    pub(crate) params: u64,
    pub(crate) tags: u64,
    pub(crate) metrics: u64,
}

/// What is stored of a registered model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StoredRegisteredModel {
    pub(crate) models: u64,
    pub(crate) tags: u64,
    pub(crate) aliases: u64,
    pub(crate) versions: u64,
    pub(crate) version_tags: u64,
}

impl SqlStore {
    /// Adds a logged model with params and tags.
    pub(crate) async fn import_logged_model(
        &self,
        model: &Arc<LoggedModel>,
        stage: LifecycleStage,
    ) -> mlflow::Result<()> {
        let model = Arc::clone(model);
        self.write(move |connection| insert_logged(connection, &model, stage)).await
    }

    /// Adds values of metrics, each of which names its run, to a logged model.
    pub(crate) async fn import_model_metrics(
        &self,
        model: &Arc<LoggedModel>,
        values: Vec<Metric>,
    ) -> mlflow::Result<()> {
        let model = Arc::clone(model);
        self.write(move |connection| {
            let id = validate::experiment_id(&model.info.experiment_id)?;
            for value in &values {
                metrics::log_to_model_of(connection, id, &model.info.model_id, value)?;
            }
            Ok(())
        })
        .await
    }

    /// How much of a logged model is here.
    pub(crate) async fn stored_model(&self, model_id: &str) -> mlflow::Result<StoredModel> {
        let id = model_id.to_owned();
        self.read(move |connection| {
            let mut of = |table: &str| {
                let sql = format!("SELECT count(*) FROM {table} WHERE model_id = ?1");
                count(connection, &sql, &[(&id).into()])
            };
            Ok(StoredModel {
                models: of("logged_models")?,
                params: of("logged_model_params")?,
                tags: of("logged_model_tags")?,
                metrics: of("logged_model_metrics")?,
            })
        })
        .await
    }

    /// When a registered model was made, if it is here.
    pub(crate) async fn registered_model_time(&self, name: &str) -> mlflow::Result<Option<i64>> {
        let name = name.to_owned();
        self.read(move |connection| {
            connection.first(
                "SELECT coalesce(creation_time, 0) FROM registered_models \
                 WHERE workspace = ?1 AND name = ?2",
                &[WORKSPACE.into(), (&name).into()],
                |row| row.need_int(0),
            )
        })
        .await
    }

    /// Adds a registered model, its versions (each with where its files are), tags and aliases, all or nothing.
    pub(crate) async fn import_registered_model(
        &self,
        model: RegisteredModel,
        versions: Vec<(ModelVersion, Option<String>)>,
    ) -> mlflow::Result<()> {
        let audit = self.auditor();
        self.write(move |connection| {
            insert_registered(connection, &model)?;
            let mut changes = Vec::new();
            for (version, location) in &versions {
                insert_version(connection, version, location.as_deref())?;
            }
            for alias in &model.aliases {
                let number = validate::model_version(&alias.version)?;
                let added = connection.execute(
                    "INSERT INTO registered_model_aliases (workspace, name, alias, version) \
                     VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    &[WORKSPACE.into(), (&model.name).into(), (&alias.alias).into(), number.into()],
                )?;
                if added > 0 {
                    let change = Change::of_model("alias.set", &model.name);
                    changes.push(change.part("alias", &alias.alias).after(number.to_string()));
                }
            }
            audit.note(connection, changes)
        })
        .await
    }

    /// How much of a registered model is here.
    pub(crate) async fn stored_registered_model(
        &self,
        name: &str,
    ) -> mlflow::Result<StoredRegisteredModel> {
        let name = name.to_owned();
        self.read(move |connection| {
            let mut of = |table: &str| {
                let sql =
                    format!("SELECT count(*) FROM {table} WHERE workspace = ?1 AND name = ?2");
                count(connection, &sql, &[WORKSPACE.into(), (&name).into()])
            };
            Ok(StoredRegisteredModel {
                models: of("registered_models")?,
                tags: of("registered_model_tags")?,
                aliases: of("registered_model_aliases")?,
                versions: of("model_versions")?,
                version_tags: of("model_version_tags")?,
            })
        })
        .await
    }
}

fn insert_logged(
    connection: &mut dyn Connection,
    model: &LoggedModel,
    stage: LifecycleStage,
) -> Result<()> {
    let info = &model.info;
    let experiment_id = validate::experiment_id(&info.experiment_id)?;
    let stage = match stage {
        LifecycleStage::Active => "active",
        LifecycleStage::Deleted => "deleted",
    };
    connection.execute(
        "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, \
         creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage, model_type, \
         source_run_id, status_message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT DO NOTHING",
        &[
            (&info.model_id).into(),
            experiment_id.into(),
            (&info.name).into(),
            (&info.artifact_uri).into(),
            info.creation_timestamp_ms.into(),
            info.last_updated_timestamp_ms.into(),
            status_number(info.status).into(),
            stage.into(),
            info.model_type.as_deref().into(),
            info.source_run_id.as_deref().into(),
            info.status_message.as_deref().into(),
        ],
    )?;
    let id = &info.model_id;
    for param in &model.data.params {
        connection.execute(
            "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            &[id.into(), experiment_id.into(), (&param.key).into(), (&param.value).into()],
        )?;
    }
    for tag in &info.tags {
        connection.execute(
            "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            &[id.into(), experiment_id.into(), (&tag.key).into(), (&tag.value).into()],
        )?;
    }
    Ok(())
}

fn insert_registered(connection: &mut dyn Connection, model: &RegisteredModel) -> Result<()> {
    validate::model_name(&model.name)?;
    connection.execute(
        "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time, \
         description) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        &[
            WORKSPACE.into(),
            (&model.name).into(),
            model.creation_timestamp.into(),
            model.last_updated_timestamp.into(),
            model.description.as_deref().into(),
        ],
    )?;
    for tag in &model.tags {
        connection.execute(
            "INSERT INTO registered_model_tags (workspace, name, \"key\", value) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            &[WORKSPACE.into(), (&model.name).into(), (&tag.key).into(), (&tag.value).into()],
        )?;
    }
    Ok(())
}

fn insert_version(
    connection: &mut dyn Connection,
    version: &ModelVersion,
    location: Option<&str>,
) -> Result<()> {
    let number = validate::model_version(&version.version)?;
    let status = match version.status {
        ModelVersionStatus::PendingRegistration => "PENDING_REGISTRATION",
        ModelVersionStatus::FailedRegistration => "FAILED_REGISTRATION",
        ModelVersionStatus::Ready => "READY",
    };
    connection.execute(
        "INSERT INTO model_versions (workspace, name, version, creation_time, last_updated_time, \
         description, user_id, current_stage, source, run_id, status, status_message, run_link, \
         storage_location) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
         ON CONFLICT DO NOTHING",
        &[
            WORKSPACE.into(),
            (&version.name).into(),
            number.into(),
            version.creation_timestamp.into(),
            version.last_updated_timestamp.into(),
            version.description.as_deref().into(),
            version.user_id.as_deref().into(),
            (&version.current_stage).into(),
            (&version.source).into(),
            version.run_id.as_deref().into(),
            status.into(),
            version.status_message.as_deref().into(),
            version.run_link.as_deref().into(),
            location.into(),
        ],
    )?;
    for tag in &version.tags {
        connection.execute(
            "INSERT INTO model_version_tags (workspace, name, version, \"key\", value) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            &[
                WORKSPACE.into(),
                (&version.name).into(),
                number.into(),
                (&tag.key).into(),
                (&tag.value).into(),
            ],
        )?;
    }
    Ok(())
}
