//! A table summed up in its engine: which statements are run, and what is made of the answers.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::NullArray;
use trainyard_drift::{Column, Profile, is_called_row_names};

use crate::conditions;
use crate::error::{Error, Result};
use crate::limits::{
    ANSWER_ROWS, COLUMNS_A_STATEMENT, LABEL_CHARACTERS_MAX, Limits, POINTS, ROWS_MAX,
};
use crate::session::{Running, Session};
use crate::shape::{Form, Shape};
use crate::source::Source;
use crate::statements::{self, NUMBERS_A_COLUMN};
use crate::types::shapes;
use crate::values::{self, QUANTILES, VALUES};

/// How long a statement that is to stop may take for it.
const GRACE: Duration = Duration::from_secs(5);

/// Different texts up to which a column is one of labels, however many of its values they are.
const LABELS_FEW: u64 = 100;

/// Rows of an answer beside those of usable values: missing, no number, infinite on either side.
const ROWS_BESIDE: u64 = 4;

/// Characters of a version that are shown.
const VERSION_CHARACTERS_MAX: usize = 60;

/// What left the engine.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The columns, counted or as quantiles, in the table's order; one of nothing for each that stayed.
    pub profile: Profile,
    /// Columns of which there are [`POINTS`] quantiles.
    pub quantised: Vec<String>,
    /// Columns that stayed in the engine, with the reason.
    pub stayed: Vec<(String, String)>,
    /// Columns that name or number the rows, of which nothing is here: they say nothing of drift.
    pub numbering: Vec<String>,
    /// What ran where, in a sentence without a beginning: "was summed up by …".
    pub told: String,
}

/// Sums up a table in its engine. Nothing is changed there, and nothing but counts of few values, quantiles of many
/// numbers and labels leaves it. This waits, at most [`Limits::time`] and a few seconds.
pub fn summarize(source: &Source, limits: &Limits) -> Result<Summary> {
    let until = Instant::now() + limits.time;
    let running = Running::default();
    let (done, answer) = sync_channel(1);
    let timed_out = || Error::TimedOut { place: source.place().to_owned(), limit: limits.time };
    let work = {
        let (source, limits, running) = (source.clone(), limits.clone(), Arc::clone(&running));
        move || {
            // Nobody listens any more where it took too long.
            let _nobody = done.send(read(&source, &limits, &running, until));
        }
    };
    std::thread::Builder::new().name("engine".to_owned()).spawn(work)?;
    match answer.recv_timeout(limits.time) {
        Ok(Err(_)) if Instant::now() >= until => Err(timed_out()),
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            if let Some(running) = running.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                // An engine that cannot stop is left alone: its connection ends with this process.
                let _may_not = running.try_cancel();
            }
            let _late = answer.recv_timeout(GRACE);
            Err(timed_out())
        }
        Err(RecvTimeoutError::Disconnected) => Err(Error::Answer {
            place: source.place().to_owned(),
            what: "a statement".to_owned(),
            reason: "the driver panicked".to_owned(),
        }),
    }
}

/// What is known of a column before its values are asked for.
struct Counts {
    /// Values, those that are no number among them.
    present: u64,
    distinct: u64,
    nan: u64,
    infinite: [u64; 2],
    /// Characters of the longest text.
    length: u64,
}

impl Counts {
    fn of(numbers: &[u64; NUMBERS_A_COLUMN]) -> Self {
        let [present, distinct, nan, low, high, length] = *numbers;
        Self { present, distinct, nan, infinite: [low, high], length }
    }

    fn finite(&self) -> u64 {
        self.present.saturating_sub(self.nan + self.infinite.iter().sum::<u64>())
    }

    /// Distinct values among the finite ones.
    fn distinct_finite(&self) -> u64 {
        let others = [self.nan, self.infinite[0], self.infinite[1]];
        let others = others.iter().filter(|count| **count > 0).count() as u64;
        self.distinct.saturating_sub(others)
    }

    /// Whether the column names or numbers so many rows, which then are too many for its values to be counted.
    fn number_rows(&self, shape: &Shape, rows: u64) -> bool {
        let is_whole = shape.form == Form::Text || shape.data_type.is_integer();
        let is_long = self.distinct > POINTS as u64 || self.stays().is_some();
        let is_another_in_each = self.present == rows && self.distinct == rows;
        is_whole && is_long && is_another_in_each && is_called_row_names(&shape.name)
    }

    /// Why a column of texts stays where it is.
    fn stays(&self) -> Option<String> {
        if self.length > LABEL_CHARACTERS_MAX {
            return Some(format!(
                "it has a text of {} characters; labels of up to {LABEL_CHARACTERS_MAX} leave the engine",
                self.length
            ));
        }
        if self.distinct > POINTS as u64 {
            return Some(format!(
                "it has {} different texts; up to {POINTS} labels leave the engine",
                self.distinct
            ));
        }
        let is_free = self.distinct > LABELS_FEW && self.distinct > self.present / 2;
        is_free.then(|| {
            format!(
                "{} of its {} texts are different: free text does not leave the engine",
                self.distinct, self.present
            )
        })
    }
}

