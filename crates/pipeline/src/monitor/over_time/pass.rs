//! All windows in one pass over the columns: each with the reference, and with the window before it.
//!
//! A column is read once and cut into windows; what is kept of it is what was found, and a summary of at most so many
//! numbers and labels. The summaries are what the next window is held to, whether it is looked at now or next week.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use trainyard_drift::{
    Column, ColumnDrift, DatasetDrift, Options, Profile, compare_columns, conclude, unreadable,
};

use super::super::by_quantiles::compared;
use super::super::comparison::{Plan, Sides, plan, threads_and_memory};
use super::rows::Placed;
use crate::{Error, Result};

/// Distinct numbers of a column that a window's summary keeps: ranks are right to 1 in 2,000.
const SUMMARY_POINTS: usize = 1000;

/// Distinct labels of a column that a summary keeps; a column with more is left out of it: these are texts or ids.
const SUMMARY_LABELS_MAX: u64 = 10_000;

/// Windows times columns: each keeps about a kilobyte until the look is over.
const CELLS_MAX: usize = 500_000;

/// What was found in one window.
#[derive(Debug)]
pub(super) struct Seen {
    /// The window against the reference.
    pub(super) drift: DatasetDrift,
    /// Its columns against those of the window before, where there is one.
    pub(super) changes: Vec<ColumnDrift>,
    pub(super) summary: Profile,
}

/// One column in one window.
struct Cell {
    /// None where nothing is known of it.
    drift: Option<ColumnDrift>,
    change: Option<ColumnDrift>,
    summary: Option<Column>,
}

/// The summary of the window before a window, by the latter's place, where it is kept from another look.
pub(super) type Before<'a> = &'a (dyn Fn(usize) -> Option<Profile> + Sync);

/// The columns that are looked at in so many windows.
///
/// # Errors
///
/// Where these are too many together, which is said before anything of them is read.
pub(super) fn columns(
    sides: &Sides,
    placed: &Placed,
    windows: usize,
    options: &Options,
) -> Result<Vec<String>> {
    Ok(planned(sides, placed, windows, options)?.names)
}

fn planned(sides: &Sides, placed: &Placed, windows: usize, options: &Options) -> Result<Plan> {
    let mut planned = plan(sides, &Options { is_window: true, ..options.clone() });
    let names = &mut planned.names;
    names.retain(|name| Some(name) != placed.column.as_ref());
    if windows.saturating_mul(names.len()) > CELLS_MAX {
        return Err(Error::Missing {
            what: format!("{windows} windows of {} columns are too many at once", names.len()),
            hint: "look at fewer columns with --columns, or at fewer windows with --since"
                .to_owned(),
        });
    }
    Ok(planned)
}

/// Looks at the wanted windows, of which there is one entry each; the others have none.
pub(super) fn pass(
    sides: &Sides,
    placed: &Placed,
    is_wanted: &[bool],
    kept_before: Before<'_>,
    options: &Options,
    memory: u64,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Option<Seen>>> {
    let wanted: Vec<usize> = (0..is_wanted.len()).filter(|&place| is_wanted[place]).collect();
    let Plan { options, names, left_out, .. } = planned(sides, placed, wanted.len(), options)?;
    let (threads, memory) = threads_and_memory(sides, memory);
    let before: Vec<Option<Profile>> = wanted
        .iter()
        .map(|&place| {
            let is_looked_at = place > 0 && is_wanted[place - 1];
            if is_looked_at { None } else { kept_before(place) }
        })
        .collect();
    let done = AtomicUsize::new(0);
    let column = |name: &String| {
        let cells = of_column(sides, placed, name, &wanted, &before, &options, memory);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, names.len());
        cells
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Error::io("threads", std::io::Error::other(error)))?;
    let columns: Vec<Vec<Cell>> = pool.install(|| names.par_iter().map(column).collect());
    let mut by_window: Vec<Vec<Cell>> =
        wanted.iter().map(|_| Vec::with_capacity(names.len())).collect();
    for cells in columns {
        for (window, cell) in by_window.iter_mut().zip(cells) {
            window.push(cell);
        }
    }
    let mut seen: Vec<Option<Seen>> = is_wanted.iter().map(|_| None).collect();
    for (&place, cells) in wanted.iter().zip(by_window) {
        let rows = placed.windows[place].rows;
        let mut one = together(&names, cells, sides.reference.rows(), rows, &options);
        one.drift.findings.extend(left_out.clone());
        one.drift.findings.extend(placed.findings(place, &names));
        seen[place] = Some(one);
    }
    Ok(seen)
}

