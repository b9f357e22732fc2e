//! Which window each row lies in, and columns cut into windows by it.
//!
//! Rows of a log come in the order of their time but for a few, so what is remembered are runs of rows in one window,
//! not rows. A column is read once, whatever the number of windows.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array as _, ArrayRef, UInt32Array};
use arrow_cast::cast;
use arrow_select::take::take;
use rayon::prelude::*;
use trainyard_data::arrow_schema::{ArrowError, DataType, TimeUnit};
use trainyard_drift::{Finding, Window, WindowLength};
use trainyard_serve::LogSummary;

use super::super::source::Data;
use super::partial::{Hours, Partial};
use super::summed::{Summaries, Summed, room};
use crate::{Error, Result};

/// Windows of one look: two years of hours.
const WINDOWS_MAX: usize = 20_000;

/// The place of rows that are in no window that is looked at.
const NOWHERE: u32 = u32::MAX;

/// A window that rows lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) window: Window,
    pub(super) rows: u64,
    /// The times of its rows, added up: with their number it tells whether rows came since.
    pub(super) time_sum: i64,
}

/// The windows of a table, and where each row lies.
#[derive(Debug)]
pub(super) struct Placed {
    /// In the order of time.
    pub(super) windows: Vec<Found>,
    /// What is known of each window whose rows are not read.
    pub(super) summed: Vec<Option<Summed>>,
    /// Why a window is known in part alone.
    partial: Vec<Option<String>>,
    /// How many rows came in each hour.
    hours: Hours,
    /// How many rows one after the other lie in which window.
    pub(super) runs: Vec<(usize, u32)>,
    /// Rows without a time.
    pub(super) untimed: u64,
    /// The column that they were placed by, which is not compared: later windows have later times.
    pub(super) column: Option<String>,
}

/// Rows that are placed one after the other.
struct Placing {
    length: WindowLength,
    /// The place of each window, by where it begins, in the order in which they were found.
    places: BTreeMap<i64, u32>,
    found: Vec<Found>,
    runs: Vec<(usize, u32)>,
    hours: Hours,
    /// Rows of the hour that came last, which are not in `hours` yet.
    last_hour: (i64, u64),
    untimed: u64,
}

impl Placing {
    fn add(&mut self, time: Option<i64>) -> Result<()> {
        let Some(time) = time else {
            self.untimed += 1;
            self.run(NOWHERE);
            return Ok(());
        };
        // Mostly it is the window of the row before.
        let last = self.runs.last().and_then(|(_, place)| self.found.get(*place as usize));
        let is_last = |found: &&Found| found.window.begins <= time && time < found.window.ends;
        let window = match last.filter(is_last) {
            Some(found) => found.window,
            None => self.length.window_of(time),
        };
        let next = self.found.len();
        let place = *self.places.entry(window.begins).or_insert(next as u32);
        if place as usize == next {
            if next == WINDOWS_MAX {
                return Err(too_many(next + 1));
            }
            self.found.push(Found { window, rows: 0, time_sum: 0 });
        }
        if let Some(found) = self.found.get_mut(place as usize) {
            found.rows += 1;
            found.time_sum = found.time_sum.wrapping_add(time);
        }
        self.run(place);
        self.note_hour(time);
        Ok(())
    }

    fn note_hour(&mut self, time: i64) {
        let hour = time.saturating_sub(time.rem_euclid(LogSummary::HOUR_MS));
        if hour != self.last_hour.0 {
            self.end_hour();
            self.last_hour.0 = hour;
        }
        self.last_hour.1 += 1;
    }

    fn end_hour(&mut self) {
        let (hour, rows) = std::mem::take(&mut self.last_hour);
        if rows > 0 {
            *self.hours.entry(hour).or_default() += rows;
        }
    }

    fn run(&mut self, place: u32) {
        match self.runs.last_mut() {
            Some((rows, last)) if *last == place => *rows += 1,
            _ => self.runs.push((1, place)),
        }
    }

    /// Puts the windows in order.
    fn finish(mut self, column: &str) -> Placed {
        self.end_hour();
        let mut order: Vec<usize> = (0..self.found.len()).collect();
        order.sort_by_key(|&place| self.found[place].window);
        let mut places = vec![NOWHERE; self.found.len()];
        for (new, &old) in order.iter().enumerate() {
            places[old] = new as u32;
        }
        let moved = |(rows, place): (usize, u32)| {
            (rows, places.get(place as usize).copied().unwrap_or(NOWHERE))
        };
        Placed {
            windows: order.iter().map(|&place| self.found[place]).collect(),
            summed: order.iter().map(|_| None).collect(),
            partial: vec![None; order.len()],
            hours: self.hours,
            runs: self.runs.into_iter().map(moved).collect(),
            untimed: self.untimed,
            column: Some(column.to_owned()),
        }
    }
}

