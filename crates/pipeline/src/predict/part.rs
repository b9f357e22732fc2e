//! One part of a file, from its rows to the bytes of its object.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, RecordBatch};
use trainyard_data::arrow_schema::{Field, Schema};
use trainyard_data::{FilePart, PartedFile, csv_bytes, parquet_bytes};

use super::bad_rows::{BAD_ROWS_MAX, line};
use super::models::{BadRow, Refusal, ScoringModels};
use super::options::TableFormat;
use super::room::{Room, Taken};
use crate::{Error, Result};

/// Rows by which it is known how much memory the others take.
const FIRST_ROWS: usize = 8192;

/// How often the answers of a part are in memory: as columns, and as what is written of them.
const COPIES: f64 = 2.0;

/// What is said of the rows of a part that is read.
pub(super) struct PartScoring<'a> {
    pub(super) models: &'a ScoringModels,
    pub(super) file: &'a PartedFile,
    /// As it is called in messages.
    pub(super) name: &'a str,
    /// Whether its cells are still text.
    pub(super) is_text: bool,
    pub(super) keep: &'a [String],
    /// Whether rows that cannot be scored are left out.
    pub(super) leaves_out: bool,
    /// For the answers of all parts that are scored at once.
    pub(super) room: &'a Arc<Room>,
}

/// A part that was scored.
#[derive(Default)]
pub(super) struct ScoredPart {
    /// The answers, in the order of the rows.
    pub(super) batches: Vec<RecordBatch>,
    /// A line for each row that was left out.
    pub(super) bad: Vec<String>,
    /// Where the answers are, until they are written.
    room: Option<Taken>,
}

impl PartScoring<'_> {
    /// Scores all rows of a part.
    pub(super) fn score(&self, part: &FilePart) -> Result<ScoredPart> {
        let mut scored = ScoredPart::default();
        let mut first_row = part.first_row;
        self.file.read::<Error>(part, |batch| {
            let mut rows = batch;
            if scored.room.is_none() {
                let first = rows.num_rows().min(FIRST_ROWS);
                self.score_rows(&rows.slice(0, first), first_row, &mut scored)?;
                scored.room = Some(self.room_of(part, &scored, first)?);
                first_row += first;
                rows = rows.slice(first, rows.num_rows() - first);
                if rows.num_rows() == 0 {
                    return Ok(());
                }
            }
            self.score_rows(&rows, first_row, &mut scored)?;
            first_row += rows.num_rows();
            Ok(())
        })?;
        Ok(scored)
    }

    /// Waits for the room that a part takes, by that which its first rows take.
    fn room_of(&self, part: &FilePart, scored: &ScoredPart, rows: usize) -> Result<Taken> {
        // Slices share what they are cut from.
        let bytes_of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
        let held: usize = scored.batches.iter().flat_map(RecordBatch::columns).map(bytes_of).sum();
        let share = part.rows as f64 / rows.max(1) as f64;
        let bytes = (held as f64 * share * COPIES) as u64;
        self.room.take(bytes).map_err(|too_much| {
            let columns = scored.batches.first().map_or(0, RecordBatch::num_columns);
            let what = format!(
                "{}: {columns} columns of {} rows take {bytes} bytes of memory, and all parts may take {}",
                self.name, part.rows, too_much.bytes_max
            );
            let hint = "score the table with fewer models at a time, or without --explain or --probabilities";
            Error::predict(what, hint)
        })
    }

    /// Scores rows that begin at `first_row`. Of those that cannot be scored together each half is tried.
    fn score_rows(
        &self,
        rows: &RecordBatch,
        first_row: usize,
        scored: &mut ScoredPart,
    ) -> Result<()> {
        let bad = match self.models.answer(rows, self.is_text) {
            Ok(columns) => {
                scored.batches.push(table(columns)?);
                return Ok(());
            }
            Err(Refusal::Table(message)) => {
                let hint = "the signature of the model says what it takes";
                return Err(Error::predict(format!("{}: {message}", self.name), hint));
            }
            Err(Refusal::Model(message)) => {
                let hint = "when that is mended the same command goes on; workers get more time by \
                            --python-timeout";
                return Err(Error::predict(format!("{}: {message}", self.name), hint));
            }
            Err(Refusal::Row(bad)) => bad,
        };
        if !self.leaves_out {
            return Err(self.refused(first_row, &bad));
        }
        let count = rows.num_rows();
        if count <= 1 {
            scored.bad.push(line(self.name, first_row, &bad, rows, self.keep));
            if scored.bad.len() > BAD_ROWS_MAX {
                let what = format!(
                    "{}: more than {BAD_ROWS_MAX} rows near row {first_row} cannot be scored: {}",
                    self.name, bad.problem
                );
                return Err(Error::predict(what, "is it a table of the model's columns?"));
            }
            return Ok(());
        }
        let half = count / 2;
        self.score_rows(&rows.slice(0, half), first_row, scored)?;
        self.score_rows(&rows.slice(half, count - half), first_row + half, scored)
    }

    fn refused(&self, first_row: usize, bad: &BadRow) -> Error {
        let place = match bad.row {
            Some(row) => format!("row {}", first_row + row),
            None => format!("rows from {first_row}"),
        };
        let column =
            bad.column.as_ref().map(|name| format!(", column {name:?}")).unwrap_or_default();
        Error::predict(
            format!("{}, {place}{column}: {}", self.name, bad.problem),
            "correct it, or leave such rows out: --bad-rows FILE says which and why",
        )
    }
}

/// Columns as a table. What columns of the input carry along beside their values is left behind: it has no order.
fn table(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
        .into_iter()
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::predict(error.to_string(), "this is a bug"))
}

impl ScoredPart {
    /// The bytes of the part's object; none if no row is left. The same rows give the same bytes.
    pub(super) fn bytes(&self, name: &str, format: TableFormat) -> Result<Option<Vec<u8>>> {
        if self.batches.is_empty() {
            return Ok(None);
        }
        let path = Path::new(name);
        Ok(Some(match format {
            TableFormat::Parquet => parquet_bytes(path, &self.batches)?,
            TableFormat::Csv => csv_bytes(path, &self.batches)?,
        }))
    }

    /// The lines of the rows that were left out.
    pub(super) fn bad_lines(&self) -> Vec<u8> {
        self.bad.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
    }
}
