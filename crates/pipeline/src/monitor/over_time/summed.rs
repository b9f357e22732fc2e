//! Windows whose rows are gone, or are not to be read: put together from what the model server kept of each hour or day, or
//! summed up by the engine that holds them.
//!
//! A window is of rows or of summaries, never of both, so that no row counts twice. It is of summaries where these have
//! more rows than the log still has, or where rows are not wanted at all. Summaries keep nothing of few rows; a column of
//! which too much is withheld is left out, and a window of which a summary is damaged is known to nobody. One that cuts a
//! summary, as an hour cuts a merged day, or of which the oldest summaries were removed, is partial ([`super::partial`]).

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::new_empty_array;
use rayon::prelude::*;
use trainyard_base::words::log_columns::TIME;
use trainyard_data::arrow_schema::DataType;
use trainyard_drift::{
    Column, Finding, FindingKind, Profile, Severity, Suppressed, Window, WindowLength,
};
use trainyard_serve::{LogSummaries, LogSummary};

use super::super::engine::{self, InEngine};
use super::super::job::MonitorJob;
use crate::{Error, Result};

/// Distinct numbers of a column of a window, as far as there is memory for them: with the fewest, ranks are as right as
/// those of an hour.
const POINTS_MAX: usize = 2048;
const POINTS_MIN: usize = LogSummary::POINTS as usize;

/// Bytes of a number that is kept, and how often it occurs.
const POINT_BYTES: u64 = 16;

/// Distinct labels of a column of a window, the most frequent, and bytes of them as far as there is memory for so many.
const LABELS_MAX: usize = 10_000;
const LABELS_BYTES_MAX: u64 = 1 << 20;

/// Hours and versions that are read at once.
const PARTS_AT_ONCE: usize = 32;

/// Bytes that what is read of hours may take, before it is put together.
const READ_BYTES: usize = 128 << 20;

/// Of a column one value in so many may be withheld: it moves no share by more than is chance in a thousand rows.
const WITHHELD_PART: u64 = 100;

/// Ranks of its numbers may be wrong by one in so many, as they are means of neighbours.
const AVERAGED_PART: u64 = 20;

/// Days before the first wanted window in which a segment may have been begun that has rows of it.
const BEGUN_BEFORE_MS: i64 = 24 * LogSummary::HOUR_MS;

/// What summaries say of windows.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    pub(super) windows: BTreeMap<Window, Summed>,
    /// Hours and days that lie in several windows, and how many rows each had.
    pub(super) cut: BTreeMap<Window, u64>,
    /// The stretch of time whose rows are read (milliseconds since 1970).
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    /// Summaries of what was before are gone, all or some (milliseconds since 1970).
    pub(super) whole_from: Option<i64>,
    /// When the oldest rows came that are there; none where none are, or none are read.
    pub(super) rows_from: Option<i64>,
}

/// How much of a column may be kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Distinct numbers.
    points: usize,
    /// Bytes of labels.
    label_bytes: usize,
}

/// What is kept of the rows of one window.
#[derive(Debug)]
pub(super) struct Summed {
    pub(super) rows: u64,
    pub(super) time_sum: i64,
    parts: Vec<LogSummary>,
    /// Why nobody knows what was in it, if that is so.
    doubt: Option<String>,
    /// Columns that some part does not have: they hold ids, or many or long labels.
    left_out: BTreeSet<String>,
    /// Columns of which too much is withheld, as it stands in few rows.
    hidden: BTreeSet<String>,
    /// How much is withheld of a column that is not hidden.
    withheld: BTreeMap<String, u64>,
    /// Values of labels for which there was no room here, of a column.
    tails: BTreeMap<String, u64>,
    /// Its columns, once they are read.
    columns: BTreeMap<String, Column>,
    /// The engine that summed it up, if one did, and the quantiles that are kept of a column.
    engine: Option<(InEngine, usize)>,
}

