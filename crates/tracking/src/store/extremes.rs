//! Extremes of metrics' histories, and their values at a step, of several runs.
//!
//! No table has the extremes: they would cost every value that is logged. So histories are gone through, from their newest
//! step on and no further than was asked for. PostgreSQL, to which each statement is a way there and back, does so for all
//! runs at once.

use trainyard_mlflow::{Extremes, FindExtremes, SeenExtremes, StepValue};

use super::database::{Connection, Dialect, HISTORIES, List, Row, Value};
use super::metrics::value;
use crate::error::Result;

/// Values of one step that are looked through for the newest: a metric that is logged without steps has all at 0.
const OF_A_STEP_MAX: i64 = 1_000;

/// The extremes of a metric, run by run.
pub(crate) fn of_runs(
    connection: &mut dyn Connection,
    asked: &FindExtremes,
) -> Result<Vec<Option<Extremes>>> {
    if connection.dialect() == Dialect::Postgres {
        return of_runs_at_once(connection, asked);
    }
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

/// The same in two statements at most: each run has its share, and what short histories leave of theirs is the long ones'.
fn of_runs_at_once(
    connection: &mut dyn Connection,
    asked: &FindExtremes,
) -> Result<Vec<Option<Extremes>>> {
    let runs = asked.run_ids.len().max(1);
    let share = (asked.values_max / runs).max(1);
    let all: Vec<usize> = (0..asked.run_ids.len()).collect();
    let mut found = vec![Seen::default(); asked.run_ids.len()];
    look(connection, asked, &all, share, &mut found)?;
    let long: Vec<usize> = all
        .into_iter()
        .filter(|place| found.get(*place).is_some_and(|seen| !seen.is_whole))
        .collect();
    let looked_at: usize = found.iter().map(|seen| seen.count.min(share)).sum();
    let left = asked.values_max.saturating_sub(looked_at) / long.len().max(1);
    if left > 0 && !long.is_empty() {
        look(connection, asked, &long, share + left, &mut found)?;
    }
    Ok(found.into_iter().map(Seen::extremes).collect())
}

/// What was seen of a history.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    count: usize,
    is_whole: bool,
    ends: Option<(StepValue, StepValue)>,
}

impl Seen {
    fn extremes(self) -> Option<Extremes> {
        self.ends.map(|(min, max)| Extremes { min, max, is_whole: self.is_whole })
    }
}

/// Looks at so many values of each of these runs, by their places.
fn look(
    connection: &mut dyn Connection,
    asked: &FindExtremes,
    places: &[usize],
    share: usize,
    found: &mut [Seen],
) -> Result<()> {
    let ids = places.iter().filter_map(|place| asked.run_ids.get(*place).cloned()).collect();
    // One more tells whether there is more, and is not looked at.
    let limit = i64::try_from(share).unwrap_or(i64::MAX).saturating_add(1);
    let sql = "SELECT asked.place, seen.* FROM unnest(?1) WITH ORDINALITY AS asked(id, place) \
         CROSS JOIN LATERAL (WITH h AS MATERIALIZED (SELECT m.step, m.value, m.is_nan FROM metrics m \
         WHERE m.run_uuid = asked.id AND m.\"key\" = ?2 ORDER BY m.step DESC LIMIT ?3), \
         looked AS MATERIALIZED (SELECT * FROM h LIMIT ?3 - 1), \
         ends AS (SELECT min(value) AS low, max(value) AS high FROM looked WHERE NOT is_nan) \
         SELECT (SELECT count(*) FROM h), ends.low, \
         (SELECT min(step) FROM looked WHERE NOT is_nan AND value = ends.low), ends.high, \
         (SELECT min(step) FROM looked WHERE NOT is_nan AND value = ends.high) FROM ends) seen";
    let values = [Value::List(List::Texts(ids)), (&asked.key).into(), limit.into()];
    connection.query(sql, &values, &mut |row| {
        let place = usize::try_from(row.need_int(0)? - 1).ok();
        let place = place.and_then(|position| places.get(position).copied());
        let Some(seen) = place.and_then(|place| found.get_mut(place)) else { return Ok(()) };
        let end = |value: Option<f64>, step: Option<i64>| {
            value.zip(step).map(|(value, step)| StepValue { step, value })
        };
        let min = end(row.real(2)?, row.int(3)?);
        let max = end(row.real(4)?, row.int(5)?);
        let count = usize::try_from(row.need_int(1)?).unwrap_or(usize::MAX);
        *seen = Seen { count, is_whole: count <= share, ends: min.zip(max) };
        Ok(())
    })
}

/// A metric of each run as it stood at a step.
pub(crate) fn at(
    connection: &mut dyn Connection,
    key: &str,
    at: &[(String, i64)],
) -> Result<Vec<Option<StepValue>>> {
    if connection.dialect() == Dialect::Postgres {
        return at_once(connection, key, at);
    }
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

/// The same in one statement.
fn at_once(
    connection: &mut dyn Connection,
    key: &str,
    at: &[(String, i64)],
) -> Result<Vec<Option<StepValue>>> {
    let (ids, steps): (Vec<String>, Vec<i64>) = at.iter().cloned().unzip();
    let sql = "SELECT asked.place, v.step, v.value, v.is_nan \
         FROM unnest(?1, ?2) WITH ORDINALITY AS asked(id, step, place) CROSS JOIN LATERAL (\
         SELECT x.step, x.value, x.is_nan FROM (SELECT m.step, m.value, m.is_nan, m.timestamp FROM metrics m \
         WHERE m.run_uuid = asked.id AND m.\"key\" = ?3 AND m.step <= asked.step ORDER BY m.step DESC LIMIT ?4) x \
         ORDER BY x.step DESC, x.timestamp DESC, x.value DESC LIMIT 1) v";
    let values = [
        Value::List(List::Texts(ids)),
        Value::List(List::Ints(steps)),
        key.into(),
        OF_A_STEP_MAX.into(),
    ];
    let mut found = vec![None; at.len()];
    connection.query(sql, &values, &mut |row| {
        let place = usize::try_from(row.need_int(0)? - 1).ok();
        if let Some(found) = place.and_then(|place| found.get_mut(place)) {
            *found = Some(StepValue { step: row.need_int(1)?, value: value(row, 2, 3)? });
        }
        Ok(())
    })?;
    Ok(found)
}

fn step_value(row: &dyn Row) -> Result<StepValue> {
    Ok(StepValue { step: row.need_int(0)?, value: value(row, 1, 2)? })
}
