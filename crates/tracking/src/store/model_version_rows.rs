//! Versions of registered models as they lie in the tables.

use trainyard_mlflow::entities::{ModelVersion, ModelVersionStatus, Tag};
use trainyard_mlflow::{Error, VersionId};

use super::database::{Connection, Row};
use super::schema::WORKSPACE;
use super::validate;
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
pub(crate) fn find(connection: &mut dyn Connection, id: VersionId<'_>) -> Result<Found> {
    validate::model_name(id.name)?;
    let number = validate::model_version(id.version)?;
    let sql = format!(
        "SELECT {COLUMNS}, v.storage_location FROM model_versions v WHERE v.workspace = ?1 \
         AND v.name = ?2 AND v.version = ?3 AND v.current_stage <> 'Deleted_Internal'"
    );
    let found =
        connection.first(&sql, &[WORKSPACE.into(), id.name.into(), number.into()], |row| {
            Ok(Found { version: read(row)?, number, storage_location: row.optional_text(12)? })
        })?;
    found.ok_or_else(|| {
        Error::not_found(format!("Model Version (name={}, version={number}) not found", id.name))
            .into()
    })
}

/// A version with tags and aliases.
pub(crate) fn get(connection: &mut dyn Connection, id: VersionId<'_>) -> Result<ModelVersion> {
    let mut version = find(connection, id)?.version;
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

/// Where the version's files are.
pub(crate) fn download_uri(connection: &mut dyn Connection, id: VersionId<'_>) -> Result<String> {
    let found = find(connection, id)?;
    let location = found.storage_location.filter(|location| !location.is_empty());
    Ok(location.unwrap_or(found.version.source))
}