impl MonitorJob {
    /// What summaries of the log say of windows from `since` until `until` (milliseconds since 1970); nothing where there
    /// are none, or some rows are wanted and others not.
    pub(super) fn summaries(
        &self,
        length: WindowLength,
        since: Option<i64>,
        until: i64,
    ) -> Result<Summaries> {
        let settings = &self.settings;
        let is_asked = settings.from_summaries;
        let chooses = settings.conditions.is_some()
            || settings.segments.is_some()
            || settings.time_column.as_ref().is_some_and(|column| column != TIME);
        if is_asked && (chooses || settings.labels.is_some()) {
            let why = "--from-summaries reads no rows, without which there is no --where, --segment, --time-column or \
                       --labels";
            return Err(Error::Settings(why.to_owned()));
        }
        let Some(log) = self.log_folder().filter(|_| !chooses) else { return none(is_asked) };
        let begun = since.map_or(i64::MIN, |since| since.saturating_sub(BEGUN_BEFORE_MS))..until;
        // Nobody would know of which windows rows are gone.
        let all = LogSummaries::read(&log, begun).map_err(|source| Error::io(log, source))?;
        let mut summaries = Summaries { since, ..by_window(all, length, until) };
        if is_asked {
            summaries.rows_from = None;
        }
        let is_none = summaries.windows.is_empty();
        if is_none && is_asked { none(is_asked) } else { Ok(summaries) }
    }
}

/// No summaries, which is wrong where they were asked for.
fn none(is_asked: bool) -> Result<Summaries> {
    if !is_asked {
        return Ok(Summaries::default());
    }
    Err(Error::Missing {
        what: "--from-summaries: current has no summaries of such windows".to_owned(),
        hint: "name the folder of a prediction log, and windows of whole hours, or of whole days where hours were merged; a \
               server writes summaries an hour after the rows"
            .to_owned(),
    })
}

/// The windows that summaries lie in, as far as they are whole before `until`, and those summaries that lie in several.
pub(super) fn by_window(all: LogSummaries, length: WindowLength, until: i64) -> Summaries {
    let mut summaries = Summaries {
        until: Some(until),
        whole_from: all.whole_from_ms,
        rows_from: all.rows_from_ms,
        ..Summaries::default()
    };
    let Some(milliseconds) = length.milliseconds() else { return Summaries::default() };
    for (hour_ms, why) in all.doubts {
        tracing::warn!(%why, "a summary of the prediction log is of no use: its window is unknown");
        // A segment may have rows of the next hour, too.
        let hours = [hour_ms, hour_ms.saturating_add(LogSummary::HOUR_MS)];
        let is_told = |hour_ms: &i64| {
            milliseconds % LogSummary::HOUR_MS == 0
                && hour_ms.saturating_add(LogSummary::HOUR_MS) <= until
        };
        for hour_ms in hours.into_iter().filter(is_told) {
            let window = length.window_of(hour_ms);
            let summed = summaries.windows.entry(window).or_insert_with(Summed::new);
            summed.doubt = Some(why.clone());
        }
    }
    for part in all.parts {
        let window = length.window_of(part.begins_ms);
        if part.ends_ms() > window.ends {
            let whole = Window { begins: part.begins_ms, ends: part.ends_ms() };
            *summaries.cut.entry(whole).or_default() += part.rows;
            continue;
        }
        if part.ends_ms() > until {
            continue;
        }
        let summed = summaries.windows.entry(window).or_insert_with(Summed::new);
        summed.rows += part.rows;
        summed.time_sum = summed.time_sum.wrapping_add(part.time_sum);
        summed.left_out.extend(part.left_out.iter().cloned());
        summed.parts.push(part);
    }
    summaries
}

/// A table with the columns of summaries and no rows: what is compared is told by names.
pub(super) fn names(windows: &BTreeMap<Window, Summed>) -> Profile {
    let mut names: Vec<&String> = Vec::new();
    let mut known = BTreeSet::new();
    for name in windows.values().flat_map(|one| &one.parts).flat_map(|part| part.columns.iter()) {
        if known.insert(name) {
            names.push(name);
        }
    }
    let columns = names.into_iter().map(|name| (name.clone(), Column::new(&[]))).collect();
    Profile::from_columns(0, columns)
}

impl Summed {
    fn new() -> Self {
        Self {
            rows: 0,
            time_sum: 0,
            parts: Vec::new(),
            doubt: None,
            left_out: BTreeSet::new(),
            hidden: BTreeSet::new(),
            withheld: BTreeMap::new(),
            tails: BTreeMap::new(),
            columns: BTreeMap::new(),
            engine: None,
        }
    }