fn too_many(windows: usize) -> Error {
    Error::Missing {
        what: format!("{windows} windows: at most {WINDOWS_MAX} are looked at"),
        hint: "make them longer with --window, or look at fewer with --since".to_owned(),
    }
}

impl Placed {
    /// No rows.
    pub(super) fn nowhere(column: &str) -> Self {
        Self {
            windows: Vec::new(),
            summed: Vec::new(),
            partial: Vec::new(),
            hours: Hours::new(),
            runs: Vec::new(),
            untimed: 0,
            column: Some(column.to_owned()),
        }
    }

    /// Windows whose rows are elsewhere, and were counted there.
    pub(super) fn counted(windows: Vec<Found>, untimed: u64, column: &str) -> Self {
        let summed = windows.iter().map(|_| None).collect();
        let partial = vec![None; windows.len()];
        Self { windows, summed, partial, untimed, ..Self::nowhere(column) }
    }

    /// What is known of a window by now. Where it has other rows than were counted it is looked at again.
    pub(super) fn put(&mut self, place: usize, summed: Summed) {
        let found = &mut self.windows[place];
        if found.rows != summed.rows {
            found.rows = summed.rows;
            found.time_sum = !found.time_sum;
        }
        self.summed[place] = Some(summed);
    }

    /// Takes windows from summaries where these have more rows than are there, and notes which windows are partial.
    pub(super) fn add(&mut self, summaries: Summaries, length: WindowLength) -> Result<()> {
        let why = Partial::of(&summaries, &self.hours, length);
        let mut all = summaries.windows;
        let mut there: BTreeMap<Window, (Found, u32)> = BTreeMap::new();
        for (place, found) in (0_u32..).zip(&self.windows) {
            there.insert(found.window, (*found, place));
        }
        let mut names: BTreeSet<Window> = there.keys().chain(all.keys()).copied().collect();
        if names.len() > WINDOWS_MAX {
            return Err(too_many(names.len()));
        }
        // Those that are gone are told, unless that would keep others from being looked at.
        let gone: BTreeSet<Window> = why.cut().difference(&names).copied().collect();
        if names.len() + gone.len() <= WINDOWS_MAX {
            names.extend(gone);
        }
        let mut places = vec![NOWHERE; self.windows.len()];
        let (mut windows, mut summed) = (Vec::new(), Vec::new());
        let mut partial = Vec::new();
        for window in names {
            let found = there.get(&window).map(|(found, _)| *found);
            let rows = found.map_or(0, |found| found.rows);
            let wanted = |one: &Summed| one.rows > rows || one.is_in_doubt();
            if let Some(one) = all.remove(&window).filter(wanted) {
                // What is in doubt is looked at again once it is not.
                let time_sum = found.map_or(one.time_sum, |found| !found.time_sum);
                let time_sum = if one.is_in_doubt() { time_sum } else { one.time_sum };
                windows.push(Found { window, rows: one.rows.max(rows), time_sum });
                summed.push(Some(one));
                partial.push(why.why(window, true));
            } else {
                if let Some((_, place)) = there.get(&window) {
                    places[*place as usize] = windows.len() as u32;
                }
                windows.push(found.unwrap_or(Found { window, rows: 0, time_sum: 0 }));
                summed.push(None);
                partial.push(why.why(window, false));
            }
        }
        for (_, place) in &mut self.runs {
            *place = places.get(*place as usize).copied().unwrap_or(NOWHERE);
        }
        (self.windows, self.summed, self.partial) = (windows, summed, partial);
        Ok(())
    }

    /// Why a window is known in part alone, if it is.
    pub(super) fn partial(&self, place: usize) -> Option<&str> {
        self.partial.get(place)?.as_deref()
    }

