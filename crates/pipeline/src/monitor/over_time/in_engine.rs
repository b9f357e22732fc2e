//! Windows of a table in an engine: its rows are counted there by window, and each window that is looked at is summed up there.

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use trainyard_base::words::log_columns::TIME;
use trainyard_data::RowFilter;
use trainyard_drift::{Column, Profile, Window, WindowLength};
use trainyard_engine::{Error as EngineError, Limits, Source, Windows};

use super::super::engine;
use super::super::job::MonitorJob;
use super::super::log::time;
use super::rows::{Found, Placed};
use super::summed::Summed;
use crate::{Error, Result};

/// Quantiles of a column of a window, of as many as an engine gives; fewer where there is no memory for more.
const POINTS_MIN: usize = 1000;

/// Bytes of a number that is kept, and how often it stands.
const POINT_BYTES: u64 = 16;

/// A table in an engine whose rows lie in windows.
#[derive(Debug)]
pub(super) struct Table {
    source: String,
    limits: Limits,
    /// The column of times.
    column: String,
    found: Vec<Found>,
    untimed: u64,
    /// Its columns, without values.
    pub(super) names: Profile,
}

impl MonitorJob {
    /// Where the rows of current lie in time, if they are in an engine.
    pub(super) async fn windows_in_engine(
        &self,
        length: WindowLength,
        now: DateTime<Utc>,
    ) -> Result<Option<Table>> {
        let source = self.current_source();
        let Some(milliseconds) = length.milliseconds().filter(|_| Source::is_one(&source)) else {
            return Ok(None);
        };
        let column = self.settings.time_column.clone().unwrap_or_else(|| TIME.to_owned());
        let rows = RowFilter { time_column: Some(column.clone()), ..self.settings.rows(now) };
        let limits =
            Limits { columns: self.engine_columns(&column), rows, ..self.settings.engine_limits() };
        let base = length.window_of(0).begins;
        let found = counted(&source, &limits, &column, base, milliseconds).await?;
        if found.windows.is_empty() {
            let without = if found.untimed > 0 { " with a time" } else { "" };
            return Err(Error::Missing {
                what: format!("{} has no rows{without}", engine::shown(&source)),
                hint: "check what fills it, --time-column, and the conditions".to_owned(),
            });
        }
        let names = found.columns.into_iter().map(|name| (name, Column::new(&[]))).collect();
        let window = |number: i64| {
            let begins = base.saturating_add(number.saturating_mul(milliseconds));
            Window { begins, ends: begins.saturating_add(milliseconds) }
        };
        let windows = found.windows.iter().map(|one| Found {
            window: window(one.number),
            rows: one.rows,
            time_sum: one.since_begin,
        });
        Ok(Some(Table {
            found: windows.collect(),
            untimed: found.untimed,
            names: Profile::from_columns(0, names),
            source,
            limits,
            column,
        }))
    }

    /// The columns that an engine is asked about, the one of times among them; all if none are named.
    fn engine_columns(&self, column: &str) -> Option<Vec<String>> {
        let mut columns = self.settings.columns.clone()?;
        columns.push(column.to_owned());
        Some(columns)
    }
}

/// The rows of each window, which the engine counts while whoever waits goes on with other things.
async fn counted(
    source: &str,
    limits: &Limits,
    column: &str,
    base: i64,
    length: i64,
) -> Result<Windows> {
    let source = Source::parse(source)?;
    let (done, answer) = oneshot::channel();
    let (asked, limits, column) = (source.clone(), limits.clone(), column.to_owned());
    let work = move || {
        let _nobody = done.send(trainyard_engine::windows(&asked, &limits, &column, base, length));
    };
    // A thread of the runtime would be waited for when it ends.
    std::thread::Builder::new()
        .name("engine windows".to_owned())
        .spawn(work)
        .map_err(EngineError::from)?;
    let answer = answer.await.map_err(|_| EngineError::Answer {
        place: source.place().to_owned(),
        what: "windows".to_owned(),
        reason: "its thread panicked".to_owned(),
    })?;
    Ok(answer?)
}

