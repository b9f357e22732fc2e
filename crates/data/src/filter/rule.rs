//! A rule that every row must keep: a condition, in which columns are compared with values and with each other.

use arrow_array::RecordBatch;

use super::compare::holds;
use super::condition::Condition;
use super::parse::parse;
use crate::error::Result;

/// Rows that are named as examples.
const EXAMPLES_MAX: usize = 3;

/// A rule such as `total >= net and status in (paid, open)`. It has the grammar of [`crate::RowFilter`], but what
/// stands alone on the right side is a column where there is one of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRule {
    text: String,
    condition: Condition,
}

/// How the rows of a table keep a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Rows of which that is known; where a value is missing it is not.
    pub rows: usize,
    /// Rows among them that break it.
    pub broken: usize,
    /// The first of these, from 0.
    pub examples: Vec<usize>,
}

impl RowRule {
    /// Reads a rule.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self { text: text.to_owned(), condition: parse(text)? })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rule for a table that has these columns.
    pub(crate) fn of_table(&self, names: &[String]) -> Self {
        let condition = self.condition.clone().with_columns(names);
        Self { condition, ..self.clone() }
    }

    /// The columns that it looks at, each once.
    pub(crate) fn columns(&self) -> Vec<String> {
        let mut columns = Vec::new();
        self.condition.add_columns(&mut columns);
        columns
    }

    /// Of each row whether it keeps the rule; none where a value is missing. What stands alone on the right side is a column of
    /// these.
    pub(crate) fn holds(&self, batch: &RecordBatch) -> Result<Vec<Option<bool>>> {
        let names: Vec<String> =
            batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
        holds(&self.of_table(&names).condition, &self.text, batch)
    }

    /// Holds rows to it.
    pub(crate) fn check(&self, batch: &RecordBatch) -> Result<Kept> {
        let mut kept = Kept::default();
        for (row, holds) in holds(&self.condition, &self.text, batch)?.into_iter().enumerate() {
            kept.rows += usize::from(holds.is_some());
            if holds == Some(false) {
                kept.broken += 1;
                if kept.examples.len() < EXAMPLES_MAX {
                    kept.examples.push(row);
                }
            }
        }
        Ok(kept)
    }
}