    /// Reads these columns in summaries of the wanted windows, in so many bytes of memory. A window that has further rows by
    /// now is the next look's, and keeps no other from being looked at; of one that is damaged what `is_known` is better.
    pub(super) fn load(
        &mut self,
        is_wanted: &mut [bool],
        names: &[String],
        memory: u64,
        is_known: &(dyn Fn(&Found) -> bool + Sync),
    ) -> Result<()> {
        let all = self.summed.iter().zip(is_wanted.iter());
        let wanted = all.filter(|(_, is_wanted)| **is_wanted).filter_map(|(one, _)| one.as_ref());
        let parts: Vec<usize> = wanted.map(Summed::parts).collect();
        let room = room(&parts, names.len(), memory)?;
        let windows = self.windows.iter_mut().zip(&mut self.summed).zip(is_wanted);
        let wanted = windows.filter_map(|((found, summed), is_wanted)| {
            let summed = summed.as_mut().filter(|_| *is_wanted)?;
            Some((found, summed, is_wanted))
        });
        // Most windows are small, and there are many.
        wanted.collect::<Vec<_>>().into_par_iter().for_each(|(found, summed, is_wanted)| {
            let was_in_doubt = summed.is_in_doubt();
            if let Err(error) = summed.load(names, room) {
                tracing::warn!(%error, "a window is not looked at now");
                *is_wanted = false;
            } else if summed.is_in_doubt() && !was_in_doubt {
                *is_wanted = !is_known(found);
                // It is looked at again once it is not.
                found.time_sum = !found.time_sum;
            }
        });
        Ok(())
    }

    /// Whether nobody knows what was in a window.
    pub(super) fn is_in_doubt(&self, place: usize) -> bool {
        self.summed_at(place).is_some_and(Summed::is_in_doubt)
    }

    /// Whether nothing is known of a column in a window that may have had it.
    pub(super) fn leaves_out(&self, place: usize, name: &str) -> bool {
        self.summed_at(place).is_some_and(|summed| summed.leaves_out(name))
    }

    /// Whether a window has quantiles of a column instead of its values.
    pub(super) fn has_quantiles(&self, place: usize, name: &str) -> bool {
        self.summed_at(place).is_some_and(|summed| summed.has_quantiles(name))
    }

    /// Rows of a column in a window that are not in it, as their values stand in few rows.
    pub(super) fn withheld(&self, place: usize, name: &str) -> u64 {
        self.summed_at(place).map_or(0, |summed| summed.withheld(name))
    }

    /// What is to be said of that which is not known, where these columns are compared.
    pub(super) fn findings(&self, place: usize, names: &[String]) -> Vec<Finding> {
        self.summed_at(place).map(|summed| summed.findings(names)).unwrap_or_default()
    }

    /// The place of a window.
    pub(super) fn place(&self, window: Window) -> Option<usize> {
        self.windows.binary_search_by_key(&window, |found| found.window).ok()
    }

    /// Whether a window is of rows, and not of summaries.
    pub(super) fn has_rows(&self, place: usize) -> bool {
        self.summed_at(place).is_none()
    }

    fn summed_at(&self, place: usize) -> Option<&Summed> {
        self.summed.get(place)?.as_ref()
    }

    /// Places rows by a column of times.
    pub(super) fn by_time(data: &Data, column: &str, length: WindowLength) -> Result<Self> {
        let mut placing = Placing {
            length,
            places: BTreeMap::new(),
            found: Vec::new(),
            runs: Vec::new(),
            hours: Hours::new(),
            last_hour: (0, 0),
            untimed: 0,
        };
        let mut outcome = Ok(());
        let found = data.for_each_piece(column, |piece| {
            if outcome.is_ok() {
                outcome =
                    times(&piece).map_err(|reason| no_times(column, &reason)).and_then(|times| {
                        let times = times.as_primitive::<TimestampMillisecondType>();
                        times.iter().try_for_each(|time| placing.add(time))
                    });
            }
        })?;
        outcome?;
        if !found {
            return Err(no_times(column, "current has no such column"));
        }
        // Else nothing would be looked at, and nothing be wrong.
        if placing.found.is_empty() && placing.untimed > 0 {
            return Err(no_times(column, "no row has a time there"));
        }
        Ok(placing.finish(column))
    }

    /// Places so many rows in the order in which they come.
    pub(super) fn by_rows(rows: u64, length: u64) -> Result<Self> {
        let count = rows.div_ceil(length.max(1)) as usize;
        if count > WINDOWS_MAX {
            return Err(too_many(count));
        }
        let window = |number: usize| {
            let begins = number as u64 * length;
            let window = Window { begins: begins as i64, ends: (begins + length) as i64 };
            Found { window, rows: length.min(rows - begins), time_sum: 0 }
        };
        let windows: Vec<Found> = (0..count).map(window).collect();
        let run = |(place, found): (usize, &Found)| (found.rows as usize, place as u32);
        let runs = windows.iter().enumerate().map(run).collect();
        let summed = windows.iter().map(|_| None).collect();
        let (partial, hours) = (vec![None; count], Hours::new());
        Ok(Self { windows, summed, partial, hours, runs, untimed: 0, column: None })
    }

