//! Versions of registered models.

use async_trait::async_trait;
use trainyard_mlflow::entities::{ModelVersion, Tag};
use trainyard_mlflow::{
    self as mlflow, AliasMove, CreateModelVersion, Error, ErrorCode, ModelVersions, Page,
    SearchModelVersions, VersionId,
};

use super::approval_desk::{Desk, settle};
use super::audit::{Auditor, Change};
use super::clock::{creation_millis, now_millis};
use super::database::{Connection, Value};
use super::logged_model_rows::{self, Deleted};
use super::model_version_rows::{download_uri, find, get};
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::version_source::{ModelSource, hold_files, of_logged_model, parse_models_uri};
use super::{registered_model_rows, search_registry, validate, webhook_outbox};
use crate::error::Result;
use crate::webhooks::change::Change as RegistryChange;

#[async_trait]
impl ModelVersions for SqlStore {
    async fn create(&self, version: CreateModelVersion) -> mlflow::Result<ModelVersion> {
        let holds_files = self.logged_models.is_none();
        let (version, location) = match &self.logged_models {
            Some(elsewhere) => of_logged_model(&**elsewhere, version).await?,
            None => (version, None),
        };
        let audit = self.auditor();
        let (version, deliveries) = self
            .create_one(move |connection| {
                let created =
                    create(connection, &audit, &version, location.as_deref(), holds_files)?;
                let change = RegistryChange::VersionCreated {
                    name: &version.name,
                    version: &created.version,
                    source: &version.source,
                    run_id: version.run_id.as_deref(),
                    tags: &version.tags,
                    description: version.description.as_deref(),
                };
                let deliveries = webhook_outbox::add(connection, &change)?;
                Ok((created, deliveries))
            })
            .await?;
        self.wake(deliveries);
        Ok(version)
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
        let audit = self.auditor();
        self.write(move |connection| update(connection, &audit, id.as_id(), description.as_deref()))
            .await
    }

    async fn transition_stage(
        &self,
        id: VersionId<'_>,
        stage: &str,
        archive_existing_versions: bool,
    ) -> mlflow::Result<ModelVersion> {
        let (id, stage, desk) = (OwnedId::from(id), stage.to_owned(), self.desk());
        let moved = self.write(move |connection| {
            transition(connection, &desk, id.as_id(), &stage, archive_existing_versions)
        });
        match moved.await? {
            Moved::To(version) => Ok(*version),
            Moved::Not(message) => Err(Error::api(ErrorCode::PermissionDenied, message)),
        }
    }

    async fn delete(&self, id: VersionId<'_>) -> mlflow::Result<()> {
        let (id, desk) = (OwnedId::from(id), self.desk());
        self.write(move |connection| delete(connection, &desk, id.as_id())).await
    }

