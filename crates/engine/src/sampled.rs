//! Quantiles of columns of a large table, from rows that its engine draws; what is known by one scan stays that of all rows.

use crate::counts::{Counts, changed};
use crate::error::Result;
use crate::limits::{COLUMNS_A_STATEMENT, POINTS};
use crate::rank_error::Sampled;
use crate::sample::Drawn;
use crate::session::Session;
use crate::shape::Shape;
use crate::statements;
use crate::summary::Table;
use crate::values::{self, ENDS, QUANTILES};

impl Table<'_> {
    /// Columns of many numbers: their ends by one statement of all rows, the rest by one of some. Missing values and infinite ones are
    /// those of all rows.
    pub(crate) fn sampled(
        &mut self,
        session: &mut Session<'_>,
        indices: &[usize],
        counts: &[Counts],
        drawn: Drawn,
    ) -> Result<Sampled> {
        let mut values_min = u64::MAX;
        for together in of_one_type(indices, self.shapes) {
            let shapes: Vec<(&Shape, bool)> = together
                .iter()
                .map(|index| (&self.shapes[*index], counts[*index].are_all_finite()))
                .collect();
            let engine = self.source.engine();
            let sql = statements::ends(engine, &self.relation, &shapes);
            let ends = session.rows(ENDS, &sql, 1)?;
            let shapes: Vec<&Shape> = shapes.into_iter().map(|(shape, _)| shape).collect();
            if let Some(seed) = engine.seed() {
                session.rows("which rows are drawn", seed, 1)?;
            }
            let sql = statements::sampled(engine, &self.relation, &shapes, drawn.share);
            let answer = session.rows(QUANTILES, &sql, (shapes.len() * POINTS) as u64)?;
            for (place, index) in together.iter().enumerate() {
                let (shape, counts) = (shapes[place], &counts[*index]);
                let missing = self.missing(*index, counts)?;
                let ends = values::ends(session, shape, &ends, place)?;
                let (column, values) =
                    values::sampled(session, shape, &answer, place, ends, missing)?;
                if !drawn.may_be(values, counts.finite()) {
                    let what = format!("{values} values of column {:?} were drawn", shape.name);
                    return Err(changed(self.source, &what));
                }
                values_min = values_min.min(values);
                self.take(*index, column.of_sample(self.rows, missing, counts.infinite))?;
            }
        }
        let names = indices.iter().map(|index| self.shapes[*index].name.clone()).collect();
        Ok(Sampled::new(names, drawn, values_min))
    }
}

/// Columns whose values are rows of one answer, as many as a statement asks about.
fn of_one_type(indices: &[usize], shapes: &[Shape]) -> Vec<Vec<usize>> {
    let mut together: Vec<Vec<usize>> = Vec::new();
    for index in indices {
        let fits = |other: &&mut Vec<usize>| {
            let first = &shapes[other[0]];
            let one = &shapes[*index];
            other.len() < COLUMNS_A_STATEMENT
                && (&first.data_type, first.form) == (&one.data_type, one.form)
        };
        match together.iter_mut().find(fits) {
            Some(other) => other.push(*index),
            None => together.push(vec![*index]),
        }
    }
    together
}
