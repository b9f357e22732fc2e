//! Versions of registered models.

use trainyard_mlflow::entities::{ModelVersion, ModelVersionStatus, Tag};
use trainyard_mlflow::{CreateModelVersion, Error};

use super::database::{Connection, Row};
use super::logged_models::{self, Deleted};
use super::schema::WORKSPACE;
use super::{creation_millis, now_millis, registered_models, validate};
use crate::error::Result;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "v.name, v.version, v.creation_time, v.last_updated_time, \
     v.description, v.user_id, v.current_stage, v.source, v.run_id, v.status, v.status_message, \
     v.run_link";

/// A version without tags and aliases.
pub(crate) fn read(row: &dyn Row) -> Result<ModelVersion> {
    Ok(ModelVersion {
        name: row.need_text(0)?,
        version: row.need_int(1)?.to_string(),
        creation_timestamp: row.int(2)?.unwrap_or_default(),
        last_updated_timestamp: row.int(3)?.unwrap_or_default(),
        description: row.optional_text(4)?,
        user_id: row.optional_text(5)?,
        current_stage: row.text(6)?.unwrap_or("None").to_owned(),
        source: row.text_or_empty(7)?,
        run_id: row.optional_text(8)?,
        status: match row.text(9)? {
            Some("PENDING_REGISTRATION") => ModelVersionStatus::PendingRegistration,
            Some("FAILED_REGISTRATION") => ModelVersionStatus::FailedRegistration,
            _ => ModelVersionStatus::Ready,
        },
        status_message: row.optional_text(10)?,
        run_link: row.optional_text(11)?,
        ..ModelVersion::default()
    })
}

/// A version's row and number.
pub(crate) struct Found {
    pub(crate) version: ModelVersion,
    pub(crate) number: i64,
    storage_location: Option<String>,
}

/// The version's row.
pub(crate) fn find(connection: &mut dyn Connection, name: &str, version: &str) -> Result<Found> {
    validate::model_name(name)?;
    let number = validate::model_version(version)?;
    let sql = format!(
        "SELECT {COLUMNS}, v.storage_location FROM model_versions v WHERE v.workspace = ?1 \
         AND v.name = ?2 AND v.version = ?3 AND v.current_stage <> 'Deleted_Internal'"
    );
    let found = connection.first(&sql, &[WORKSPACE.into(), name.into(), number.into()], |row| {
        Ok(Found { version: read(row)?, number, storage_location: row.optional_text(12)? })
    })?;
    found.ok_or_else(|| {
        Error::not_found(format!("Model Version (name={name}, version={number}) not found")).into()
    })
}

/// A version with tags and aliases.
pub(crate) fn get(
    connection: &mut dyn Connection,
    name: &str,
    version: &str,
) -> Result<ModelVersion> {
    let mut version = find(connection, name, version)?.version;
    fill_tags(connection, &mut version)?;
    fill_aliases(connection, &mut version)?;
    Ok(version)
}

/// Adds a version's tags.
pub(crate) fn fill_tags(connection: &mut dyn Connection, version: &mut ModelVersion) -> Result<()> {
    let order = connection.dialect().insertion_order("t");
    let sql = format!(
        "SELECT t.\"key\", t.value FROM model_version_tags t \
         WHERE t.workspace = ?1 AND t.name = ?2 AND t.version = ?3 ORDER BY {order}"
    );
    let number = validate::model_version(&version.version)?;
    version.tags = connection.rows(
        &sql,
        &[WORKSPACE.into(), (&version.name).into(), number.into()],
        |row| Ok(Tag::new(row.need_text(0)?, row.text_or_empty(1)?)),
    )?;
    Ok(())
}

/// Adds a version's aliases.
pub(crate) fn fill_aliases(
    connection: &mut dyn Connection,
    version: &mut ModelVersion,
) -> Result<()> {
    let number = validate::model_version(&version.version)?;
    version.aliases = connection.rows(
        "SELECT alias FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 AND version = ?3 ORDER BY alias",
        &[WORKSPACE.into(), (&version.name).into(), number.into()],
        |row| row.need_text(0),
    )?;
    Ok(())
}

/// What a source URI with the scheme `models:` names.
enum ModelSource<'a> {
    Logged(&'a str),
    Version { name: &'a str, version: &'a str },
    Alias { name: &'a str, alias: &'a str },
}

fn parse_models_uri(uri: &str) -> Result<Option<ModelSource<'_>>> {
    let Some(rest) = uri.strip_prefix("models:") else { return Ok(None) };
    let path = rest.trim_start_matches('/').trim_end_matches('/');
    let invalid = || {
        Error::invalid(format!(
            "Not a proper models:/ URI: {uri}. Models URIs must be of the form \
             'models:/model_name/suffix', 'models:/model_name@alias' or 'models:/model_id' where \
             suffix is a model version or the string 'latest'."
        ))
    };
    if path.is_empty() || path.matches('/').count() > 1 {
        return Err(invalid().into());
    }
    if let Some((name, version)) = path.split_once('/') {
        if version == "latest" {
            return Ok(Some(ModelSource::Alias { name, alias: "latest" }));
        }
        return Ok(Some(ModelSource::Version { name, version }));
    }
    if let Some((name, alias)) = path.split_once('@') {
        return Ok(Some(ModelSource::Alias { name, alias }));
    }
    Ok(Some(ModelSource::Logged(path)))
}

