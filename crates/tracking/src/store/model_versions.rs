//! Versions of registered models.

use async_trait::async_trait;
use trainyard_mlflow::entities::{ModelVersion, Tag};
use trainyard_mlflow::{
    self as mlflow, CreateModelVersion, Error, ModelVersions, Page, SearchModelVersions, VersionId,
};

use super::clock::{creation_millis, now_millis};
use super::database::Connection;
use super::logged_model_rows::{self, Deleted};
use super::model_version_rows::{download_uri, find, get};
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::version_source::{ModelSource, hold_files, of_logged_model, parse_models_uri};
use super::{registered_model_rows, search_registry, validate};
use crate::error::Result;

#[async_trait]
impl ModelVersions for SqlStore {
    async fn create(&self, version: CreateModelVersion) -> mlflow::Result<ModelVersion> {
        let holds_files = self.logged_models.is_none();
        let (version, location) = match &self.logged_models {
            Some(elsewhere) => of_logged_model(&**elsewhere, version).await?,
            None => (version, None),
        };
        self.create_one(move |connection| {
            create(connection, &version, location.as_deref(), holds_files)
        })
        .await
    }

    async fn get(&self, id: VersionId<'_>) -> mlflow::Result<ModelVersion> {
        let id = OwnedId::from(id);
        self.read(move |connection| get(connection, id.as_id())).await
    }

    async fn update(
        &self,
        id: VersionId<'_>,
        description: Option<&str>,
    ) -> mlflow::Result<ModelVersion> {
        let (id, description) = (OwnedId::from(id), description.map(str::to_owned));
        self.write(move |connection| update(connection, id.as_id(), description.as_deref())).await
    }

    async fn transition_stage(
        &self,
        id: VersionId<'_>,
        stage: &str,
        archive_existing_versions: bool,
    ) -> mlflow::Result<ModelVersion> {
        let (id, stage) = (OwnedId::from(id), stage.to_owned());
        self.write(move |connection| {
            transition(connection, id.as_id(), &stage, archive_existing_versions)
        })
        .await
    }

    async fn delete(&self, id: VersionId<'_>) -> mlflow::Result<()> {
        let id = OwnedId::from(id);
        self.write(move |connection| delete(connection, id.as_id())).await
    }

    async fn search(&self, search: SearchModelVersions) -> mlflow::Result<Page<ModelVersion>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| {
            search_registry::model_versions(connection, &search)
        })
        .await
    }

    async fn set_tag(&self, id: VersionId<'_>, tag: Tag) -> mlflow::Result<()> {
        let id = OwnedId::from(id);
        self.write(move |connection| set_tag(connection, id.as_id(), &tag)).await
    }

    async fn delete_tag(&self, id: VersionId<'_>, key: &str) -> mlflow::Result<()> {
        let (id, key) = (OwnedId::from(id), key.to_owned());
        self.write(move |connection| delete_tag(connection, id.as_id(), &key)).await
    }

    async fn download_uri(&self, id: VersionId<'_>) -> mlflow::Result<String> {
        let id = OwnedId::from(id);
        self.read(move |connection| download_uri(connection, id.as_id())).await
    }
}

/// A [`VersionId`] for the thread of the database.
struct OwnedId {
    name: String,
    version: String,
}

impl From<VersionId<'_>> for OwnedId {
    fn from(id: VersionId<'_>) -> Self {
        Self { name: id.name.to_owned(), version: id.version.to_owned() }
    }
}

impl OwnedId {
    fn as_id(&self) -> VersionId<'_> {
        VersionId { name: &self.name, version: &self.version }
    }
}

/// Makes the next version; numbers of deleted versions are not used again. `location` is where the
/// files are, if that is known without a look at the source; `holds_files` whether runs and models are in this
/// database.
fn create(
    connection: &mut dyn Connection,
    request: &CreateModelVersion,
    location: Option<&str>,
    holds_files: bool,
) -> Result<ModelVersion> {
    validate::model_name(&request.name)?;
    for tag in &request.tags {
        validate::registry_tag(tag)?;
    }
    let given_run = request.run_id.clone().filter(|id| !id.is_empty());
    let mut run_id = given_run.clone();
    let storage_location = match (location, parse_models_uri(&request.source)?) {
        (Some(location), _) => location.to_owned(),
        (None, None) => request.source.clone(),
        (None, Some(ModelSource::Logged(model_id))) => {
            let model = logged_model_rows::get(connection, model_id, Deleted::Hidden)?;
            run_id = run_id.or(model.info.source_run_id);
            model.info.artifact_uri
        }
        (None, Some(ModelSource::Version(id))) => download_uri(connection, id)?,
        (None, Some(ModelSource::Alias(id))) => {
            let version = registered_model_rows::get_by_alias(connection, id)?;
            download_uri(connection, version.id())?
        }
    };
    if holds_files {
        hold_files(connection, &storage_location, request)?;
    }
    if run_id.is_none()
        && let Some(model_id) = request.model_id.as_deref().filter(|id| !id.is_empty())
    {
        let model = logged_model_rows::get(connection, model_id, Deleted::Hidden)?;
        run_id = model.info.source_run_id;
    }
    // What was given as empty stays so.
    let run_id = run_id.or_else(|| request.run_id.clone());
    registered_model_rows::find(connection, &request.name)?;
    let now = creation_millis();
    // Before the number is found: this locks the model's row where several can write.
    registered_model_rows::touch(connection, &request.name, now)?;
    let number = connection
        .first(
            "INSERT INTO model_versions (workspace, name, version, creation_time, \
             last_updated_time, description, current_stage, source, run_id, status, run_link, \
             storage_location) \
             VALUES (?1, ?2, (SELECT coalesce(max(w.version), 0) + 1 FROM model_versions w \
             WHERE w.workspace = ?1 AND w.name = ?2), ?3, ?3, ?4, 'None', ?5, ?6, 'READY', ?7, ?8) \
             RETURNING version",
            &[
                WORKSPACE.into(),
                (&request.name).into(),
                now.into(),
                request.description.as_deref().into(),
                (&request.source).into(),
                run_id.into(),
                request.run_link.as_deref().into(),
                storage_location.into(),
            ],
            |row| row.need_int(0),
        )?
        .ok_or_else(|| crate::Error::database("no number for a new model version"))?;
    for tag in &request.tags {
        upsert_tag(connection, &request.name, number, tag)?;
    }
    get(connection, VersionId { name: &request.name, version: &number.to_string() })
}