    /// Adds the times of the rows up, where windows are of rows: when the oldest rows of a log are removed others come
    /// to stand in their places, which is told by nothing else.
    pub(super) fn add_times(&mut self, data: &Data, column: &str) -> Result<()> {
        let mut sums = vec![0_i64; self.windows.len()];
        let mut failed = None;
        self.for_each_part(data, column, |place, part| match times(&part) {
            Ok(times) => {
                let times = times.as_primitive::<TimestampMillisecondType>();
                for time in times.iter().flatten() {
                    sums[place] = sums[place].wrapping_add(time);
                }
            }
            Err(reason) => failed = Some(reason),
        })?;
        if let Some(reason) = failed {
            return Err(no_times(column, &reason));
        }
        for (found, sum) in self.windows.iter_mut().zip(sums) {
            found.time_sum = sum;
        }
        Ok(())
    }

    /// Leaves rows out that are not in wanted windows.
    pub(super) fn keep(&mut self, is_wanted: &[bool]) {
        for (_, place) in &mut self.runs {
            if is_wanted.get(*place as usize) != Some(&true) {
                *place = NOWHERE;
            }
        }
    }

    /// Calls `each` with the place of a window and further rows of a column in it, in the order in which they come, so
    /// that several columns have their rows in one order; `false` if there is no such column.
    pub(super) fn for_each_part(
        &self,
        data: &Data,
        name: &str,
        mut each: impl FnMut(usize, ArrayRef),
    ) -> Result<bool> {
        let mut runs = self.runs.iter().copied();
        let mut run = (0, NOWHERE);
        let mut outcome = Ok(());
        let found = data.for_each_piece(name, |piece| {
            let mut parts: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
            let mut at = 0;
            while at < piece.len() {
                if run.0 == 0 {
                    let Some(next) = runs.next() else { break };
                    run = next;
                    continue;
                }
                let rows = run.0.min(piece.len() - at);
                if run.1 != NOWHERE {
                    parts.entry(run.1).or_default().push((at, rows));
                }
                at += rows;
                run.0 -= rows;
            }
            for (place, ranges) in parts {
                match part(&piece, &ranges) {
                    Ok(part) => each(place as usize, part),
                    Err(error) => outcome = Err(error),
                }
            }
        })?;
        outcome.map_err(|error| Error::Missing {
            what: format!("the column {name:?} cannot be cut into windows: {error}"),
            hint: "leave it out with --columns".to_owned(),
        })?;
        Ok(found)
    }
}

/// Rows of a piece, by where they begin and how many they are.
fn part(piece: &ArrayRef, ranges: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    if let [(at, rows)] = ranges {
        return Ok(piece.slice(*at, *rows));
    }
    let rows = ranges.iter().flat_map(|(at, rows)| *at..*at + *rows).map(|row| row as u32);
    take(piece.as_ref(), &UInt32Array::from_iter_values(rows), None)
}

/// A column of times in milliseconds since 1970, or why it is none.
fn times(piece: &ArrayRef) -> Result<ArrayRef, String> {
    let is_time = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Timestamp(..)
                | DataType::Date32
                | DataType::Date64
                | DataType::Utf8
                | DataType::LargeUtf8
        )
    };
    let data_type = match piece.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    if !is_time(data_type) {
        return Err(format!("it holds no times, but {data_type}"));
    }
    // Text without a zone is UTC, and so are times without one.
    cast(piece, &DataType::Timestamp(TimeUnit::Millisecond, None))
        .map_err(|error| error.to_string())
}

