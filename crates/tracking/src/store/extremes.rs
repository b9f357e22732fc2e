//! Extremes of metrics' histories, and their values at a step, of several runs.
//!
//! No table has the extremes: they would cost every value that is logged. So histories are gone through, from their newest
//! step on and no further than was asked for.

use trainyard_mlflow::{Extremes, FindExtremes, SeenExtremes, StepValue};

use super::database::{Connection, HISTORIES, Row};
use super::metrics::value;
use crate::error::Result;

/// Values of one step that are looked through for the newest: a metric that is logged without steps has all at 0.
const OF_A_STEP_MAX: i64 = 1_000;

/// The extremes of a metric, run by run.
pub(crate) fn of_runs(
    connection: &mut dyn Connection,
    asked: &FindExtremes,
) -> Result<Vec<Option<Extremes>>> {
    let table = connection.dialect().indexed_by("metrics m", HISTORIES);
    let sql = format!(
        "SELECT m.step, m.value, m.is_nan FROM {table} \
         WHERE m.run_uuid = ?1 AND m.\"key\" = ?2 ORDER BY m.step DESC LIMIT ?3"
    );
    let mut left = asked.values_max;
    let mut found = Vec::with_capacity(asked.run_ids.len());
    for (position, run_id) in asked.run_ids.iter().enumerate() {
        let share = (left / (asked.run_ids.len() - position)).max(1);
        // One more tells whether there is more.
        let limit = i64::try_from(share).unwrap_or(i64::MAX).saturating_add(1);
        let (mut seen, mut count) = (SeenExtremes::default(), 0);
        connection.query(
            &sql,
            &[run_id.into(), (&asked.key).into(), limit.into()],
            &mut |row| {
                count += 1;
                if count <= share {
                    seen.see(step_value(row)?);
                }
                Ok(())
            },
        )?;
        left = left.saturating_sub(count);
        found.push(seen.extremes(count <= share));
    }
    Ok(found)
}

/// A metric of each run as it stood at a step.
pub(crate) fn at(
    connection: &mut dyn Connection,
    key: &str,
    at: &[(String, i64)],
) -> Result<Vec<Option<StepValue>>> {
    let table = connection.dialect().indexed_by("metrics m", HISTORIES);
    let sql = format!(
        "SELECT x.step, x.value, x.is_nan FROM (SELECT m.step, m.value, m.is_nan, m.timestamp FROM {table} \
         WHERE m.run_uuid = ?1 AND m.\"key\" = ?2 AND m.step <= ?3 ORDER BY m.step DESC LIMIT ?4) x \
         ORDER BY x.step DESC, x.timestamp DESC, x.value DESC LIMIT 1"
    );
    let one = |(run_id, step): &(String, i64)| {
        connection.first(
            &sql,
            &[run_id.into(), key.into(), (*step).into(), OF_A_STEP_MAX.into()],
            step_value,
        )
    };
    at.iter().map(one).collect()
}

fn step_value(row: &dyn Row) -> Result<StepValue> {
    Ok(StepValue { step: row.need_int(0)?, value: value(row, 1, 2)? })
}