fn upsert_tag(connection: &mut dyn Connection, name: &str, number: i64, tag: &Tag) -> Result<()> {
    connection.execute(
        "INSERT INTO model_version_tags (workspace, name, version, \"key\", value) \
         VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (workspace, \"key\", name, version) DO UPDATE SET value = excluded.value",
        &[WORKSPACE.into(), name.into(), number.into(), (&tag.key).into(), (&tag.value).into()],
    )?;
    Ok(())
}

/// Replaces the description.
fn update(
    connection: &mut dyn Connection,
    id: VersionId<'_>,
    description: Option<&str>,
) -> Result<ModelVersion> {
    let number = find(connection, id)?.number;
    connection.execute(
        "UPDATE model_versions SET description = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4 AND version = ?5",
        &[description.into(), now_millis().into(), WORKSPACE.into(), id.name.into(), number.into()],
    )?;
    get(connection, id)
}

/// Moves a version to a stage; may archive those that are there.
fn transition(
    connection: &mut dyn Connection,
    id: VersionId<'_>,
    stage: &str,
    archive_existing_versions: bool,
) -> Result<ModelVersion> {
    let canonical = validate::stage(stage)?;
    if archive_existing_versions && !matches!(canonical, "Staging" | "Production") {
        // Upstream answers 500, which clients would repeat for minutes.
        return Err(Error::invalid(format!(
            "Model version transition cannot archive existing model versions because '{stage}' is \
             not an Active stage. Valid stages are ['Staging', 'Production']"
        ))
        .into());
    }
    let number = find(connection, id)?.number;
    let now = now_millis();
    if archive_existing_versions {
        connection.execute(
            "UPDATE model_versions SET current_stage = 'Archived', last_updated_time = ?1 \
             WHERE workspace = ?2 AND name = ?3 AND current_stage = ?4 AND version <> ?5",
            &[now.into(), WORKSPACE.into(), id.name.into(), canonical.into(), number.into()],
        )?;
    }
    connection.execute(
        "UPDATE model_versions SET current_stage = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4 AND version = ?5",
        &[canonical.into(), now.into(), WORKSPACE.into(), id.name.into(), number.into()],
    )?;
    registered_model_rows::touch(connection, id.name, now)?;
    get(connection, id)
}

/// Takes a version away: its row stays, emptied, so that its number is not used again.
fn delete(connection: &mut dyn Connection, id: VersionId<'_>) -> Result<()> {
    let number = find(connection, id)?.number;
    let now = now_millis();
    connection.execute(
        "DELETE FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 AND version = ?3",
        &[WORKSPACE.into(), id.name.into(), number.into()],
    )?;
    connection.execute(
        "UPDATE model_versions SET current_stage = 'Deleted_Internal', last_updated_time = ?1, \
         description = NULL, user_id = NULL, source = 'REDACTED-SOURCE-PATH', \
         run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK', status_message = NULL \
         WHERE workspace = ?2 AND name = ?3 AND version = ?4",
        &[now.into(), WORKSPACE.into(), id.name.into(), number.into()],
    )?;
    registered_model_rows::touch(connection, id.name, now)
}

/// Sets or replaces a tag.
fn set_tag(connection: &mut dyn Connection, id: VersionId<'_>, tag: &Tag) -> Result<()> {
    validate::model_name(id.name)?;
    validate::registry_tag(tag)?;
    let number = find(connection, id)?.number;
    upsert_tag(connection, id.name, number, tag)
}

/// Removes a tag; removing nothing is no error.
fn delete_tag(connection: &mut dyn Connection, id: VersionId<'_>, key: &str) -> Result<()> {
    validate::tag_key(key)?;
    let number = find(connection, id)?.number;
    connection.execute(
        "DELETE FROM model_version_tags \
         WHERE workspace = ?1 AND name = ?2 AND version = ?3 AND \"key\" = ?4",
        &[WORKSPACE.into(), id.name.into(), number.into(), key.into()],
    )?;
    Ok(())
}