    /// What an engine says of a window, of whose numbers at most so many are kept.
    pub(super) fn of_engine(profile: &Profile, engine: InEngine, points: usize) -> Self {
        Self {
            rows: profile.rows(),
            columns: profile.columns().iter().cloned().collect(),
            engine: Some((engine, points)),
            ..Self::new()
        }
    }

    /// Reads its columns of these names, with as much of each as there is room for. What is damaged leaves it in doubt.
    ///
    /// # Errors
    ///
    /// Where a summary was changed or removed meanwhile, which the next look knows.
    pub(super) fn load(&mut self, names: &[String], room: Room) -> Result<()> {
        if self.doubt.is_some() {
            return Ok(());
        }
        let wanted: Vec<&String> =
            names.iter().filter(|name| !self.left_out.contains(*name)).collect();
        let parts = self.parts.len().clamp(1, PARTS_AT_ONCE);
        // Several windows are read beside each other.
        let share = READ_BYTES / rayon::current_num_threads();
        let at_once = (share / LogSummary::COLUMN_BYTES_MAX / parts).max(1);
        for names in wanted.chunks(at_once) {
            self.load_some(names, room)?;
        }
        Ok(())
    }

    /// The same of some columns: labels of all of them, as they are read, may be more than there is memory for.
    fn load_some(&mut self, names: &[&String], room: Room) -> Result<()> {
        let is_wanted = |name: &str| names.iter().any(|wanted| *wanted == name);
        let mut chunks: Vec<Profile> = Vec::new();
        let mut lost = Lost::default();
        for parts in self.parts.chunks(PARTS_AT_ONCE) {
            let profiles = parts
                .par_iter()
                .map(|part| part.profile_of(is_wanted))
                .collect::<std::io::Result<Vec<Profile>>>();
            let profiles = match profiles {
                Ok(profiles) => profiles,
                // Nobody changed what they are read from: it is as unreadable the next time.
                Err(error) if parts.iter().all(LogSummary::is_current) => {
                    self.doubt = Some(error.to_string());
                    return Ok(());
                }
                Err(source) => {
                    return Err(Error::io("summaries of the prediction log", source));
                }
            };
            let columns = merged(names, &profiles, room, &mut lost);
            let rows = parts.iter().map(|part| part.rows).sum();
            chunks.push(Profile::from_columns(rows, columns));
        }
        let columns = merged(names, &chunks, room, &mut lost);
        self.left_out.extend(lost.unfit);
        self.tails.extend(lost.tails);
        for (name, column) in columns {
            if !self.left_out.contains(&name) {
                self.put(name, column);
            }
        }
        Ok(())
    }

    /// Keeps a column of all parts, unless too little is known of it.
    fn put(&mut self, name: String, column: Column) {
        let of = |rows: fn(&LogSummary) -> &BTreeMap<String, u64>| -> u64 {
            self.parts.iter().filter_map(|part| rows(part).get(&name)).sum()
        };
        let tail = self.tails.get(&name).copied().unwrap_or(0);
        let withheld = of(|part| &part.withheld) + tail;
        let averaged = of(|part| &part.averaged);
        let values = column.rows() - column.missing() + withheld;
        if withheld * WITHHELD_PART > values || averaged * AVERAGED_PART > values {
            self.hidden.insert(name);
            return;
        }
        if withheld > 0 {
            self.withheld.insert(name.clone(), withheld);
        }
        self.columns.insert(name, column.without_missing(withheld));
    }

    /// Hours and versions that it is put together from.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Whether nobody knows what was in it.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whether nothing is known of a column, which rows may have had.
    pub(super) fn leaves_out(&self, name: &str) -> bool {
        let stays = |(engine, _): &(InEngine, usize)| {
            engine.stayed(name).is_some() || engine.numbers_rows(name)
        };
        self.doubt.is_some()
            || self.left_out.contains(name)
            || self.hidden.contains(name)
            || self.engine.as_ref().is_some_and(stays)
    }

    /// Rows of a column that are not in it, as their values stand in few rows.
    pub(super) fn withheld(&self, name: &str) -> u64 {
        self.withheld.get(name).copied().unwrap_or(0)
    }

    /// Whether there are quantiles or means of a column instead of its values.
    pub(super) fn has_quantiles(&self, name: &str) -> bool {
        if let Some((engine, points)) = &self.engine {
            let is_full = |column: &Column| column.distinct() >= *points as u64;
            return engine.is_quantised(name) || self.column(name).is_some_and(is_full);
        }
        self.column(name).is_some_and(|column| column.distinct() >= LogSummary::POINTS)
            || self.parts.iter().any(|part| part.averaged.contains_key(name))
    }

