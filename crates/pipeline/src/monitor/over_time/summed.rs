//! Windows whose rows are gone, or are not to be read: put together from what the model server kept of each hour.
//!
//! A window is of rows or of summaries, never of both, so that no row counts twice. It is of summaries where these have
//! more rows than the log still has, or where rows are not wanted at all.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::new_empty_array;
use rayon::prelude::*;
use trainyard_base::words::log_columns::TIME;
use trainyard_data::arrow_schema::DataType;
use trainyard_drift::{Column, Finding, FindingKind, Profile, Severity, Window, WindowLength};
use trainyard_serve::LogSummary;

use super::super::job::MonitorJob;
use crate::{Error, Result};

/// Distinct numbers of a column of a window: hours of many days at once take no more memory than windows of rows.
const POINTS: usize = 2048;

/// What is kept of the rows of one window.
#[derive(Debug)]
pub(super) struct Summed {
    pub(super) rows: u64,
    pub(super) time_sum: i64,
    parts: Vec<LogSummary>,
    /// Columns that some part does not have for their many or long labels.
    left_out: BTreeSet<String>,
    /// Its columns, once they are read.
    columns: BTreeMap<String, Column>,
}

impl MonitorJob {
    /// What summaries of the log say of windows before `until` (milliseconds since 1970); nothing where there are none, or
    /// some rows are wanted and others not.
    pub(super) fn summaries(
        &self,
        length: WindowLength,
        until: i64,
    ) -> Result<BTreeMap<Window, Summed>> {
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
        let all = match LogSummary::all(&log) {
            Ok(all) => all,
            Err(source) if is_asked => return Err(Error::io(log, source)),
            Err(error) => {
                tracing::warn!(%error, "summaries of the log cannot be read: only its rows are looked at");
                Vec::new()
            }
        };
        let windows = by_window(all, length, until);
        if windows.is_empty() { none(is_asked) } else { Ok(windows) }
    }
}

/// No summaries, which is wrong where they were asked for.
fn none(is_asked: bool) -> Result<BTreeMap<Window, Summed>> {
    if !is_asked {
        return Ok(BTreeMap::new());
    }
    Err(Error::Missing {
        what: "--from-summaries: current has no summaries of such windows".to_owned(),
        hint: "name the folder of a prediction log, and windows of whole hours; a server writes summaries an hour after \
               the rows"
            .to_owned(),
    })
}

/// The windows that summaries lie in, as far as they are whole before `until`; those of windows that begin or end within
/// an hour cannot be told apart.
pub(super) fn by_window(
    all: Vec<LogSummary>,
    length: WindowLength,
    until: i64,
) -> BTreeMap<Window, Summed> {
    let is_whole = length.milliseconds().is_some_and(|length| length % LogSummary::HOUR_MS == 0);
    let mut windows = BTreeMap::new();
    let parts = all
        .into_iter()
        .filter(|part| is_whole && part.hour_ms.saturating_add(LogSummary::HOUR_MS) <= until);
    for part in parts {
        let summed = windows.entry(length.window_of(part.hour_ms)).or_insert_with(Summed::new);
        summed.rows += part.rows;
        summed.time_sum = summed.time_sum.wrapping_add(part.time_sum);
        summed.left_out.extend(part.left_out.iter().cloned());
        summed.parts.push(part);
    }
    windows
}