impl Table {
    /// The windows, of which nothing is known yet but how many rows they have.
    pub(super) fn placed(&self) -> Placed {
        Placed::counted(self.found.clone(), self.untimed, &self.column)
    }

    /// Has the engine sum up the wanted windows, with these columns, in so many bytes of memory here.
    pub(super) async fn load(
        &self,
        placed: &mut Placed,
        is_wanted: &[bool],
        names: &[String],
        memory: u64,
    ) -> Result<()> {
        let wanted = is_wanted.iter().filter(|is_wanted| **is_wanted).count();
        let points = points(wanted, names.len(), memory)?;
        for place in (0..is_wanted.len()).filter(|place| is_wanted[*place]) {
            let window = placed.windows[place].window;
            let rows = self.rows_of(window);
            let limits = Limits { columns: Some(names.to_vec()), rows, ..self.limits.clone() };
            let (profile, engine) = engine::open(&self.source, limits, true).await?;
            placed.put(place, Summed::of_engine(&profile.quantised(points), engine, points));
        }
        Ok(())
    }

    /// The rows of a window, of those that are asked for.
    fn rows_of(&self, window: Window) -> RowFilter {
        let text = |at: i64| DateTime::from_timestamp_millis(at).map(time);
        let rows = &self.limits.rows;
        // Windows that begin before it are not looked at.
        let since = text(window.begins).or_else(|| rows.since.clone());
        let ends = text(window.ends);
        let is_cut = |until: &&String| {
            trainyard_data::instant(until).is_some_and(|until| until.div_euclid(1000) < window.ends)
        };
        let until = rows.until.as_ref().filter(is_cut).cloned().or(ends);
        RowFilter { since, until, ..rows.clone() }
    }
}

/// How many quantiles of each column of each window there is room for in half of the memory.
fn points(windows: usize, columns: usize, memory: u64) -> Result<usize> {
    let cells = (windows * columns).max(1) as u64;
    let room = usize::try_from(memory / 2 / POINT_BYTES / cells).unwrap_or(usize::MAX);
    if room < POINTS_MIN {
        return Err(Error::Missing {
            what: format!(
                "{windows} windows of {columns} columns do not fit in {memory} bytes of memory"
            ),
            hint: "look at fewer columns with --columns, or at fewer windows with --since"
                .to_owned(),
        });
    }
    Ok(room.min(trainyard_engine::POINTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_become_fewer_where_there_is_little_memory() {
        assert_eq!(points(30, 25, 1 << 30).unwrap(), trainyard_engine::POINTS);
        assert_eq!(points(30, 25, 48_000_000).unwrap(), 2000);
        let error = points(30, 25, 20_000_000).unwrap_err().to_string();
        assert!(error.contains("30 windows of 25 columns"), "{error}");
    }

    #[test]
    fn rows_of_a_window_are_those_that_are_asked_for() {
        let of = |until: Option<&str>| {
            let rows = RowFilter {
                time_column: Some("at".to_owned()),
                until: until.map(str::to_owned),
                conditions: vec!["a = 1".to_owned()],
                ..RowFilter::default()
            };
            let table = Table {
                source: String::new(),
                limits: Limits { rows, ..Limits::default() },
                column: "at".to_owned(),
                found: Vec::new(),
                untimed: 0,
                names: Profile::default(),
            };
            let rows = table.rows_of(Window { begins: 0, ends: 86_400_000 });
            assert_eq!(rows.since.as_deref(), Some("1970-01-01T00:00:00.000Z"));
            assert_eq!(rows.conditions, ["a = 1"]);
            rows.until.unwrap()
        };
        assert_eq!(of(None), "1970-01-02T00:00:00.000Z");
        assert_eq!(of(Some("1970-03-01")), "1970-01-02T00:00:00.000Z");
        assert_eq!(of(Some("1970-01-01T06:00:00Z")), "1970-01-01T06:00:00Z");
    }
}
