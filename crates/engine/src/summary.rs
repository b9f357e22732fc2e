//! A table summed up in its engine: which statements are run, and what is made of the answers.

use arrow_array::NullArray;
use trainyard_drift::{Column, Profile};

use crate::conditions;
use crate::counts::{Counts, changed, count};
use crate::dialect::Engine;
use crate::error::{Error, Result};
use crate::limits::{
    ANSWER_ROWS, COLUMNS_A_STATEMENT, Limits, POINTS, ROWS_BESIDE, SORTED_A_STATEMENT,
};
use crate::rank_error::Sampled;
use crate::session::Session;
use crate::shape::{Form, Shape};
use crate::source::Source;
use crate::statements;
use crate::time_limit::within;
use crate::types::shapes;
use crate::values::{self, QUANTILES, VALUES};

/// Characters of a version that are shown.
const VERSION_CHARACTERS_MAX: usize = 60;

/// What left the engine.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The columns, counted or as quantiles, in the table's order; one of nothing for each that stayed.
    pub profile: Profile,
    /// Columns of which there are [`POINTS`] quantiles.
    pub quantised: Vec<String>,
    /// Those of [`Summary::quantised`] whose quantiles are of a sample, and how good it is.
    pub sampled: Option<Sampled>,
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
    within(source, limits, read)
}

fn read(session: &mut Session<'_>, source: &Source, limits: &Limits) -> Result<Summary> {
    let engine = source.engine();
    let version = version(session, engine)?;
    let (relation, shapes) = chosen(session, source, limits)?;
    let (rows, counts) = count(session, source, &relation, &shapes)?;
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
            (Form::Float | Form::Ordered, _) if counts.is_continuous() => quantised.push(index),
            _ => exact.push(index),
        }
    }
    for together in batches(&exact, &counts, engine.has_grouping_sets()) {
        table.count_values(session, together, &counts)?;
    }
    let drawn = limits.sample.of(rows);
    let is_drawn =
        |index: &usize| drawn.is_some_and(|drawn| drawn.is_enough_of(counts[*index].finite()));
    let (of_sample, of_all): (Vec<usize>, Vec<usize>) =
        quantised.iter().partition(|index| is_drawn(index));
    let sampled = match drawn.filter(|_| !of_sample.is_empty()) {
        Some(drawn) => Some(table.sampled(session, &of_sample, &counts, drawn)?),
        None => None,
    };
    let sorted_together = if engine.has_many_quantiles() { SORTED_A_STATEMENT } else { 1 };
    for together in of_all.chunks(sorted_together) {
        table.quantiles(session, together, &counts)?;
    }
    let columns = shapes.iter().zip(table.columns);
    let columns = columns.filter_map(|(shape, column)| Some((shape.name.clone(), column?)));
    let profile = Profile::from_columns(rows, columns.collect());
    let told = format!(
        "was summed up by {} at {}, in {} statements: {rows} rows, {} columns",
        version,
        source.shown(),
        session.statements,
        shapes.len()
    );
    Ok(Summary {
        profile,
        quantised: quantised.iter().map(|index| shapes[*index].name.clone()).collect(),
        sampled,
        stayed,
        numbering,
        told,
    })
}

/// The engine, with its version as far as it says one.
fn version(session: &mut Session<'_>, engine: Engine) -> Result<String> {
    let Some(statement) = engine.version() else { return Ok(engine.name().to_owned()) };
    let what = "its version";
    if engine == Engine::FlightSql {
        // Whose SQL it is; not all servers know the function.
        let version = session.text(what, statement).unwrap_or_default();
        let version: String = version.chars().take(VERSION_CHARACTERS_MAX).collect();
        let version = if version.is_empty() { version } else { format!(" ({version})") };
        return Ok(format!("a Flight SQL server{version}"));
    }
    Ok(shown_version(engine.name(), &session.text(what, statement)?))
}

/// What stands after `from`, with the rows that count alone, and the columns that are wanted.
pub(crate) fn chosen(
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

/// A table whose columns are read.
pub(crate) struct Table<'a> {
    pub(crate) source: &'a Source,
    /// What stands after `from`.
    pub(crate) relation: String,
    pub(crate) shapes: &'a [Shape],
    pub(crate) rows: u64,
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
        let most = together.iter().map(|index| counts[*index].distinct.least() + ROWS_BESIDE).sum();
        let batches = session.rows(VALUES, &sql, most)?;
        let columns = values::counted(session, &shapes, &batches)?;
        for (index, column) in together.iter().zip(columns) {
            self.take(*index, column)?;
        }
        Ok(())
    }

    /// Columns of many numbers, in one statement.
    fn quantiles(
        &mut self,
        session: &mut Session<'_>,
        together: &[usize],
        counts: &[Counts],
    ) -> Result<()> {
        let asked: Vec<(&Shape, u64)> =
            together.iter().map(|index| (&self.shapes[*index], counts[*index].finite())).collect();
        let sql = statements::quantiles(self.source.engine(), &self.relation, &asked);
        let batches = session.rows(QUANTILES, &sql, POINTS as u64)?;
        for (place, index) in together.iter().enumerate() {
            let (shape, counts) = (&self.shapes[*index], &counts[*index]);
            let missing = self.missing(*index, counts)?;
            let column = values::quantised(session, shape, &batches, place, counts, missing)?;
            self.take(*index, column)?;
        }
        Ok(())
    }

    /// How many rows have no usable value in a column.
    pub(crate) fn missing(&self, index: usize, counts: &Counts) -> Result<u64> {
        let there = counts.finite() + counts.infinite.iter().sum::<u64>();
        let missing = self.rows.checked_sub(there);
        missing
            .ok_or_else(|| changed(self.source, &format!("column {:?}", self.shapes[index].name)))
    }

    pub(crate) fn take(&mut self, index: usize, column: Column) -> Result<()> {
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
            rows += counts[**index].distinct.least();
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
    use crate::counts::tests::counts;

    #[test]
    fn an_answer_has_no_more_rows_than_one_column_may_have() {
        let all: Vec<Counts> = [9_000, 9_000, 9_000, 10_000, 5].map(counts).into();
        let columns = [0, 1, 2, 3, 4];
        let sizes = |may_join| batches(&columns, &all, may_join).iter().map(|b| b.len()).collect();
        assert_eq!((sizes(true), sizes(false)), (vec![2, 3], vec![1; 5]));
        assert!(batches(&[], &all, true).is_empty());
    }

    #[test]
    fn versions_are_short() {
        let said = "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64";
        assert_eq!(shown_version("PostgreSQL", said), "PostgreSQL 15.18");
        assert_eq!(shown_version("DuckDB", "v1.5.6"), "DuckDB v1.5.6");
    }
}
