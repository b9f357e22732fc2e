//! A metric's history to draw: whole where that is short, else the values of some steps, each looked up.
//!
//! A value that is read costs a quarter of a microsecond and a step that is looked up two, so that short histories are
//! read whole, with their smallest and largest values; of a long one as much is read as is drawn, however long it is.

use trainyard_mlflow::{Curve, CurvePoint, DrawCurve, Extent};

use super::database::{Connection, Dialect, HISTORIES, List, Row, Value};
use super::metrics::value;
use crate::error::Result;

/// What is read of a value.
const POINT: &str = "m.step, m.timestamp, m.value, m.is_nan";
/// Values of a history that PostgreSQL sends at once: a few megabytes.
const PACKED_MAX: usize = 100_000;
/// Of which run and metric, behind an alias of the table.
const OF: &str = "m.run_uuid = ?1 AND m.\"key\" = ?2";

/// The curve of a metric. An unknown run or key has no values.
pub(crate) fn read(
    connection: &mut dyn Connection,
    run_id: &str,
    key: &str,
    asked: DrawCurve,
) -> Result<Curve> {
    let table = connection.dialect().indexed_by("metrics m", HISTORIES);
    let history = History { table, run_id, key };
    let (from, to) = asked.steps.unwrap_or((i64::MIN, i64::MAX));
    let Some((first, last)) = history.ends(connection, from, to)? else {
        return Ok(Curve::default());
    };
    let places = last.abs_diff(first).saturating_add(1);
    let whole_max = asked.whole_max.max(1);
    // Mostly a step has one value: what has few steps is not counted, but read until there is too much of it.
    let is_short =
        places <= whole_max as u64 || history.is_short(connection, first, last, whole_max)?;
    if is_short {
        let points = history.whole(connection, first, last, whole_max)?;
        if points.len() <= whole_max {
            return Ok(Curve::new(points, Extent::Whole));
        }
    }
    let count = asked.steps_max.max(2).min(usize::try_from(places).unwrap_or(usize::MAX));
    let places = evenly(first, last, count, asked.is_log);
    let max = whole_max.max(places.len());
    let mut points = history.at(connection, places, max)?;
    let is_cut = points.len() > max;
    points.truncate(max);
    Ok(Curve::new(points, if is_cut { Extent::Cut } else { Extent::Thinned }))
}

/// The values of a metric of a run, and the table they are in.
struct History<'a> {
    table: String,
    run_id: &'a str,
    key: &'a str,
}

impl History<'_> {
    /// The first and the last step between two.
    fn ends(
        &self,
        connection: &mut dyn Connection,
        from: i64,
        to: i64,
    ) -> Result<Option<(i64, i64)>> {
        let table = &self.table;
        // Each by itself: an end of the index is one look.
        let sql = format!(
            "SELECT (SELECT min(m.step) FROM {table} WHERE {OF} AND m.step >= ?3), \
             (SELECT max(m.step) FROM {table} WHERE {OF} AND m.step <= ?4)"
        );
        let ends = connection
            .first(&sql, &self.values([from.into(), to.into()]), |row| {
                Ok(row.int(0)?.zip(row.int(1)?))
            })?
            .flatten();
        // Between two steps there may be none.
        Ok(ends.filter(|(first, last)| first <= last))
    }

    /// Whether there are no more values than this.
    fn is_short(
        &self,
        connection: &mut dyn Connection,
        first: i64,
        last: i64,
        max: usize,
    ) -> Result<bool> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {OF} AND m.step BETWEEN ?3 AND ?4 LIMIT ?5) x",
            self.table
        );
        let values = self.values([first.into(), last.into(), beyond(max)]);
        let count = connection.first(&sql, &values, |row| row.need_int(0))?.unwrap_or_default();
        Ok(count <= max as i64)
    }

    /// Values between two steps, at most one more than this.
    fn whole(
        &self,
        connection: &mut dyn Connection,
        first: i64,
        last: i64,
        max: usize,
    ) -> Result<Vec<CurvePoint>> {
        let sql = format!(
            "SELECT {POINT} FROM {} WHERE {OF} AND m.step BETWEEN ?3 AND ?4 ORDER BY m.step LIMIT ?5",
            self.table
        );
        let values = self.values([first.into(), last.into(), beyond(max)]);
        if connection.dialect() == Dialect::Postgres && max <= PACKED_MAX {
            return packed(connection, &sql, &values);
        }
        connection.rows(&sql, &values, point)
    }

    /// Values of the steps that are nearest behind these places, at most one more than this.
    fn at(
        &self,
        connection: &mut dyn Connection,
        places: Vec<i64>,
        max: usize,
    ) -> Result<Vec<CurvePoint>> {
        let table = &self.table;
        let places_table = connection.dialect().list_rows("?3", "place");
        // In this order: SQLite would go through the history once for each place.
        let sql = format!(
            "SELECT {POINT} FROM (SELECT DISTINCT (SELECT min(m.step) FROM {table} WHERE {OF} \
             AND m.step >= place.value) AS step FROM {places_table}) nearest \
             CROSS JOIN {table} WHERE {OF} AND m.step = nearest.step LIMIT ?4"
        );
        let values = self.values([Value::List(List::Ints(places)), beyond(max)]);
        connection.rows(&sql, &values, point)
    }

    /// The run, the key, and what follows them.
    fn values<'b, const N: usize>(&'b self, rest: [Value<'b>; N]) -> Vec<Value<'b>> {
        [Value::from(self.run_id), Value::from(self.key)].into_iter().chain(rest).collect()
    }
}

