//! Experiments as they lie in the tables.

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{Experiment, LifecycleStage, Tag};

use super::database::{Connection, Row, Value};
use super::placeholders::{chunks, placeholders};
use super::schema::WORKSPACE;
use super::validate;
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

/// The stage that a table holds as text.
pub(crate) fn lifecycle(text: Option<&str>) -> LifecycleStage {
    if text == Some("deleted") { LifecycleStage::Deleted } else { LifecycleStage::Active }
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

/// The answer for an experiment that is not there.
pub(crate) fn not_found(id: i64) -> crate::Error {
    Error::not_found(format!("No Experiment with id={id} exists")).into()
}

/// An experiment without its tags, deleted or not.
pub(crate) fn find(connection: &mut dyn Connection, id: i64) -> Result<Experiment> {
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

/// Refuses an experiment that is deleted.
pub(crate) fn check_active(experiment: &Experiment) -> Result<()> {
    if experiment.lifecycle_stage == LifecycleStage::Active {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "The experiment {} must be in the 'active' state. Current state is deleted.",
        experiment.experiment_id
    ))
    .into())
}
