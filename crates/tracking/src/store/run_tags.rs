//! Tags of runs, one of which is the run's name.

use std::collections::HashMap;

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::Tag;

use super::audit::Auditor;
use super::database::{Connection, Value};
use super::placeholders::{row_groups, row_placeholders};
use super::run_rows::find_active;
use super::validate::{self, LongValues};
use crate::error::Result;
use crate::search::runs_sql::RUN_NAME;

/// Sets or replaces tags, of which no two have one key: a statement writes a row once.
pub(crate) fn upsert(connection: &mut dyn Connection, run_id: &str, tags: &[Tag]) -> Result<()> {
    for group in row_groups(tags) {
        let tags = group.iter().flat_map(|tag| [Value::from(&tag.key), (&tag.value).into()]);
        let values: Vec<Value<'_>> = std::iter::once(run_id.into()).chain(tags).collect();
        let rows = row_placeholders(group.len(), 2);
        let sql = format!(
            "INSERT INTO tags (\"key\", value, run_uuid) VALUES {rows} \
             ON CONFLICT (\"key\", run_uuid) DO UPDATE SET value = excluded.value"
        );
        connection.execute(&sql, &values)?;
    }
    Ok(())
}

/// Gives a run another name.
pub(crate) fn set_name(connection: &mut dyn Connection, run_id: &str, name: &str) -> Result<()> {
    connection
        .execute("UPDATE runs SET name = ?1 WHERE run_uuid = ?2", &[name.into(), run_id.into()])?;
    upsert(connection, run_id, &[Tag::new(RUN_NAME, name)])
}

/// The value of a tag, where it is to be written down.
pub(crate) fn before(
    connection: &mut dyn Connection,
    audit: &Auditor,
    run_id: &str,
    key: &str,
) -> Result<Option<String>> {
    if !audit.notes_runs() {
        return Ok(None);
    }
    let sql = "SELECT value FROM tags WHERE run_uuid = ?1 AND \"key\" = ?2";
    connection.first(sql, &[run_id.into(), key.into()], |row| row.text_or_empty(0))
}

/// Sets or replaces a tag; the tag `mlflow.runName` renames the run.
pub(crate) fn set(
    connection: &mut dyn Connection,
    run_id: &str,
    mut tag: Tag,
    long_values: LongValues,
) -> Result<()> {
    validate::run_tag(&mut tag, "", long_values)?;
    find_active(connection, run_id)?;
    put(connection, run_id, &tag)
}

fn put(connection: &mut dyn Connection, run_id: &str, tag: &Tag) -> Result<()> {
    if tag.key == RUN_NAME && !tag.value.is_empty() {
        set_name(connection, run_id, &tag.value)
    } else if tag.key == RUN_NAME {
        // Upstream ignores an empty name.
        Ok(())
    } else {
        upsert(connection, run_id, std::slice::from_ref(tag))
    }
}

/// The same as [`put`] for each, in few statements.
pub(crate) fn put_all(connection: &mut dyn Connection, run_id: &str, tags: &[Tag]) -> Result<()> {
    let (names, plain): (Vec<Tag>, Vec<Tag>) =
        tags.iter().cloned().partition(|tag| tag.key == RUN_NAME);
    for name in &names {
        put(connection, run_id, name)?;
    }
    upsert(connection, run_id, &unique(plain))
}

/// A key that is given twice keeps its last value and its first place.
pub(crate) fn unique(tags: Vec<Tag>) -> Vec<Tag> {
    let mut unique: Vec<Tag> = Vec::with_capacity(tags.len());
    // A request may have a hundred thousand, and others wait for it.
    let mut places: HashMap<String, usize> = HashMap::with_capacity(tags.len());
    for tag in tags {
        let place = places.get(&tag.key).copied();
        if let Some(known) = place.and_then(|place| unique.get_mut(place)) {
            known.value = tag.value;
        } else {
            places.insert(tag.key.clone(), unique.len());
            unique.push(tag);
        }
    }
    unique
}

/// Removes a tag.
pub(crate) fn delete(connection: &mut dyn Connection, run_id: &str, key: &str) -> Result<()> {
    find_active(connection, run_id)?;
    let removed = connection.execute(
        "DELETE FROM tags WHERE \"key\" = ?1 AND run_uuid = ?2",
        &[key.into(), run_id.into()],
    )?;
    if removed == 0 {
        return Err(
            Error::not_found(format!("No tag with name: {key} in run with id {run_id}")).into()
        );
    }
    Ok(())
}
