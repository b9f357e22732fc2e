//! Registered models as they lie in the tables.

use std::collections::BTreeMap;

use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, RegisteredModelAlias, Tag};
use trainyard_mlflow::{AliasId, Error};

use super::database::{Connection, List, Row, Value};
use super::schema::WORKSPACE;
use super::{model_version_rows, validate};
use crate::error::Result;
use crate::search::registered_models::IS_PROMPT;

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

/// The tags of those of these models that there are, in one statement.
pub(crate) fn tags_of(
    connection: &mut dyn Connection,
    names: &[String],
) -> Result<BTreeMap<String, Vec<Tag>>> {
    let dialect = connection.dialect();
    let sql = format!(
        "SELECT m.name, t.\"key\", t.value FROM registered_models m LEFT JOIN registered_model_tags t \
         ON t.workspace = m.workspace AND t.name = m.name \
         WHERE m.workspace = ?1 AND m.name IN {} ORDER BY m.name, {}",
        dialect.list("?2"),
        dialect.insertion_order("t")
    );
    let mut tags: BTreeMap<String, Vec<Tag>> = BTreeMap::new();
    let values = [WORKSPACE.into(), Value::List(List::Texts(names.to_vec()))];
    connection.query(&sql, &values, &mut |row| {
        let of = tags.entry(row.need_text(0)?).or_default();
        if let Some(key) = row.optional_text(1)? {
            of.push(Tag::new(key, row.text_or_empty(2)?));
        }
        Ok(())
    })?;
    Ok(tags)
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
pub(crate) fn latest_versions(
    connection: &mut dyn Connection,
    name: &str,
) -> Result<Vec<ModelVersion>> {
    let sql = format!(
        "SELECT {} FROM model_versions v WHERE v.workspace = ?1 AND v.name = ?2 \
         AND v.current_stage <> 'Deleted_Internal' AND v.version IN (\
         SELECT max(w.version) FROM model_versions w WHERE w.workspace = ?1 AND w.name = ?2 \
         GROUP BY w.current_stage) ORDER BY v.version",
        model_version_rows::COLUMNS
    );
    let mut versions =
        connection.rows(&sql, &[WORKSPACE.into(), name.into()], model_version_rows::read)?;
    for version in &mut versions {
        model_version_rows::fill_tags(connection, version)?;
    }
    Ok(versions)
}

/// The version that an alias points at; `latest` is the highest version.
pub(crate) fn get_by_alias(
    connection: &mut dyn Connection,
    AliasId { name, alias }: AliasId<'_>,
) -> Result<ModelVersion> {
    validate::model_name(name)?;
    validate::alias(alias)?;
    let by_alias = format!(
        "SELECT {} FROM registered_model_aliases a JOIN model_versions v \
         ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version \
         WHERE a.workspace = ?1 AND a.name = ?2 AND a.alias = ?3 \
         AND v.current_stage <> 'Deleted_Internal'",
        model_version_rows::COLUMNS
    );
    let parameters = [WORKSPACE.into(), name.into(), alias.into()];
    let mut found = if alias.to_lowercase() == "latest" {
        let sql = format!(
            "SELECT {} FROM model_versions v WHERE v.workspace = ?1 AND v.name = ?2 \
             AND v.current_stage <> 'Deleted_Internal' ORDER BY v.version DESC LIMIT 1",
            model_version_rows::COLUMNS
        );
        connection.first(&sql, &parameters[..2], model_version_rows::read)?
    } else {
        connection.first(&by_alias, &parameters, model_version_rows::read)?
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
    model_version_rows::fill_tags(connection, version)?;
    model_version_rows::fill_aliases(connection, version)?;
    Ok(found.unwrap_or_default())
}

/// Whether a model is a prompt.
pub(crate) fn is_prompt(connection: &mut dyn Connection, name: &str) -> Result<bool> {
    let value = connection.first(
        "SELECT value FROM registered_model_tags WHERE workspace = ?1 AND name = ?2 AND \"key\" = ?3",
        &[WORKSPACE.into(), name.into(), IS_PROMPT.into()],
        |row| row.text_or_empty(0),
    )?;
    Ok(value.is_some_and(|value| value.eq_ignore_ascii_case("true")))
}

/// Notes that something of the model has changed.
pub(crate) fn touch(connection: &mut dyn Connection, name: &str, now: i64) -> Result<()> {
    connection.execute(
        "UPDATE registered_models SET last_updated_time = ?1 WHERE workspace = ?2 AND name = ?3",
        &[now.into(), WORKSPACE.into(), name.into()],
    )?;
    Ok(())
}