fn read(source: &Source, limits: &Limits, running: &Running, until: Instant) -> Result<Summary> {
    let engine = source.engine();
    let mut session = Session::open(source, limits, running, until)?;
    let version = session.text("its version", engine.version())?;
    let (relation, shapes) = chosen(&mut session, source, limits)?;
    let (rows, counts) = count(&mut session, source, &relation, &shapes)?;
    let columns = vec![None; shapes.len()];
    let mut table = Table { source, relation, shapes: &shapes, rows, columns };
    let (mut exact, mut quantised) = (Vec::new(), Vec::new());
    let (mut stayed, mut numbering) = (Vec::new(), Vec::new());
    for (index, (shape, counts)) in shapes.iter().zip(&counts).enumerate() {
        let missing = rows.saturating_sub(counts.present);
        if counts.number_rows(shape, rows) {
            numbering.push(shape.name.clone());
            continue;
        }
        match (shape.form, counts.stays()) {
            (Form::Other, _) => {
                let none = arrow_array::new_empty_array(&shape.data_type);
                let column = Column::counted(none.as_ref(), &[counts.present], missing);
                table.columns[index] = Some(column);
            }
            (Form::Text, Some(reason)) => {
                let nothing = Column::counted(&NullArray::new(0), &[counts.present], missing);
                table.columns[index] = Some(nothing);
                stayed.push((shape.name.clone(), reason));
            }
            (Form::Float | Form::Ordered, _) if counts.distinct_finite() > POINTS as u64 => {
                quantised.push(index);
            }
            _ => exact.push(index),
        }
    }
    for together in batches(&exact, &counts, engine.has_grouping_sets()) {
        table.count_values(&mut session, together, &counts)?;
    }
    for index in &quantised {
        table.quantiles(&mut session, *index, &counts[*index])?;
    }
    let columns = shapes.iter().zip(table.columns);
    let columns = columns.filter_map(|(shape, column)| Some((shape.name.clone(), column?)));
    let profile = Profile::from_columns(rows, columns.collect());
    let told = format!(
        "was summed up by {} at {}, in {} statements: {rows} rows, {} columns",
        shown_version(engine.name(), &version),
        source.shown(),
        session.statements,
        shapes.len()
    );
    Ok(Summary {
        profile,
        quantised: quantised.iter().map(|index| shapes[*index].name.clone()).collect(),
        stayed,
        numbering,
        told,
    })
}

/// What stands after `from`, with the rows that count alone, and the columns that are wanted.
fn chosen(
    session: &mut Session<'_>,
    source: &Source,
    limits: &Limits,
) -> Result<(String, Vec<Shape>)> {
    let relation = source.relation();
    let of_rows = limits.rows.columns()?;
    // Those that rows are chosen by are looked at, too.
    let looked_at: Option<Vec<&String>> =
        limits.columns.as_ref().map(|names| names.iter().chain(&of_rows).collect());
    let mut shapes = shapes(session, source, looked_at.as_deref())?;
    let columns: Vec<_> =
        shapes.iter().map(|shape| (shape.name.as_str(), &shape.data_type)).collect();
    let relation = match limits.rows.predicate(&columns)? {
        None => relation,
        Some(predicate) => {
            let sql = conditions::sql(source.engine(), &predicate, &shapes).ok_or_else(|| {
                Error::Source {
                    place: source.shown(),
                    reason: "a condition has a time or a text that no engine reads".to_owned(),
                }
            })?;
            format!("(select * from {relation} as s where {sql})")
        }
    };
    if let Some(wanted) = &limits.columns {
        shapes.retain(|shape| wanted.contains(&shape.name));
    }
    Ok((relation, shapes))
}

/// The rows, and what is to be known of each column first.
fn count(
    session: &mut Session<'_>,
    source: &Source,
    relation: &str,
    shapes: &[Shape],
) -> Result<(u64, Vec<Counts>)> {
    let what = "how many values there are";
    let mut counts = Vec::with_capacity(shapes.len());
    let mut rows = None;
    for shapes in shapes.chunks(COLUMNS_A_STATEMENT) {
        let shapes: Vec<&Shape> = shapes.iter().collect();
        let sql = statements::counts(source.engine(), relation, &shapes);
        let numbers = session.numbers(what, &sql, 1 + shapes.len() * NUMBERS_A_COLUMN)?;
        let (found, numbers) = (numbers[0], &numbers[1..]);
        counts.extend(numbers.as_chunks().0.iter().map(Counts::of));
        if rows.replace(found).is_some_and(|before| before != found) {
            return Err(changed(source, "its number of rows"));
        }
    }
    let rows = match rows {
        Some(rows) => rows,
        None => session.numbers(what, &statements::rows(relation), 1)?[0],
    };
    if rows > ROWS_MAX {
        return Err(Error::TooLarge {
            place: source.shown(),
            found: rows,
            what: "rows",
            most: ROWS_MAX,
        });
    }
    Ok((rows, counts))
}

