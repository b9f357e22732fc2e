//! Runs as they lie in their table, without what was logged to them.

use std::collections::HashMap;

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{LifecycleStage, Run, RunInfo, RunStatus};

use super::database::{Connection, Row};
use super::experiment_rows::lifecycle;
use super::placeholders::Chunk;
use crate::error::Result;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "r.run_uuid, r.name, r.user_id, r.status, r.start_time, \
     r.end_time, r.lifecycle_stage, r.artifact_uri, r.experiment_id";

/// A run without its data.
pub(crate) fn read(row: &dyn Row) -> Result<Run> {
    let run_id = row.need_text(0)?;
    let info = RunInfo {
        run_uuid: run_id.clone(),
        run_id,
        run_name: row.text_or_empty(1)?,
        user_id: row.text_or_empty(2)?,
        status: read_status(row.text(3)?),
        start_time: row.int(4)?,
        end_time: row.int(5)?,
        lifecycle_stage: lifecycle(row.text(6)?),
        artifact_uri: row.text_or_empty(7)?,
        experiment_id: row.int(8)?.unwrap_or_default().to_string(),
    };
    Ok(Run { info, ..Run::default() })
}

fn read_status(text: Option<&str>) -> RunStatus {
    match text {
        Some("SCHEDULED") => RunStatus::Scheduled,
        Some("FINISHED") => RunStatus::Finished,
        Some("FAILED") => RunStatus::Failed,
        Some("KILLED") => RunStatus::Killed,
        // The table allows nothing else.
        _ => RunStatus::Running,
    }
}

/// The text that the table holds for a status.
pub(crate) fn status_text(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "RUNNING",
        RunStatus::Scheduled => "SCHEDULED",
        RunStatus::Finished => "FINISHED",
        RunStatus::Failed => "FAILED",
        RunStatus::Killed => "KILLED",
    }
}

/// A run's info, deleted or not.
pub(crate) fn find(connection: &mut dyn Connection, run_id: &str) -> Result<Run> {
    let sql = format!("SELECT {COLUMNS} FROM runs r WHERE r.run_uuid = ?1");
    connection
        .first(&sql, &[run_id.into()], read)?
        .ok_or_else(|| Error::not_found(format!("Run with id={run_id} not found")).into())
}

/// A run to which something is logged.
pub(crate) fn find_active(connection: &mut dyn Connection, run_id: &str) -> Result<Run> {
    let run = find(connection, run_id)?;
    if run.info.lifecycle_stage == LifecycleStage::Active {
        return Ok(run);
    }
    Err(Error::invalid(format!(
        "The run {run_id} must be in the 'active' state. Current state is deleted."
    ))
    .into())
}

/// The run that a row with the run's id in column 0 belongs to.
pub(crate) fn owner<'a>(
    chunk: &'a mut Chunk<'_, Run>,
    places: &HashMap<String, usize>,
    row: &dyn Row,
) -> Result<Option<&'a mut Run>> {
    let place = row.text(0)?.and_then(|id| places.get(id).copied());
    Ok(place.and_then(|place| chunk.items.get_mut(place)))
}
