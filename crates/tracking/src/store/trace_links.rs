//! Traces linked to runs and prompts, and traces that are removed.

use trainyard_mlflow::{DeleteTraces, Error};

use super::clock::now_millis;
use super::database::Connection;
use super::names::new_id;
use super::{trace_rows, validate};
use crate::error::{Result, invalid};
use crate::search::Sql;

/// Most traces that one request links.
const LINKS_MAX: usize = 100;
/// Most prompts that one request links.
const PROMPTS_MAX: usize = 100;
/// Most traces that are removed in one change, with all their spans: others wait for it.
pub(crate) const DELETED_MAX: i64 = 1_000;

/// What says nothing, or two things at once, about which traces are to go.
pub(crate) fn check(delete: &DeleteTraces) -> Result<()> {
    let (time, names_some) = (delete.max_timestamp_millis, !delete.trace_ids.is_empty());
    if time.is_none() && !names_some {
        return invalid!("Either `max_timestamp_millis` or `trace_ids` must be specified.");
    }
    if time.is_some() && names_some {
        return invalid!("Only one of `max_timestamp_millis` and `trace_ids` can be specified.");
    }
    if delete.max_traces.is_some() && names_some {
        return invalid!("`max_traces` can't be specified if `trace_ids` is specified.");
    }
    if let Some(count) = delete.max_traces.filter(|count| *count <= 0) {
        return invalid!("`max_traces` must be a positive integer, received {count}.");
    }
    Ok(())
}

/// Links traces to a run; what is linked already stays so.
pub(crate) fn to_run(
    connection: &mut dyn Connection,
    trace_ids: &[String],
    run_id: &str,
) -> Result<()> {
    if trace_ids.len() > LINKS_MAX {
        return Err(Error::invalid(format!(
            "Cannot link more than {LINKS_MAX} traces to a run in a single request. Provided {} \
             traces.",
            trace_ids.len()
        ))
        .into());
    }
    trace_ids.iter().try_for_each(|trace_id| link(connection, ("trace", trace_id), ("run", run_id)))
}

/// Links prompt versions (`name/version`) to a trace.
pub(crate) fn prompts(
    connection: &mut dyn Connection,
    trace_id: &str,
    prompts: &[String],
) -> Result<()> {
    if prompts.len() > PROMPTS_MAX {
        return Err(Error::invalid(format!(
            "at most {PROMPTS_MAX} prompts can be linked at once, got {}",
            prompts.len()
        ))
        .into());
    }
    trace_rows::lock(connection, trace_id)?;
    let mut prompts = prompts.iter();
    prompts.try_for_each(|prompt| link(connection, ("trace", trace_id), ("prompt_version", prompt)))
}

/// Links one thing to another.
pub(crate) fn link(
    connection: &mut dyn Connection,
    (source_type, source): (&str, &str),
    (destination_type, destination): (&str, &str),
) -> Result<()> {
    connection.execute(
        "INSERT INTO entity_associations (association_id, source_type, source_id, \
         destination_type, destination_id, created_time) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT DO NOTHING",
        &[
            new_id().into(),
            source_type.into(),
            source.into(),
            destination_type.into(),
            destination.into(),
            now_millis().into(),
        ],
    )?;
    Ok(())
}

/// Removes at most so many traces with all that is theirs, the oldest first, and says how many.
pub(crate) fn delete(
    connection: &mut dyn Connection,
    delete: &DeleteTraces,
    most: i64,
) -> Result<i64> {
    let mut sql = Sql::new(connection.dialect());
    sql.push("SELECT t.request_id FROM trace_info t WHERE t.experiment_id = ");
    sql.push_value(validate::experiment_id(&delete.experiment_id)?);
    if let Some(time) = delete.max_timestamp_millis {
        sql.push(" AND t.timestamp_ms <= ").push_value(time);
    }
    if !delete.trace_ids.is_empty() {
        sql.push(" AND t.request_id IN ").push_list(delete.trace_ids.iter().cloned());
    }
    sql.push(" ORDER BY t.timestamp_ms, t.request_id LIMIT ").push_value(most);
    let ids = connection.rows(&sql.text, &sql.values, |row| row.need_text(0))?;
    for id in &ids {
        // Spans, tags, metadata and assessments go with it.
        connection.execute("DELETE FROM trace_info WHERE request_id = ?1", &[id.into()])?;
        connection.execute(
            "DELETE FROM entity_associations WHERE source_type = 'trace' AND source_id = ?1",
            &[id.into()],
        )?;
        connection.execute(
            "DELETE FROM review_queue_items WHERE UPPER(item_type) = 'TRACE' AND item_id = ?1",
            &[id.into()],
        )?;
    }
    Ok(ids.len() as i64)
}