/// A table with the columns of summaries and no rows: what is compared is told by names.
pub(super) fn names(windows: &BTreeMap<Window, Summed>) -> Profile {
    let mut names: Vec<&String> = Vec::new();
    let mut known = BTreeSet::new();
    for name in windows.values().flat_map(|one| &one.parts).flat_map(|part| &part.columns) {
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
            left_out: BTreeSet::new(),
            columns: BTreeMap::new(),
        }
    }

    /// Reads its columns.
    pub(super) fn load(&mut self) -> Result<()> {
        let profiles = self
            .parts
            .par_iter()
            .map(|part| part.profile().map(|profile| (part.rows, profile)))
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|source| Error::io("summaries of the prediction log", source))?;
        let names: BTreeSet<&String> = self.parts.iter().flat_map(|part| &part.columns).collect();
        let wanted = names.into_par_iter().filter(|name| !self.left_out.contains(*name));
        let columns: Vec<(String, Option<Column>)> =
            wanted.map(|name| (name.clone(), together(name, &profiles))).collect();
        for (name, column) in columns {
            match column {
                Some(column) => {
                    self.columns.insert(name, column);
                }
                None => {
                    self.left_out.insert(name);
                }
            }
        }
        Ok(())
    }

    /// Whether nothing is known of a column, which rows may have had.
    pub(super) fn leaves_out(&self, name: &str) -> bool {
        self.left_out.contains(name)
    }

    /// Whether there are quantiles of a column instead of its values.
    pub(super) fn has_quantiles(&self, name: &str) -> bool {
        self.column(name).is_some_and(|column| column.distinct() >= LogSummary::POINTS)
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

    /// Finding on columns that are left out.
    pub(super) fn finding(&self) -> Option<Finding> {
        let first = self.left_out.first()?;
        let more = match self.left_out.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(Finding {
            kind: FindingKind::MissingColumn,
            severity: Severity::Note,
            message: format!(
                "rows are gone, and {first:?}{more} has too many or too long labels for summaries; left out"
            ),
        })
    }
}

/// A column of all parts, two by two: so each value is walked over as few times as possible. None where the types do not
/// go together.
fn together(name: &str, profiles: &[(u64, Profile)]) -> Option<Column> {
    let mut lacking = 0;
    let mut columns: Vec<Column> = Vec::with_capacity(profiles.len());
    for (rows, profile) in profiles {
        match profile.column(name) {
            Some(column) => columns.push(column.clone()),
            None => lacking += rows,
        }
    }
    while columns.len() > 1 {
        let merged = columns.chunks(2).map(|pair| match pair {
            [one, other] => one.merged(other),
            _ => pair.first().cloned(),
        });
        columns = merged.collect::<Option<Vec<Column>>>()?;
    }
    Some(columns.pop()?.with_missing(lacking).quantised(POINTS))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::super::super::source::Data;
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
        placed
            .add(BTreeMap::from([
                // All rows of this hour were removed, one of the next, and none of the last.
                (window(0), summed(4, &[("x", numbers(&[7.0, 7.0, 8.0, 9.0]))])),
                (window(1), summed(2, &[("x", numbers(&[1.0, 5.0]))])),
                (window(2), summed(2, &[("x", numbers(&[2.0, 3.0]))])),
                (window(3), summed(3, &[])),
            ]))
            .unwrap();
        let rows: Vec<u64> = placed.windows.iter().map(|found| found.rows).collect();
        assert_eq!(rows, [4, 2, 2, 3]);
        let columns = placed.cut(&data, "x", 1 << 20).unwrap().unwrap();
        let of =
            |column: &Column| (column.rows(), column.missing(), column.count_between(4.0, 9.5));
        let found: Vec<_> = columns.iter().map(of).collect();
        assert_eq!(found, [(4, 0, 4), (2, 0, 1), (2, 0, 0), (3, 3, 0)]);
        assert!(placed.cut(&data, "y", 1 << 20).unwrap().is_none());
    }

    #[test]
    fn parts_that_lack_a_column_have_missing_values_and_what_does_not_fit_is_left_out() {
        let part = |rows, columns: Vec<(&str, Column)>| {
            let columns = columns.into_iter().map(|(name, column)| (name.to_owned(), column));
            (rows, Profile::from_columns(rows, columns.collect()))
        };
        let text = Column::new(&[&StringArray::from(vec!["a", "b"])]);
        let parts = [
            part(2, vec![("x", numbers(&[1.0, 2.0])), ("y", text)]),
            part(3, vec![("y", numbers(&[1.0, 2.0, 3.0]))]),
            part(1, vec![("x", numbers(&[5.0]))]),
        ];
        let x = together("x", &parts).unwrap();
        assert_eq!((x.rows(), x.missing(), x.distinct()), (6, 3, 3));
        assert!(together("y", &parts).is_none());
    }
}