    /// A column; none if its rows had none.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// The column where its rows had none, but others do: missing values.
    pub(super) fn missing(&self, like: &DataType) -> Column {
        let none = new_empty_array(like);
        Column::new(&[none.as_ref()]).with_missing(self.rows)
    }

    /// What is to be said of that which is not known, where these columns are compared: as long as there is some, nobody
    /// can say that all is well.
    pub(super) fn findings(&self, names: &[String]) -> Vec<Finding> {
        let finding =
            |severity, message| Finding { kind: FindingKind::MissingColumn, severity, message };
        if let Some(why) = &self.doubt {
            let message = format!("rows may be gone, and nobody knows what was in them: {why}");
            return vec![finding(Severity::Serious, message)];
        }
        if let Some((engine, _)) = &self.engine {
            let stayed = names.iter().filter_map(|name| Some((name, engine.stayed(name)?)));
            let stayed = stayed.map(|(name, why)| {
                finding(Severity::Warning, format!("{name:?} is left out: {why}"))
            });
            return stayed.chain(engine::finding(Some(engine), "the window")).collect();
        }
        let is_compared = |name: &&String| names.contains(name);
        let kinds = [
            (&self.left_out, "ids, or too many or too long labels, for summaries"),
            (&self.hidden, "too much that stands in few rows, which summaries do not keep"),
        ];
        let said = kinds.into_iter().filter_map(|(columns, why)| {
            let mut columns = columns.iter().filter(is_compared);
            let first = columns.next()?;
            let more = match columns.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!("rows are gone, and {first:?}{more} has {why}; left out");
            Some(finding(Severity::Warning, message))
        });
        said.collect()
    }
}

/// How much of a column of a window may be kept, so that all columns of all windows, each of so many parts, fit in half of the
/// memory if they hold numbers, and in a quarter if they hold labels.
///
/// # Errors
///
/// Where not even the fewest do.
pub(super) fn room(windows: &[usize], columns: usize, memory: u64) -> Result<Room> {
    // Those of its chunks, too, while it is put together.
    let held = |parts: &usize| 1 + parts.div_ceil(PARTS_AT_ONCE);
    let bytes = |points: usize| -> u64 {
        let of = |parts: &usize| {
            (columns * points.min(parts * POINTS_MIN) * held(parts)) as u64 * POINT_BYTES
        };
        windows.iter().map(of).sum()
    };
    let mut points = POINTS_MAX;
    while bytes(points) > memory / 2 {
        if points == POINTS_MIN {
            return Err(Error::Missing {
                what: format!(
                    "summaries of {columns} columns in {} windows take {} bytes of memory, and may take {}",
                    windows.len(),
                    bytes(points),
                    memory / 2
                ),
                hint: "look at fewer columns with --columns, or at fewer windows with --since"
                    .to_owned(),
            });
        }
        points /= 2;
    }
    let cells = windows.iter().map(|parts| (columns * held(parts)) as u64).sum::<u64>().max(1);
    let label_bytes = (memory / 4 / cells).min(LABELS_BYTES_MAX) as usize;
    Ok(Room { points, label_bytes })
}

/// What is lost where columns are put together.
#[derive(Debug, Default)]
struct Lost {
    /// Columns whose types do not go together.
    unfit: BTreeSet<String>,
    /// Values of labels for which there was no room, by column.
    tails: BTreeMap<String, u64>,
}

/// The columns of these names that some part has.
fn merged(
    names: &[&String],
    parts: &[Profile],
    room: Room,
    lost: &mut Lost,
) -> Vec<(String, Column)> {
    let is_there = |name: &&&String| parts.iter().any(|part| part.column(name).is_some());
    let of = |name: &&String| ((*name).clone(), together(name, parts, room));
    let all: Vec<(String, Option<Suppressed>)> =
        names.par_iter().filter(is_there).map(of).collect();
    let mut columns = Vec::with_capacity(all.len());
    for (name, merged) in all {
        let Some(Suppressed { column, withheld: tail, .. }) = merged else {
            lost.unfit.insert(name);
            continue;
        };
        if tail > 0 {
            *lost.tails.entry(name.clone()).or_default() += tail;
        }
        columns.push((name, column));
    }
    columns
}

