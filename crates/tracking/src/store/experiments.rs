//! Experiments and their tags.

use trainyard_mlflow::entities::{Experiment, LifecycleStage, Tag};
use trainyard_mlflow::{Error, ErrorCode};

use super::database::{Connection, Row, Value};
use super::schema::WORKSPACE;
use super::{chunks, creation_millis, join_uri, lifecycle, now_millis, placeholders, validate};
use crate::error::Result;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "e.experiment_id, e.name, e.artifact_location, \
     e.lifecycle_stage, e.last_update_time, e.creation_time";

/// An experiment without its tags.
pub(crate) fn read(row: &dyn Row) -> Result<Experiment> {
    Ok(Experiment {
        experiment_id: row.need_int(0)?.to_string(),
        name: row.text_or_empty(1)?,
        artifact_location: row.text_or_empty(2)?,
        lifecycle_stage: lifecycle(row.text(3)?),
        last_update_time: row.int(4)?,
        creation_time: row.int(5)?,
        tags: Vec::new(),
    })
}

/// Adds their tags to experiments.
pub(crate) fn fill_tags(
    connection: &mut dyn Connection,
    experiments: &mut [Experiment],
) -> Result<()> {
    let order = connection.dialect().insertion_order("t");
    for chunk in chunks(experiments) {
        let sql = format!(
            "SELECT t.experiment_id, t.\"key\", t.value FROM experiment_tags t \
             WHERE t.experiment_id IN ({}) ORDER BY {order}",
            placeholders(1, chunk.padded)
        );
        let mut ids = Vec::with_capacity(chunk.padded);
        for experiment in chunk.items.iter() {
            ids.push(Value::Int(validate::experiment_id(&experiment.experiment_id)?));
        }
        chunk.pad(&mut ids);
        connection.query(&sql, &ids, &mut |row| {
            let id = row.need_int(0)?.to_string();
            let tag = Tag::new(row.need_text(1)?, row.text_or_empty(2)?);
            // A page of experiments is short, and tags on them are few.
            if let Some(owner) = chunk.items.iter_mut().find(|owner| owner.experiment_id == id) {
                owner.tags.push(tag);
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn not_found(id: i64) -> crate::Error {
    Error::not_found(format!("No Experiment with id={id} exists")).into()
}

fn find(connection: &mut dyn Connection, id: i64) -> Result<Experiment> {
    let sql = format!("SELECT {COLUMNS} FROM experiments e WHERE e.experiment_id = ?1");
    connection.first(&sql, &[id.into()], read)?.ok_or_else(|| not_found(id))
}

/// An experiment with its tags, deleted or not.
pub(crate) fn get(connection: &mut dyn Connection, id: &str) -> Result<Experiment> {
    let mut experiment = [find(connection, validate::experiment_id(id)?)?];
    fill_tags(connection, &mut experiment)?;
    let [experiment] = experiment;
    Ok(experiment)
}

/// The experiment of that name with its tags, deleted or not.
pub(crate) fn get_by_name(connection: &mut dyn Connection, name: &str) -> Result<Experiment> {
    let sql = format!("SELECT {COLUMNS} FROM experiments e WHERE e.workspace = ?1 AND e.name = ?2");
    let found = connection.first(&sql, &[WORKSPACE.into(), name.into()], read)?;
    let Some(experiment) = found else {
        return Err(
            Error::not_found(format!("Could not find experiment with name '{name}'")).into()
        );
    };
    let mut experiment = [experiment];
    fill_tags(connection, &mut experiment)?;
    let [experiment] = experiment;
    Ok(experiment)
}

/// An experiment in which something is to be made.
pub(crate) fn get_active(connection: &mut dyn Connection, id: &str) -> Result<Experiment> {
    let experiment = find(connection, validate::experiment_id(id)?)?;
    check_active(&experiment)?;
    Ok(experiment)
}

fn check_active(experiment: &Experiment) -> Result<()> {
    if experiment.lifecycle_stage == LifecycleStage::Active {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "The experiment {} must be in the 'active' state. Current state is deleted.",
        experiment.experiment_id
    ))
    .into())
}

/// Makes an experiment and returns its id.
pub(crate) fn create(
    connection: &mut dyn Connection,
    name: &str,
    artifact_location: Option<&str>,
    tags: &[Tag],
    artifact_root: &str,
) -> Result<String> {
    let now = creation_millis();
    let inserted = connection.first(
        "INSERT INTO experiments (name, workspace, artifact_location, lifecycle_stage, \
         creation_time, last_update_time) VALUES (?1, ?2, ?3, 'active', ?4, ?4) \
         RETURNING experiment_id",
        &[name.into(), WORKSPACE.into(), artifact_location.into(), now.into()],
        |row| row.need_int(0),
    );
    let id = match inserted {
        Ok(Some(id)) => id,
        Ok(None) => return Err(crate::Error::database("no id for a new experiment")),
        Err(error) if error.is_unique() => return Err(exists(name)),
        Err(error) => return Err(error),
    };
    if artifact_location.is_none() {
        let location = join_uri(artifact_root, &id.to_string());
        connection.execute(
            "UPDATE experiments SET artifact_location = ?1 WHERE experiment_id = ?2",
            &[location.into(), id.into()],
        )?;
    }
    for tag in tags {
        upsert_tag(connection, id, tag)?;
    }
    Ok(id.to_string())
}

fn exists(name: &str) -> crate::Error {
    Error::already_exists(format!("Experiment(name={name}) already exists.")).into()
}

fn upsert_tag(connection: &mut dyn Connection, id: i64, tag: &Tag) -> Result<()> {
    connection.execute(
        "INSERT INTO experiment_tags (\"key\", value, experiment_id) VALUES (?1, ?2, ?3) \
         ON CONFLICT (\"key\", experiment_id) DO UPDATE SET value = excluded.value",
        &[(&tag.key).into(), (&tag.value).into(), id.into()],
    )?;
    Ok(())
}

/// Gives an active experiment another name.
pub(crate) fn rename(connection: &mut dyn Connection, id: &str, name: &str) -> Result<()> {
    validate::experiment_name(name)?;
    let id = validate::experiment_id(id)?;
    let experiment = find(connection, id)?;
    if experiment.lifecycle_stage != LifecycleStage::Active {
        // Upstream answers 500 here, which clients repeat for minutes.
        return Err(Error::invalid("Cannot rename a non-active experiment.").into());
    }
    let renamed = connection.execute(
        "UPDATE experiments SET name = ?1, last_update_time = ?2 WHERE experiment_id = ?3",
        &[name.into(), now_millis().into(), id.into()],
    );
    match renamed {
        Ok(_rows) => Ok(()),
        // The code is upstream's for a name that another experiment has.
        Err(error) if error.is_unique() => Err(Error::api(
            ErrorCode::BadRequest,
            format!("Experiment(name={name}) already exists."),
        )
        .into()),
        Err(error) => Err(error),
    }
}

/// Marks an experiment and all its runs as deleted.
pub(crate) fn delete(connection: &mut dyn Connection, id: &str) -> Result<()> {
    let now = now_millis();
    let id = move_to(connection, id, LifecycleStage::Active, "deleted", now)?;
    connection.execute(
        "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ?1 WHERE experiment_id = ?2",
        &[now.into(), id.into()],
    )?;
    Ok(())
}

/// Brings an experiment and all its runs back.
pub(crate) fn restore(connection: &mut dyn Connection, id: &str) -> Result<()> {
    let id = move_to(connection, id, LifecycleStage::Deleted, "active", now_millis())?;
    connection.execute(
        "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE experiment_id = ?1",
        &[id.into()],
    )?;
    Ok(())
}

fn move_to(
    connection: &mut dyn Connection,
    id: &str,
    from: LifecycleStage,
    to: &str,
    now: i64,
) -> Result<i64> {
    let id = validate::experiment_id(id)?;
    if find(connection, id)?.lifecycle_stage != from {
        return Err(not_found(id));
    }
    connection.execute(
        "UPDATE experiments SET lifecycle_stage = ?1, last_update_time = ?2 \
         WHERE experiment_id = ?3",
        &[to.into(), now.into(), id.into()],
    )?;
    Ok(id)
}

/// Sets or replaces a tag.
pub(crate) fn set_tag(connection: &mut dyn Connection, id: &str, tag: &Tag) -> Result<()> {
    validate::experiment_tag(tag)?;
    let id = validate::experiment_id(id)?;
    check_active(&find(connection, id)?)?;
    upsert_tag(connection, id, tag)
}

/// Removes a tag.
pub(crate) fn delete_tag(connection: &mut dyn Connection, id: &str, key: &str) -> Result<()> {
    let number = validate::experiment_id(id)?;
    check_active(&find(connection, number)?)?;
    let removed = connection.execute(
        "DELETE FROM experiment_tags WHERE experiment_id = ?1 AND \"key\" = ?2",
        &[number.into(), key.into()],
    )?;
    if removed == 0 {
        return Err(Error::not_found(format!(
            "No tag with name: {key} in experiment with id {id}"
        ))
        .into());
    }
    Ok(())
}
