//! Registered models, their tags and aliases.

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, RegisteredModelAlias, Tag};

use super::database::{Connection, Row, Value};
use super::schema::WORKSPACE;
use super::{creation_millis, model_versions, now_millis, validate};
use crate::error::Result;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "m.name, m.creation_time, m.last_updated_time, m.description";

/// A registered model without tags, aliases and versions.
pub(crate) fn read(row: &dyn Row) -> Result<RegisteredModel> {
    Ok(RegisteredModel {
        name: row.need_text(0)?,
        creation_timestamp: row.int(1)?.unwrap_or_default(),
        last_updated_timestamp: row.int(2)?.unwrap_or_default(),
        description: row.optional_text(3)?,
        ..RegisteredModel::default()
    })
}

/// The model's row.
pub(crate) fn find(connection: &mut dyn Connection, name: &str) -> Result<RegisteredModel> {
    validate::model_name(name)?;
    let sql =
        format!("SELECT {COLUMNS} FROM registered_models m WHERE m.workspace = ?1 AND m.name = ?2");
    connection.first(&sql, &[WORKSPACE.into(), name.into()], read)?.ok_or_else(|| {
        Error::not_found(format!("Registered Model with name={name} not found")).into()
    })
}

/// A registered model with tags, aliases and the newest version of each stage.
pub(crate) fn get(connection: &mut dyn Connection, name: &str) -> Result<RegisteredModel> {
    let mut model = find(connection, name)?;
    fill(connection, &mut model)?;
    Ok(model)
}