fn no_times(column: &str, reason: &str) -> Error {
    Error::Missing {
        what: format!("windows of time cannot be made by {column:?}: {reason}"),
        hint: "name a column of times with --time-column, or count rows: --window '10000 rows'"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray};
    use trainyard_drift::Column;

    use super::super::cut::in_windows;
    use super::*;

    fn data(times: &[Option<&str>]) -> Data {
        let values = Float64Array::from_iter_values((0..times.len()).map(|row| row as f64));
        let columns: [(&str, ArrayRef); 2] =
            [("time", Arc::new(StringArray::from(times.to_vec()))), ("x", Arc::new(values))];
        RecordBatch::try_from_iter(columns).unwrap().into()
    }

    const TIMES: [Option<&str>; 6] = [
        Some("2026-02-03T00:00:00"),
        Some("2026-02-03T23:59:59Z"),
        Some("2026-02-05T01:00:00+02:00"),
        None,
        Some("2026-02-03T12:00:00"),
        Some("2026-02-02"),
    ];

    #[test]
    fn rows_go_to_their_windows_whatever_their_order() {
        let (data, day) = (data(&TIMES), "1d".parse().unwrap());
        let mut placed = Placed::by_time(&data, "time", day).unwrap();
        let found = |placed: &Placed| {
            let windows = placed.windows.iter();
            windows.map(|found| (found.window.name(day), found.rows)).collect::<Vec<_>>()
        };
        let expected = [("2026-02-02", 1), ("2026-02-03", 3), ("2026-02-04", 1)];
        assert_eq!(found(&placed), expected.map(|(name, rows)| (name.to_owned(), rows)));
        assert_eq!(placed.untimed, 1);
        let sums = |placed: &Placed| {
            let columns = in_windows(placed, &data, "x").unwrap();
            let of = |column: &Column| (column.rows(), column.count_between(3.5, 4.5));
            columns.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(sums(&placed), [(1, 0), (3, 1), (1, 0)]);
        assert!(in_windows(&placed, &data, "y").is_none());
        placed.keep(&[false, true, false]);
        assert_eq!(sums(&placed), [(0, 0), (3, 1), (0, 0)]);
    }

    #[test]
    fn windows_that_are_gone_are_told_and_rows_are_counted_by_the_hour() {
        let (data, six) = (data(&TIMES), "6h".parse().unwrap());
        let mut placed = Placed::by_time(&data, "time", six).unwrap();
        let day = placed.windows[1].window.begins;
        let counts: Vec<u64> = placed.hours.values().copied().collect();
        assert_eq!(counts, [1, 1, 1, 1, 1]);
        // Of four rows of this day three are there; of the one before, all.
        let whole = |begins: i64| Window { begins, ends: begins + 24 * LogSummary::HOUR_MS };
        let before = day - 24 * LogSummary::HOUR_MS;
        let cut = BTreeMap::from([(whole(day), 4), (whole(before), 1)]);
        placed.add(Summaries { cut, ..Summaries::default() }, six).unwrap();
        let found = placed.windows.iter().enumerate();
        let found: Vec<(i64, u64, bool)> = found
            .map(|(place, one)| {
                let hour = (one.window.begins - day) / LogSummary::HOUR_MS;
                (hour, one.rows, placed.partial(place).is_some())
            })
            .collect();
        let expected = [
            (-24, 1, false),
            (0, 1, true),
            (6, 0, true),
            (12, 1, true),
            (18, 1, true),
            (42, 1, false),
        ];
        assert_eq!(found, expected);
        let columns = in_windows(&placed, &data, "x").unwrap();
        assert_eq!(columns.iter().map(Column::rows).collect::<Vec<_>>(), [1, 1, 0, 1, 1, 1]);
    }

    #[test]
    fn windows_of_rows_are_filled_one_after_the_other() {
        let placed = Placed::by_rows(6, 4).unwrap();
        let rows: Vec<u64> = placed.windows.iter().map(|found| found.rows).collect();
        assert_eq!(rows, [4, 2]);
        let columns = in_windows(&placed, &data(&TIMES), "x").unwrap();
        assert_eq!(columns.iter().map(Column::rows).collect::<Vec<_>>(), [4, 2]);
        let error = Placed::by_rows(1 << 40, 10).unwrap_err().to_string();
        assert!(error.contains("at most 20000"), "{error}");
    }

    #[test]
    fn rows_that_take_the_place_of_removed_ones_are_told_by_their_times() {
        let day = |day: u32| Some(format!("2026-02-{day:02}"));
        let sums = |first: u32| {
            let times: Vec<Option<String>> = (first..first + 4).map(day).collect();
            let texts: Vec<Option<&str>> = times.iter().map(Option::as_deref).collect();
            let mut placed = Placed::by_rows(4, 2).unwrap();
            placed.add_times(&data(&texts), "time").unwrap();
            placed.windows.iter().map(|found| found.time_sum).collect::<Vec<_>>()
        };
        assert_eq!(sums(1), sums(1));
        assert!(sums(1).iter().zip(sums(2)).all(|(one, other)| *one < other));
    }

    #[test]
    fn numbers_are_no_times() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let data = Data::from(RecordBatch::try_from_iter([("n", column)]).unwrap());
        for (name, reason) in [("n", "holds no times"), ("m", "no such column")] {
            assert_no_times(&data, name, reason);
        }
        // Text that is no time: no row would be in any window.
        let column: ArrayRef = Arc::new(StringArray::from(vec!["Rome", "Oslo"]));
        let data = Data::from(RecordBatch::try_from_iter([("city", column)]).unwrap());
        assert_no_times(&data, "city", "no row has a time");
    }

    fn assert_no_times(data: &Data, name: &str, reason: &str) {
        let error = Placed::by_time(data, name, "1d".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