/// A column in all wanted windows.
fn of_column(
    sides: &Sides,
    placed: &Placed,
    name: &str,
    wanted: &[usize],
    before: &[Option<Profile>],
    options: &Options,
    memory: u64,
) -> Vec<Cell> {
    let looked_at = || -> Result<Vec<Cell>> {
        let reference = sides.reference.column(name, options, memory)?;
        let mut column = InWindows {
            name,
            reference,
            has_quantiles: sides.reference.has_quantiles(name),
            placed,
            options,
            last: None,
            cells: Vec::with_capacity(wanted.len()),
        };
        let mut next = wanted.iter().zip(before).peekable();
        let is_there = placed.cut(&sides.current, name, memory, |place, current| {
            if let Some((&place, kept)) = next.next_if(|(wanted, _)| **wanted == place) {
                column.look(place, kept.as_ref(), Some(&current));
            }
        })?;
        if !is_there {
            for (&place, kept) in wanted.iter().zip(before) {
                column.look(place, kept.as_ref(), None);
            }
        }
        Ok(column.cells)
    };
    looked_at().unwrap_or_else(|error| {
        let failed = |_: &usize| Cell {
            drift: Some(unreadable(name, &error.message(), options)),
            change: None,
            summary: None,
        };
        wanted.iter().map(failed).collect()
    })
}

/// A column that is looked at window by window.
struct InWindows<'a> {
    name: &'a str,
    reference: Option<Column>,
    /// Whether the reference has quantiles instead of values.
    has_quantiles: bool,
    placed: &'a Placed,
    options: &'a Options,
    /// The place of the window that was looked at last, and its summary.
    last: Option<(usize, Option<Column>)>,
    cells: Vec<Cell>,
}

impl InWindows<'_> {
    /// Looks at the next window; `kept` is of the window before it, from another look.
    fn look(&mut self, place: usize, kept: Option<&Profile>, current: Option<&Column>) {
        let (name, placed, options) = (self.name, self.placed, self.options);
        if placed.leaves_out(place, name) {
            self.last = Some((place, None));
            self.cells.push(Cell { drift: None, change: None, summary: None });
            return;
        }
        let both = [self.reference.as_ref(), current];
        let are_quantiles = [self.has_quantiles, placed.has_quantiles(place, name)];
        let mut drift = compared(name, both, are_quantiles, options);
        // Charts are drawn of single comparisons.
        drift.distribution = None;
        drift.words = Vec::new();
        let summary = current.and_then(summary);
        // For the window after it they are as good as missing.
        let summary = summary.map(|column| column.with_missing(placed.withheld(place, name)));
        let of_last = match &self.last {
            Some((at, column)) if at + 1 == place => column.as_ref(),
            _ => kept.and_then(|profile| profile.column(name)),
        };
        let change = of_last.zip(summary.as_ref()).map(|(old, new)| {
            let kinds = [(name.to_owned(), drift.kind)].into();
            let options = Options { kinds, rules: BTreeMap::new(), ..options.clone() };
            compare_columns(name, Some(old), Some(new), &options)
        });
        self.last = Some((place, summary.clone()));
        self.cells.push(Cell { drift: Some(drift), change, summary });
    }
}

/// What is kept of a column in a window.
fn summary(column: &Column) -> Option<Column> {
    let quantised = column.quantised(SUMMARY_POINTS);
    (quantised.distinct() <= SUMMARY_LABELS_MAX).then_some(quantised)
}

/// The columns of a window together.
fn together(
    names: &[String],
    cells: Vec<Cell>,
    reference_rows: u64,
    rows: u64,
    options: &Options,
) -> Seen {
    let mut columns = Vec::with_capacity(cells.len());
    let (mut changes, mut kept) = (Vec::new(), Vec::new());
    for (name, cell) in names.iter().zip(cells) {
        columns.extend(cell.drift);
        changes.extend(cell.change);
        // What cannot be read has other rows, and no profile could hold it.
        let whole = cell.summary.filter(|column| column.rows() == rows);
        kept.extend(whole.map(|column| (name.clone(), column)));
    }
    let drift = conclude(columns, reference_rows, rows, options);
    Seen { drift, changes, summary: Profile::from_columns(rows, kept) }
}