/// Adds tags, aliases and the newest version of each stage.
pub(crate) fn fill(connection: &mut dyn Connection, model: &mut RegisteredModel) -> Result<()> {
    let order = connection.dialect().insertion_order("t");
    let key: [Value<'_>; 2] = [WORKSPACE.into(), model.name.clone().into()];
    let sql = format!(
        "SELECT t.\"key\", t.value FROM registered_model_tags t \
         WHERE t.workspace = ?1 AND t.name = ?2 ORDER BY {order}"
    );
    model.tags = connection
        .rows(&sql, &key, |row| Ok(Tag::new(row.need_text(0)?, row.text_or_empty(1)?)))?;
    model.aliases = connection.rows(
        "SELECT alias, version FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 ORDER BY alias",
        &key,
        |row| {
            Ok(RegisteredModelAlias {
                alias: row.need_text(0)?,
                version: row.need_int(1)?.to_string(),
            })
        },
    )?;
    model.latest_versions = latest_versions(connection, &model.name)?;
    Ok(())
}

/// The newest version of each stage, by version.
fn latest_versions(connection: &mut dyn Connection, name: &str) -> Result<Vec<ModelVersion>> {
    let sql = format!(
        "SELECT {} FROM model_versions v WHERE v.workspace = ?1 AND v.name = ?2 \
         AND v.current_stage <> 'Deleted_Internal' AND v.version IN (\
         SELECT max(w.version) FROM model_versions w WHERE w.workspace = ?1 AND w.name = ?2 \
         GROUP BY w.current_stage) ORDER BY v.version",
        model_versions::COLUMNS
    );
    let mut versions =
        connection.rows(&sql, &[WORKSPACE.into(), name.into()], model_versions::read)?;
    for version in &mut versions {
        model_versions::fill_tags(connection, version)?;
    }
    Ok(versions)
}

/// The newest version of each of the stages; of all stages if none are named.
pub(crate) fn get_latest_versions(
    connection: &mut dyn Connection,
    name: &str,
    stages: &[String],
) -> Result<Vec<ModelVersion>> {
    find(connection, name)?;
    let mut wanted = Vec::with_capacity(stages.len());
    for stage in stages {
        wanted.push(validate::stage(stage)?);
    }
    let mut versions = latest_versions(connection, name)?;
    versions
        .retain(|version| wanted.is_empty() || wanted.contains(&version.current_stage.as_str()));
    for version in &mut versions {
        model_versions::fill_aliases(connection, version)?;
    }
    Ok(versions)
}

/// Makes a registered model.
pub(crate) fn create(
    connection: &mut dyn Connection,
    name: &str,
    tags: &[Tag],
    description: Option<&str>,
) -> Result<RegisteredModel> {
    validate::model_name(name)?;
    for tag in tags {
        validate::registry_tag(tag)?;
    }
    let now = creation_millis();
    let inserted = connection.execute(
        "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time, \
         description) VALUES (?1, ?2, ?3, ?3, ?4)",
        &[WORKSPACE.into(), name.into(), now.into(), description.into()],
    );
    match inserted {
        Ok(_rows) => {}
        Err(error) if error.is_unique() => return Err(exists(name)),
        Err(error) => return Err(error),
    }
    for tag in tags {
        upsert_tag(connection, name, tag)?;
    }
    get(connection, name)
}

fn exists(name: &str) -> crate::Error {
    Error::already_exists(format!("Registered Model (name={name}) already exists.")).into()
}

/// Gives a registered model another name; versions, tags and aliases move with it.
pub(crate) fn rename(
    connection: &mut dyn Connection,
    name: &str,
    new_name: &str,
) -> Result<RegisteredModel> {
    validate::new_model_name(new_name)?;
    find(connection, name)?;
    let now = now_millis();
    let renamed = connection.execute(
        "UPDATE registered_models SET name = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4",
        &[new_name.into(), now.into(), WORKSPACE.into(), name.into()],
    );
    match renamed {
        Ok(_rows) => {}
        Err(error) if error.is_unique() => return Err(exists(new_name)),
        Err(error) => return Err(error),
    }
    connection.execute(
        "UPDATE model_versions SET last_updated_time = ?1 WHERE workspace = ?2 AND name = ?3",
        &[now.into(), WORKSPACE.into(), new_name.into()],
    )?;
    get(connection, new_name)
}

/// Replaces the description.
pub(crate) fn update(
    connection: &mut dyn Connection,
    name: &str,
    description: Option<&str>,
) -> Result<RegisteredModel> {
    find(connection, name)?;
    connection.execute(
        "UPDATE registered_models SET description = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4",
        &[description.into(), now_millis().into(), WORKSPACE.into(), name.into()],
    )?;
    get(connection, name)
}

/// Notes that something of the model has changed.
pub(crate) fn touch(connection: &mut dyn Connection, name: &str, now: i64) -> Result<()> {
    connection.execute(
        "UPDATE registered_models SET last_updated_time = ?1 WHERE workspace = ?2 AND name = ?3",
        &[now.into(), WORKSPACE.into(), name.into()],
    )?;
    Ok(())
}

/// Removes a registered model with its versions, tags and aliases, for good.
pub(crate) fn delete(connection: &mut dyn Connection, name: &str) -> Result<()> {
    find(connection, name)?;
    for table in [
        "registered_model_aliases",
        "model_version_tags",
        "model_versions",
        "registered_model_tags",
        "registered_models",
    ] {
        connection.execute(
            &format!("DELETE FROM {table} WHERE workspace = ?1 AND name = ?2"),
            &[WORKSPACE.into(), name.into()],
        )?;
    }
    Ok(())
}

fn upsert_tag(connection: &mut dyn Connection, name: &str, tag: &Tag) -> Result<()> {
    connection.execute(
        "INSERT INTO registered_model_tags (workspace, name, \"key\", value) \
         VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (workspace, \"key\", name) DO UPDATE SET value = excluded.value",
        &[WORKSPACE.into(), name.into(), (&tag.key).into(), (&tag.value).into()],
    )?;
    Ok(())
}

/// Sets or replaces a tag.
pub(crate) fn set_tag(connection: &mut dyn Connection, name: &str, tag: &Tag) -> Result<()> {
    validate::model_name(name)?;
    validate::registry_tag(tag)?;
    find(connection, name)?;
    upsert_tag(connection, name, tag)
}

/// Removes a tag; removing nothing is no error.
pub(crate) fn delete_tag(connection: &mut dyn Connection, name: &str, key: &str) -> Result<()> {
    validate::tag_key(key)?;
    find(connection, name)?;
    connection.execute(
        "DELETE FROM registered_model_tags WHERE workspace = ?1 AND name = ?2 AND \"key\" = ?3",
        &[WORKSPACE.into(), name.into(), key.into()],
    )?;
    Ok(())
}

/// Points an alias at a version, wherever it pointed before.
pub(crate) fn set_alias(
    connection: &mut dyn Connection,
    name: &str,
    alias: &str,
    version: &str,
) -> Result<()> {
    validate::model_name(name)?;
    validate::new_alias(alias)?;
    let number = model_versions::find(connection, name, version)?.number;
    connection.execute(
        "INSERT INTO registered_model_aliases (workspace, name, alias, version) \
         VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
        &[WORKSPACE.into(), name.into(), alias.into(), number.into()],
    )?;
    Ok(())
}

/// Removes an alias; removing nothing is no error.
pub(crate) fn delete_alias(connection: &mut dyn Connection, name: &str, alias: &str) -> Result<()> {
    validate::alias(alias)?;
    find(connection, name)?;
    connection.execute(
        "DELETE FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 AND alias = ?3",
        &[WORKSPACE.into(), name.into(), alias.into()],
    )?;
    Ok(())
}

/// The version that an alias points at; `latest` is the highest version.
pub(crate) fn get_by_alias(
    connection: &mut dyn Connection,
    name: &str,
    alias: &str,
) -> Result<ModelVersion> {
    validate::model_name(name)?;
    validate::alias(alias)?;
    let by_alias = format!(
        "SELECT {} FROM registered_model_aliases a JOIN model_versions v \
         ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version \
         WHERE a.workspace = ?1 AND a.name = ?2 AND a.alias = ?3 \
         AND v.current_stage <> 'Deleted_Internal'",
        model_versions::COLUMNS
    );
    let parameters = [WORKSPACE.into(), name.into(), alias.into()];
    let mut found = if alias.to_lowercase() == "latest" {
        let sql = format!(
            "SELECT {} FROM model_versions v WHERE v.workspace = ?1 AND v.name = ?2 \
             AND v.current_stage <> 'Deleted_Internal' ORDER BY v.version DESC LIMIT 1",
            model_versions::COLUMNS
        );
        connection.first(&sql, &parameters[..2], model_versions::read)?
    } else {
        connection.first(&by_alias, &parameters, model_versions::read)?
    };
    let Some(version) = found.as_mut() else {
        find(connection, name)?;
        if alias.to_lowercase() == "latest" {
            let message = format!("Latest version not found for model {name}.");
            return Err(Error::not_found(message).into());
        }
        // Upstream's code for it, too.
        return Err(Error::invalid(format!("Registered model alias {alias} not found.")).into());
    };
    model_versions::fill_tags(connection, version)?;
    model_versions::fill_aliases(connection, version)?;
    Ok(found.unwrap_or_default())
}