/// Values of a statement as three lists in one row: as rows of their own they take PostgreSQL and its driver several times as
/// long.
fn packed(
    connection: &mut dyn Connection,
    points: &str,
    values: &[Value<'_>],
) -> Result<Vec<CurvePoint>> {
    let sql = format!(
        "SELECT array_agg(x.step), array_agg(x.timestamp), \
         array_agg(CASE WHEN x.is_nan THEN CAST('NaN' AS double precision) ELSE x.value END) FROM ({points}) x"
    );
    let lists = |row: &dyn Row| Ok((row.ints(0)?, row.ints(1)?, row.reals(2)?));
    let (steps, times, values) = connection.first(&sql, values, lists)?.unwrap_or_default();
    let points = steps.into_iter().zip(times).zip(values);
    Ok(points.map(|((step, timestamp), value)| CurvePoint { step, timestamp, value }).collect())
}

/// A limit that tells whether there is more.
fn beyond(max: usize) -> Value<'static> {
    i64::try_from(max).unwrap_or(i64::MAX).saturating_add(1).into()
}

fn point(row: &dyn Row) -> Result<CurvePoint> {
    Ok(CurvePoint { step: row.need_int(0)?, timestamp: row.need_int(1)?, value: value(row, 2, 3)? })
}

/// So many places, at least two, from the first step to the last, each once.
fn evenly(first: i64, last: i64, count: usize, is_log: bool) -> Vec<i64> {
    let parts = count.max(2) - 1;
    // A logarithmic axis begins at the first step that it has a place for.
    let low = first.max(1);
    let mut places: Vec<i64> = if is_log && last > low {
        let ratio = last as f64 / low as f64;
        let place = |part: usize| low as f64 * ratio.powf(part as f64 / parts as f64);
        (0..parts).map(|part| (place(part).round() as i64).clamp(first, last)).collect()
    } else {
        let length = i128::from(last) - i128::from(first);
        let place = |part: usize| i128::from(first) + length * part as i128 / parts as i128;
        // Between two of 64 bits.
        (0..parts).map(|part| place(part) as i64).collect()
    };
    places.insert(0, first);
    places.push(last);
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use trainyard_mlflow::MetricHistoryPage;

    use super::super::sqlite_connection::{Access, SqliteConnection};
    use super::super::{metrics, schema};
    use super::*;

    /// A database with MLflow's tables and one metric of some runs, a value a step.
    fn database(file: &Path, runs: usize, steps: i64) -> SqliteConnection {
        let mut connection = SqliteConnection::open(file, Access::Write).unwrap();
        schema::prepare(&mut connection, "sqlite://", "runs").unwrap();
        connection.execute_script("PRAGMA foreign_keys = OFF").unwrap();
        let sql = format!(
            "INSERT INTO metrics (\"key\", value, timestamp, step, is_nan, run_uuid) \
             WITH RECURSIVE step(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM step WHERE n + 1 < {steps}), \
             run(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM run WHERE n + 1 < {runs}) \
             SELECT 'loss', 1.0 / (1 + step.n), step.n, step.n, 0, 'run' || run.n FROM step, run"
        );
        connection.execute_script(&sql).unwrap();
        connection
    }

    /// Steps of SQLite's machine that some work takes: what it looks at, whether it returns that or not.
    fn cost<T>(
        connection: &mut SqliteConnection,
        work: impl Fn(&mut dyn Connection) -> T,
    ) -> (u64, T) {
        // Statements are parsed and planned once.
        work(connection);
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let count_one = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.inner.progress_handler(1, Some(count_one)).unwrap();
        let result = work(connection);
        connection.inner.progress_handler(1, None::<fn() -> bool>).unwrap();
        (count.load(Ordering::Relaxed), result)
    }

    fn asked(whole_max: usize, steps_max: usize) -> DrawCurve {
        DrawCurve { steps: None, whole_max, steps_max, is_log: false }
    }

    #[test]
    fn what_a_curve_costs_is_what_is_drawn_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut few = database(&folder.path().join("few.db"), 1, 2_000);
        let mut many = database(&folder.path().join("many.db"), 5, 20_000);
        let curve = |connection: &mut SqliteConnection, asked: DrawCurve| {
            let (cost, curve) =
                cost(connection, |connection| read(connection, "run0", "loss", asked));
            (cost, curve.unwrap())
        };
        let (short, thinned) = curve(&mut few, asked(1_000, 50));
        assert_eq!((thinned.points.len(), thinned.extent), (50, Extent::Thinned));
        let (long, thinned) = curve(&mut many, asked(1_000, 50));
        assert_eq!((thinned.points.len(), thinned.extent), (50, Extent::Thinned));
        // A curve ten times as long costs the same, but for what is counted, and so do other runs of the metric.
        assert!(long < short + short / 10, "{long} steps, {short} of a short one");
        let (whole, all) = curve(&mut many, asked(20_000, 50));
        assert_eq!((all.points.len(), all.extent), (20_000, Extent::Whole));
        assert!(whole > 20_000 && long < whole / 10, "{long} steps, {whole} for all");
        let part = DrawCurve { steps: Some((10_000, 10_099)), ..asked(1_000, 50) };
        let (closer, all) = curve(&mut many, part);
        assert_eq!((all.points.len(), all.extent), (100, Extent::Whole));
        assert!(closer < whole / 50, "{closer} steps for a part, {whole} for all");
    }

    /// MLflow's own history as well: SQLite would go through all values of the metric of all runs.
    #[test]
    fn a_history_costs_nothing_for_other_runs() {
        let folder = tempfile::tempdir().unwrap();
        let mut alone = database(&folder.path().join("alone.db"), 1, 500);
        let mut among = database(&folder.path().join("among.db"), 20, 500);
        let page = MetricHistoryPage::default();
        let history = |connection: &mut SqliteConnection| {
            cost(connection, |connection| {
                metrics::history(connection, "run0", "loss", &page).unwrap()
            })
        };
        let ((alone, values), (among, same)) = (history(&mut alone), history(&mut among));
        assert_eq!((values.items.len(), &values.items), (500, &same.items));
        assert!(among < alone + alone / 10, "{among} steps among others, {alone} alone");
    }

    #[test]
    fn places_are_even_and_have_both_ends() {
        assert_eq!(evenly(0, 100, 5, false), [0, 25, 50, 75, 100]);
        assert_eq!(evenly(-3, 3, 7, false), [-3, -2, -1, 0, 1, 2, 3]);
        assert_eq!(evenly(7, 7, 5, false), [7]);
        assert_eq!(evenly(0, 1, 1, false), [0, 1]);
        assert_eq!(evenly(0, 10_000, 5, true), [0, 1, 10, 100, 1000, 10_000]);
        assert_eq!(evenly(-5, 0, 3, true), [-5, -3, 0]);
        let all = evenly(i64::MIN, i64::MAX, 3, false);
        assert_eq!((all.len(), all[0], all[2]), (3, i64::MIN, i64::MAX));
        assert!(evenly(1, i64::MAX, 100, true).is_sorted());
    }
}