    async fn search(&self, search: SearchModelVersions) -> mlflow::Result<Page<ModelVersion>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| {
            search_registry::model_versions(connection, &search)
        })
        .await
    }

    async fn set_tag(&self, id: VersionId<'_>, tag: Tag) -> mlflow::Result<()> {
        let (id, audit) = (OwnedId::from(id), self.auditor());
        self.change(move |connection| {
            set_tag(connection, &audit, id.as_id(), &tag)?;
            let change =
                RegistryChange::VersionTagSet { name: &id.name, version: &id.version, tag: &tag };
            Ok(((), webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn delete_tag(&self, id: VersionId<'_>, key: &str) -> mlflow::Result<()> {
        let (id, key) = (OwnedId::from(id), key.to_owned());
        let audit = self.auditor();
        self.change(move |connection| {
            delete_tag(connection, &audit, id.as_id(), &key)?;
            let change = RegistryChange::VersionTagDeleted {
                name: &id.name,
                version: &id.version,
                key: &key,
            };
            Ok(((), webhook_outbox::add(connection, &change)?))
        })
        .await
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
    audit: &Auditor,
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
    let version = get(connection, VersionId { name: &request.name, version: &number.to_string() })?;
    let made = Change::of_model("version.create", &request.name).part("version", number);
    let mut changes = vec![made.after(request.source.clone())];
    changes.extend(request.tags.iter().map(|tag| tagged(&request.name, number, tag)));
    audit.note(connection, changes)?;
    Ok(version)
}

fn tagged(name: &str, number: i64, tag: &Tag) -> Change {
    let change = Change::of_model("version.set_tag", name).part("version", number);
    change.part("tag", &tag.key).after(tag.value.clone())
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
    audit: &Auditor,
    id: VersionId<'_>,
    description: Option<&str>,
) -> Result<ModelVersion> {
    let found = find(connection, id)?;
    let number = found.number;
    connection.execute(
        "UPDATE model_versions SET description = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4 AND version = ?5",
        &[description.into(), now_millis().into(), WORKSPACE.into(), id.name.into(), number.into()],
    )?;
    let version = get(connection, id)?;
    let change = Change::of_model("version.update", id.name).part("version", number);
    let change = change.before(found.version.description).after(description.map(str::to_owned));
    audit.note(connection, vec![change])?;
    Ok(version)
}

/// What became of a move to a stage.
enum Moved {
    To(Box<ModelVersion>),
    /// Others have to agree first; this is what is said.
    Not(String),
}

/// Moves a version to a stage; may archive those that are there.
fn transition(
    connection: &mut dyn Connection,
    desk: &Desk,
    id: VersionId<'_>,
    stage: &str,
    archive_existing_versions: bool,
) -> Result<Moved> {
    let canonical = validate::stage(stage)?;
    if archive_existing_versions && !matches!(canonical, "Staging" | "Production") {
        // Upstream answers 500, which clients would repeat for minutes.
        return Err(Error::invalid(format!(
            "Model version transition cannot archive existing model versions because '{stage}' is \
             not an Active stage. Valid stages are ['Staging', 'Production']"
        ))
        .into());
    }
    let found = find(connection, id)?;
    let (number, before) = (found.number, found.version.current_stage);
    if before != canonical {
        desk.check_stays(id.name, &before, "the version stays in its stage")?;
        let (model, alias) = (id.name.to_owned(), canonical.to_owned());
        let wanted = AliasMove { model, alias, version: number.to_string() };
        if let Some(message) = desk.missing(connection, &wanted)? {
            return Ok(Moved::Not(message));
        }
    }
    let now = now_millis();
    let mut changes = Vec::new();
    if archive_existing_versions {
        for other in in_stage(connection, id.name, canonical)? {
            if other != number {
                changes.push(staged(id.name, other, canonical, "Archived"));
            }
        }
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
    settle(connection, id.name, canonical, number)?;
    let version = get(connection, id)?;
    changes.push(staged(id.name, number, &before, canonical));
    desk.auditor.note(connection, changes)?;
    Ok(Moved::To(Box::new(version)))
}

fn staged(name: &str, number: i64, from: &str, to: &str) -> Change {
    let change = Change::of_model("version.stage", name).part("version", number);
    change.before(from.to_owned()).after(to.to_owned())
}

/// The versions of a stage.
fn in_stage(connection: &mut dyn Connection, name: &str, stage: &str) -> Result<Vec<i64>> {
    connection.rows(
        "SELECT version FROM model_versions \
         WHERE workspace = ?1 AND name = ?2 AND current_stage = ?3 ORDER BY version",
        &[WORKSPACE.into(), name.into(), stage.into()],
        |row| row.need_int(0),
    )
}

/// Takes a version away: its row stays, emptied, so that its number is not used again.
fn delete(connection: &mut dyn Connection, desk: &Desk, id: VersionId<'_>) -> Result<()> {
    let found = get(connection, id)?;
    let number = validate::model_version(&found.version)?;
    for name in found.aliases.iter().chain([&found.current_stage]) {
        desk.check_stays(id.name, name, "the version stays")?;
    }
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
    registered_model_rows::touch(connection, id.name, now)?;
    let gone = Change::of_model("version.delete", id.name).part("version", number);
    let mut changes = vec![gone.before(found.source)];
    changes.extend(found.aliases.into_iter().map(|alias| {
        let change = Change::of_model("alias.delete", id.name).part("alias", alias);
        change.before(number.to_string())
    }));
    desk.auditor.note(connection, changes)
}

/// Sets or replaces a tag.
fn set_tag(
    connection: &mut dyn Connection,
    audit: &Auditor,
    id: VersionId<'_>,
    tag: &Tag,
) -> Result<()> {
    validate::model_name(id.name)?;
    validate::registry_tag(tag)?;
    let number = find(connection, id)?.number;
    let before = tag_before(connection, audit, (id.name, number), &tag.key)?;
    upsert_tag(connection, id.name, number, tag)?;
    audit.note(connection, vec![tagged(id.name, number, tag).before(before)])
}

/// The value of a tag, where it is to be written down.
fn tag_before(
    connection: &mut dyn Connection,
    audit: &Auditor,
    (name, number): (&str, i64),
    key: &str,
) -> Result<Option<String>> {
    if !audit.is_on() {
        return Ok(None);
    }
    let sql = "SELECT value FROM model_version_tags \
               WHERE workspace = ?1 AND name = ?2 AND version = ?3 AND \"key\" = ?4";
    let values: [Value<'_>; 4] = [WORKSPACE.into(), name.into(), number.into(), key.into()];
    connection.first(sql, &values, |row| row.text_or_empty(0))
}

/// Removes a tag; removing nothing is no error.
fn delete_tag(
    connection: &mut dyn Connection,
    audit: &Auditor,
    id: VersionId<'_>,
    key: &str,
) -> Result<()> {
    validate::tag_key(key)?;
    let number = find(connection, id)?.number;
    let before = tag_before(connection, audit, (id.name, number), key)?;
    let removed = connection.execute(
        "DELETE FROM model_version_tags \
         WHERE workspace = ?1 AND name = ?2 AND version = ?3 AND \"key\" = ?4",
        &[WORKSPACE.into(), id.name.into(), number.into(), key.into()],
    )?;
    let change = Change::of_model("version.delete_tag", id.name).part("version", number);
    let change = change.part("tag", key).before(before);
    audit.note(connection, if removed == 0 { Vec::new() } else { vec![change] })
}