/// A column of all parts, as far as there is room. None where the types do not go together.
fn together(name: &str, parts: &[Profile], room: Room) -> Option<Suppressed> {
    let whole = Profile::column_of_all(name, parts)?.quantised(room.points);
    Some(whole.most_frequent(LABELS_MAX, room.label_bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::super::super::source::Data;
    use super::super::cut::in_windows;
    use super::super::rows::Placed;
    use super::*;

    const HOUR: i64 = LogSummary::HOUR_MS;

    fn summed(rows: u64, columns: &[(&str, Column)]) -> Summed {
        let columns = columns.iter().map(|(name, column)| ((*name).to_owned(), column.clone()));
        Summed { rows, columns: columns.collect(), ..Summed::new() }
    }

    fn numbers(values: &[f64]) -> Column {
        Column::new(&[&Float64Array::from(values.to_vec())])
    }

    #[test]
    fn a_window_is_of_rows_or_of_summaries_and_no_row_counts_twice() {
        let times = ["1970-01-01T01:10:00", "1970-01-01T02:10:00", "1970-01-01T02:20:00"];
        let columns: [(&str, ArrayRef); 2] = [
            ("time", Arc::new(StringArray::from(times.to_vec()))),
            ("x", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
        ];
        let data = Data::from(RecordBatch::try_from_iter(columns).unwrap());
        let hour = "1h".parse().unwrap();
        let mut placed = Placed::by_time(&data, "time", hour).unwrap();
        let window = |number: i64| Window { begins: number * HOUR, ends: (number + 1) * HOUR };
        let windows = BTreeMap::from([
            // All rows of this hour were removed, one of the next, and none of the last.
            (window(0), summed(4, &[("x", numbers(&[7.0, 7.0, 8.0, 9.0]))])),
            (window(1), summed(2, &[("x", numbers(&[1.0, 5.0]))])),
            (window(2), summed(2, &[("x", numbers(&[2.0, 3.0]))])),
            (window(3), summed(3, &[])),
        ]);
        placed.add(Summaries { windows, ..Summaries::default() }, hour).unwrap();
        let rows: Vec<u64> = placed.windows.iter().map(|found| found.rows).collect();
        assert_eq!(rows, [4, 2, 2, 3]);
        let columns = in_windows(&placed, &data, "x").unwrap();
        let of =
            |column: &Column| (column.rows(), column.missing(), column.count_between(4.0, 9.5));
        let found: Vec<_> = columns.iter().map(of).collect();
        assert_eq!(found, [(4, 0, 4), (2, 0, 1), (2, 0, 0), (3, 3, 0)]);
        assert!(in_windows(&placed, &data, "y").is_none());
    }

    #[test]
    fn parts_that_lack_a_column_have_missing_values_and_what_does_not_fit_is_left_out() {
        let part = |rows, columns: Vec<(&str, Column)>| {
            let columns = columns.into_iter().map(|(name, column)| (name.to_owned(), column));
            Profile::from_columns(rows, columns.collect())
        };
        let text = Column::new(&[&StringArray::from(vec!["a", "b"])]);
        let parts = [
            part(2, vec![("x", numbers(&[1.0, 2.0])), ("y", text)]),
            part(3, vec![("y", numbers(&[1.0, 2.0, 3.0]))]),
            part(1, vec![("x", numbers(&[5.0]))]),
        ];
        let room = Room { points: POINTS_MAX, label_bytes: 1000 };
        let x = together("x", &parts, room).unwrap().column;
        assert_eq!((x.rows(), x.missing(), x.distinct()), (6, 3, 3));
        assert!(together("y", &parts, room).is_none());
        let names = ["x", "y", "z"].map(str::to_owned);
        let mut lost = Lost::default();
        let columns = merged(&names.iter().collect::<Vec<_>>(), &parts, room, &mut lost);
        assert_eq!((columns.len(), lost.unfit), (1, BTreeSet::from(["y".to_owned()])));
    }

    #[test]
    fn of_wide_labels_the_most_frequent_are_kept_and_what_is_not_is_withheld() {
        let of = |hour: usize| {
            let often = (0..990).map(|row| format!("often {}", row % 9));
            let rare = (0..10).map(move |row| format!("rare {hour} {row}"));
            let labels = StringArray::from_iter_values(often.chain(rare));
            let columns = vec![("label".to_owned(), Column::new(&[&labels]))];
            Profile::from_columns(1000, columns)
        };
        let parts: Vec<_> = (0..24).map(of).collect();
        let room = Room { points: POINTS_MAX, label_bytes: 300 };
        let names = ["label".to_owned()];
        let mut lost = Lost::default();
        let columns = merged(&names.iter().collect::<Vec<_>>(), &parts, room, &mut lost);
        let column = &columns[0].1;
        assert!(column.label_bytes() <= 300 && column.distinct() >= 9, "{column:?}");
        let tail = lost.tails["label"];
        assert_eq!((column.rows(), column.missing()), (24_000, tail));
        assert!((230..=240).contains(&tail), "{tail}");
        // Not more than one in a hundred.
        let mut one = Summed { tails: lost.tails, ..Summed::new() };
        one.put("label".to_owned(), column.clone());
        assert!(!one.leaves_out("label"));
        assert_eq!(one.withheld("label"), tail);
    }

    #[test]
    fn a_window_with_a_damaged_summary_is_unknown_also_where_rows_are_left() {
        let day: WindowLength = "1d".parse().unwrap();
        let doubts = BTreeMap::from([(HOUR, "x.summary: damaged".to_owned())]);
        let all = LogSummaries { doubts, ..LogSummaries::default() };
        let summaries = by_window(all, day, 48 * HOUR);
        assert_eq!(summaries.windows.len(), 1);
        let columns: [(&str, ArrayRef); 2] = [
            (
                "time",
                Arc::new(StringArray::from(vec!["1970-01-01T05:00:00", "1970-01-02T05:00:00"])),
            ),
            ("x", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
        ];
        let data = Data::from(RecordBatch::try_from_iter(columns).unwrap());
        let mut placed = Placed::by_time(&data, "time", day).unwrap();
        placed.add(summaries, day).unwrap();
        let rows: Vec<u64> = placed.windows.iter().map(|found| found.rows).collect();
        assert_eq!((rows, placed.is_in_doubt(0), placed.is_in_doubt(1)), (vec![1, 1], true, false));
        assert!(placed.leaves_out(0, "x") && !placed.leaves_out(1, "x"));
        let said = placed.findings(0, &["x".to_owned()]);
        assert_eq!((said.len(), said[0].severity), (1, Severity::Serious));
        assert!(placed.findings(1, &["x".to_owned()]).is_empty());
        let none =
            trainyard_drift::conclude(Vec::new(), 10, 1, &trainyard_drift::Options::default());
        assert_eq!(none.verdict(), trainyard_drift::DatasetVerdict::Broken);
    }

    #[test]
    fn a_column_of_which_too_much_is_withheld_is_left_out_and_said_to_be() {
        let mut one = Summed { rows: 100, ..Summed::new() };
        one.left_out.insert("text".to_owned());
        one.hidden.insert("x".to_owned());
        let names = ["x", "text", "y"].map(str::to_owned);
        assert!(names.iter().map(|name| one.leaves_out(name)).eq([true, true, false]));
        let said = one.findings(&names);
        assert!(said.iter().all(|one| one.severity == Severity::Warning), "{said:?}");
        assert_eq!(said.len(), 2);
        assert!(one.findings(&names[2..]).is_empty(), "nobody asked for them");
    }

    #[test]
    fn columns_have_as_many_numbers_as_there_is_memory_for_or_are_refused() {
        // A month of hours with 25 columns is whole in less than a gigabyte.
        let whole = room(&[1; 720], 25, 1 << 30).unwrap();
        assert_eq!((whole.points, whole.label_bytes), (POINTS_MAX, (1 << 28) / (720 * 25 * 2)));
        assert_eq!(room(&[], 1000, 0).unwrap().points, POINTS_MAX);
        let less = room(&[24; 400], 1000, 16 << 30).unwrap();
        assert!((POINTS_MIN..POINTS_MAX).contains(&less.points), "{less:?}");
        assert!(less.label_bytes >= 2048, "{less:?}");
        let error = room(&[24; 400], 1000, 1 << 30).unwrap_err().to_string();
        assert!(error.contains("1000 columns in 400 windows"), "{error}");
    }
}