fn changed(source: &Source, what: &str) -> Error {
    Error::Changed { place: source.shown(), what: what.to_owned() }
}

/// A table whose columns are read.
struct Table<'a> {
    source: &'a Source,
    /// What stands after `from`.
    relation: String,
    shapes: &'a [Shape],
    rows: u64,
    columns: Vec<Option<Column>>,
}

impl Table<'_> {
    /// Columns of few values, in one statement.
    fn count_values(
        &mut self,
        session: &mut Session<'_>,
        together: &[usize],
        counts: &[Counts],
    ) -> Result<()> {
        let shapes: Vec<&Shape> = together.iter().map(|index| &self.shapes[*index]).collect();
        let sql = statements::values(&self.relation, &shapes);
        let most = together.iter().map(|index| counts[*index].distinct + ROWS_BESIDE).sum();
        let batches = session.rows(VALUES, &sql, most)?;
        let columns = values::counted(session, &shapes, &batches)?;
        for (index, column) in together.iter().zip(columns) {
            self.take(*index, column)?;
        }
        Ok(())
    }

    /// A column of many numbers.
    fn quantiles(
        &mut self,
        session: &mut Session<'_>,
        index: usize,
        counts: &Counts,
    ) -> Result<()> {
        let shape = &self.shapes[index];
        let finite = counts.finite();
        let sql = statements::quantiles(self.source.engine(), &self.relation, shape, finite);
        let batches = session.rows(QUANTILES, &sql, POINTS as u64)?;
        let there = finite + counts.infinite.iter().sum::<u64>();
        let missing = self.rows.checked_sub(there);
        let missing =
            missing.ok_or_else(|| changed(self.source, &format!("column {:?}", shape.name)))?;
        let column = values::quantised(session, shape, &batches, finite, counts.infinite, missing)?;
        self.take(index, column)
    }

    fn take(&mut self, index: usize, column: Column) -> Result<()> {
        if column.rows() != self.rows {
            return Err(changed(self.source, &format!("column {:?}", self.shapes[index].name)));
        }
        self.columns[index] = Some(column);
        Ok(())
    }
}

/// Columns that one statement counts: as many as have no more values together than one may have.
fn batches<'a>(columns: &'a [usize], counts: &[Counts], may_join: bool) -> Vec<&'a [usize]> {
    let mut batches = Vec::new();
    let mut left = columns;
    while !left.is_empty() {
        let mut rows = 0;
        let fits = left.iter().take(if may_join { COLUMNS_A_STATEMENT } else { 1 });
        let fits = fits.take_while(|index| {
            rows += counts[**index].distinct;
            rows <= ANSWER_ROWS
        });
        let (batch, after) = left.split_at(fits.count().max(1));
        batches.push(batch);
        left = after;
    }
    batches
}

/// `PostgreSQL 15.4`, out of all that an engine says of itself.
fn shown_version(name: &str, version: &str) -> String {
    let version = version.trim_start_matches(name).trim_start();
    let number = version.split([' ', '(']).next().unwrap_or_default();
    format!("{name} {}", number.chars().take(VERSION_CHARACTERS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(distinct: u64) -> Counts {
        Counts { present: 100_000, distinct, nan: 0, infinite: [0, 3], length: 7 }
    }

    #[test]
    fn an_answer_has_no_more_rows_than_one_column_may_have() {
        let all: Vec<Counts> = [9_000, 9_000, 9_000, 10_000, 5].map(counts).into();
        let columns = [0, 1, 2, 3, 4];
        let sizes = |may_join| batches(&columns, &all, may_join).iter().map(|b| b.len()).collect();
        assert_eq!((sizes(true), sizes(false)), (vec![2, 3], vec![1; 5]));
        assert!(batches(&[], &all, true).is_empty());
    }

    #[test]
    fn free_text_and_many_labels_stay() {
        assert_eq!(counts(10_000).stays(), None);
        assert!(counts(10_001).stays().unwrap().contains("10001 different texts"));
        assert!(Counts { length: 1001, ..counts(2) }.stays().is_some());
        assert!(Counts { present: 300, ..counts(151) }.stays().unwrap().contains("free text"));
        assert_eq!(Counts { present: 100, ..counts(100) }.stays(), None);
    }

    #[test]
    fn row_numbers_are_known_by_name_and_values() {
        let shape = |name: &str| Shape {
            name: name.to_owned(),
            expression: String::new(),
            data_type: arrow_schema::DataType::Int64,
            form: Form::Ordered,
        };
        let all = counts(100_000);
        assert!(all.number_rows(&shape("index"), 100_000));
        assert!(!all.number_rows(&shape("id"), 100_000));
        assert!(!all.number_rows(&shape("index"), 100_001));
        assert!(!counts(99_999).number_rows(&shape("index"), 100_000));
    }

    #[test]
    fn versions_are_short() {
        let said = "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64";
        assert_eq!(shown_version("PostgreSQL", said), "PostgreSQL 15.18");
        assert_eq!(shown_version("DuckDB", "v1.5.6"), "DuckDB v1.5.6");
    }
}