/// Makes the next version; numbers of deleted versions are not used again. `location` is where the
/// files are, if that is known without a look at the source.
pub(crate) fn create(
    connection: &mut dyn Connection,
    request: &CreateModelVersion,
    location: Option<&str>,
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
            let model = logged_models::get(connection, model_id, Deleted::Hidden)?;
            run_id = run_id.or(model.info.source_run_id);
            model.info.artifact_uri
        }
        (None, Some(ModelSource::Version { name, version })) => {
            download_uri(connection, name, version)?
        }
        (None, Some(ModelSource::Alias { name, alias })) => {
            let version = registered_models::get_by_alias(connection, name, alias)?;
            download_uri(connection, name, &version.version)?
        }
    };
    if run_id.is_none()
        && let Some(model_id) = request.model_id.as_deref().filter(|id| !id.is_empty())
    {
        let model = logged_models::get(connection, model_id, Deleted::Hidden)?;
        run_id = model.info.source_run_id;
    }
    // What was given as empty stays so.
    let run_id = run_id.or_else(|| request.run_id.clone());
    registered_models::find(connection, &request.name)?;
    let now = creation_millis();
    // Before the number is found: this locks the model's row where several can write.
    registered_models::touch(connection, &request.name, now)?;
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
    get(connection, &request.name, &number.to_string())
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
pub(crate) fn update(
    connection: &mut dyn Connection,
    name: &str,
    version: &str,
    description: Option<&str>,
) -> Result<ModelVersion> {
    let number = find(connection, name, version)?.number;
    connection.execute(
        "UPDATE model_versions SET description = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4 AND version = ?5",
        &[description.into(), now_millis().into(), WORKSPACE.into(), name.into(), number.into()],
    )?;
    get(connection, name, version)
}

/// Moves a version to a stage; may archive those that are there.
pub(crate) fn transition(
    connection: &mut dyn Connection,
    name: &str,
    version: &str,
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
    let number = find(connection, name, version)?.number;
    let now = now_millis();
    if archive_existing_versions {
        connection.execute(
            "UPDATE model_versions SET current_stage = 'Archived', last_updated_time = ?1 \
             WHERE workspace = ?2 AND name = ?3 AND current_stage = ?4 AND version <> ?5",
            &[now.into(), WORKSPACE.into(), name.into(), canonical.into(), number.into()],
        )?;
    }
    connection.execute(
        "UPDATE model_versions SET current_stage = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4 AND version = ?5",
        &[canonical.into(), now.into(), WORKSPACE.into(), name.into(), number.into()],
    )?;
    registered_models::touch(connection, name, now)?;
    get(connection, name, version)
}

/// Takes a version away: its row stays, emptied, so that its number is not used again.
pub(crate) fn delete(connection: &mut dyn Connection, name: &str, version: &str) -> Result<()> {
    let number = find(connection, name, version)?.number;
    let now = now_millis();
    connection.execute(
        "DELETE FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 AND version = ?3",
        &[WORKSPACE.into(), name.into(), number.into()],
    )?;
    connection.execute(
        "UPDATE model_versions SET current_stage = 'Deleted_Internal', last_updated_time = ?1, \
         description = NULL, user_id = NULL, source = 'REDACTED-SOURCE-PATH', \
         run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK', status_message = NULL \
         WHERE workspace = ?2 AND name = ?3 AND version = ?4",
        &[now.into(), WORKSPACE.into(), name.into(), number.into()],
    )?;
    registered_models::touch(connection, name, now)
}

/// Sets or replaces a tag.
pub(crate) fn set_tag(
    connection: &mut dyn Connection,
    name: &str,
    version: &str,
    tag: &Tag,
) -> Result<()> {
    validate::model_name(name)?;
    validate::registry_tag(tag)?;
    let number = find(connection, name, version)?.number;
    upsert_tag(connection, name, number, tag)
}

/// Removes a tag; removing nothing is no error.
pub(crate) fn delete_tag(
    connection: &mut dyn Connection,
    name: &str,
    version: &str,
    key: &str,
) -> Result<()> {
    validate::tag_key(key)?;
    let number = find(connection, name, version)?.number;
    connection.execute(
        "DELETE FROM model_version_tags \
         WHERE workspace = ?1 AND name = ?2 AND version = ?3 AND \"key\" = ?4",
        &[WORKSPACE.into(), name.into(), number.into(), key.into()],
    )?;
    Ok(())
}

/// Where the version's files are.
pub(crate) fn download_uri(
    connection: &mut dyn Connection,
    name: &str,
    version: &str,
) -> Result<String> {
    let found = find(connection, name, version)?;
    let location = found.storage_location.filter(|location| !location.is_empty());
    Ok(location.unwrap_or(found.version.source))
}
