//! The blocks of a CSV file: stretches that are split and typed on their own, in parallel.
//!
//! Blocks are cut at line breaks without knowing whether those lie inside quotes. A block whose guess
//! was wrong does not begin where the block before it ended; it is then read again from there. So the
//! result is always that of reading from the start, and almost always at the speed of all cores.

use std::path::Path;

use rayon::prelude::*;

use super::column::{self, Parsed};
use super::damage::{broken, check_text, touches_end};
use super::input::Input;
use super::nulls::Nulls;
use super::split::{Cell, Splitter, Step};
use crate::error::{Error, Result};
use crate::options::RECORD_BYTES_MAX;

/// Bytes of a block: large enough that its buffers pay, small enough to fit a core's cache twice.
const BLOCK_BYTES: usize = 1 << 20;

/// Of a header, where it is looked at for what else may separate its names.
const HEADER_BYTES: usize = 4096;

/// What the reader needs to know about the file.
pub(super) struct File<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) delimiter: u8,
    pub(super) fill_short: bool,
    /// Records may end in a separator with nothing behind it.
    pub(super) trailing: bool,
    /// Whether who asked for the file can choose to fill short records.
    pub(super) has_choice: bool,
    pub(super) nulls: Nulls<'a>,
    /// Columns of the header.
    pub(super) width: usize,
    /// Indices of the columns to read, ascending, without repetition.
    pub(super) wanted: Vec<usize>,
    /// Which of them are text whatever they hold: nobody reads their numbers.
    pub(super) texts: Vec<bool>,
}

impl<'a> File<'a> {
    pub(super) fn path(&self) -> &'a Path {
        self.input.path
    }
}

/// The records that begin in one stretch of the file.
pub(super) struct Block {
    /// Where the first record begins, and where the record behind the last one does.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) rows: usize,
    /// Rows with fewer fields than the header, and where the first begins.
    pub(super) short: usize,
    pub(super) first_short: Option<usize>,
    pub(super) columns: Vec<Parsed>,
}

/// Memory that is used for one block after another.
#[derive(Default)]
pub(super) struct Scratch {
    text: Vec<u8>,
    /// The fields of a record.
    record: Vec<Cell>,
    /// The fields of each wanted column.
    columns: Vec<Vec<Cell>>,
}

/// Reads all blocks in parallel, then again those whose start was guessed wrong.
pub(super) fn read_blocks(file: &File<'_>, body: usize) -> Result<Vec<Block>> {
    let cuts = cuts(file.input, body)?;
    let guesses: Vec<Result<Block>> = cuts
        .par_iter()
        .map_init(Scratch::default, |scratch, &(start, end)| read_block(file, start, end, scratch))
        .collect();
    let mut blocks = Vec::with_capacity(guesses.len());
    let mut scratch = Scratch::default();
    let mut position = body;
    for (guess, (start, end)) in guesses.into_iter().zip(cuts) {
        let block = if start == position {
            guess?
        } else if position >= end {
            // A record of an earlier block reaches over this one.
            continue;
        } else {
            read_block(file, position, end, &mut scratch)?
        };
        position = block.end;
        blocks.push(block);
    }
    Ok(blocks)
}

/// Reads the records that begin in `start..end`.
fn read_block(file: &File<'_>, start: usize, end: usize, scratch: &mut Scratch) -> Result<Block> {
    with_cells(file, start, end, scratch, |block, text, columns| {
        let typed = |(slot, cells): (usize, &Vec<Cell>)| {
            let is_text = file.texts.get(slot) == Some(&true);
            let read = if is_text { column::as_text } else { column::infer };
            read(text, cells, file.nulls).map_err(|source| Error::arrow(file.path(), source))
        };
        let columns = columns.iter().enumerate().map(typed).collect::<Result<_>>()?;
        Ok(Block { columns, ..block })
    })
}

/// Finds the cells of the wanted columns, column by column, in the records that begin in
/// `start..end`; `each` gets the block without its values, its text and the cells.
pub(super) fn with_cells<T>(
    file: &File<'_>,
    start: usize,
    end: usize,
    scratch: &mut Scratch,
    each: impl FnOnce(Block, &[u8], &[Vec<Cell>]) -> Result<T>,
) -> Result<T> {
    let Scratch { text: buffer, record, columns } = scratch;
    columns.resize_with(file.wanted.len(), Vec::new);
    // One byte more tells whether the last record ends with the block.
    let mut size = end - start + 1;
    loop {
        let text = file.input.get(start, start + size, buffer)?;
        check_text(file.input, start, text.get(..end - start).unwrap_or(text))?;
        let is_all = start + size >= file.input.len();
        if let Some(block) = split_block(file, start, end, text, is_all, record, columns)? {
            if block.end > end {
                let rest = text.get(end - start..block.end - start).unwrap_or_default();
                check_text(file.input, end, rest)?;
            }
            return each(block, text, columns);
        }
        size *= 2;
    }
}

/// Fills `columns` from `text`, which begins at `start`; `None` if the last record goes on behind it.
fn split_block(
    file: &File<'_>,
    start: usize,
    end: usize,
    text: &[u8],
    is_all: bool,
    record: &mut Vec<Cell>,
    columns: &mut [Vec<Cell>],
) -> Result<Option<Block>> {
    columns.iter_mut().for_each(Vec::clear);
    let mut splitter =
        Splitter::new(text, file.delimiter, 0, RECORD_BYTES_MAX).stopping_at(end - start);
    let (mut rows, mut short, mut first_short) = (0, 0, None);
    while splitter.position < end - start {
        let step = splitter.next_record(record);
        if !is_all && touches_end(step, splitter.position, text) {
            return Ok(None);
        }
        match step {
            Step::Record => {}
            Step::End => break,
            step => return Err(broken(file.input, start, step)),
        }
        if record.len() != file.width {
            let at = start + splitter.record_start;
            if record.len() < file.width && file.fill_short {
                short += 1;
                first_short.get_or_insert(at);
            } else if !(file.trailing && ends_empty(record, file.width, text)) {
                return Err(ragged(file, at, record.len()));
            }
        }
        for (column, &index) in columns.iter_mut().zip(&file.wanted) {
            column.push(record.get(index).copied().unwrap_or(Cell::MISSING));
        }
        rows += 1;
    }
    let end = start + splitter.position;
    Ok(Some(Block { start, end, rows, short, first_short, columns: Vec::new() }))
}

/// Whether all that a record has beyond its columns is an empty field.
fn ends_empty(record: &[Cell], width: usize, text: &[u8]) -> bool {
    record.len() == width + 1 && record.last().is_some_and(|cell| cell.text(text).is_empty())
}

/// Whether the first line has a separator of spreadsheets whose language writes decimal commas, or of databases.
fn is_cut_otherwise(input: &Input<'_>) -> bool {
    let mut buffer = Vec::new();
    let start = input.get(0, HEADER_BYTES, &mut buffer).unwrap_or_default();
    let header = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    header.iter().any(|byte| b";\t|".contains(byte))
}

fn ragged(file: &File<'_>, at: usize, found: usize) -> Error {
    let hint = if found < file.width && file.has_choice {
        "the line is cut short; --short-rows fill takes what lacks for missing"
    } else if found < file.width {
        "the line is cut short, or its separator differs from the header's"
    } else if file.width == 1 && !file.has_choice && is_cut_otherwise(file.input) {
        "the header has another separator than commas: write the table with commas and decimal points, as by \
         pandas.read_csv(FILE, sep=\";\", decimal=\",\").to_csv(NEW, index=False)"
    } else if file.width == 1 {
        "a field that contains the separator must be quoted; a title or comment before the names of the columns must go"
    } else {
        "a field that contains the separator must be quoted"
    };
    let line = file.input.line_of(at);
    Error::Ragged { path: file.path().to_owned(), line, expected: file.width, found, hint }
}

/// Stretches of about [`BLOCK_BYTES`] that begin behind line breaks, from `from` to the end.
fn cuts(input: &Input<'_>, from: usize) -> Result<Vec<(usize, usize)>> {
    let mut cuts = Vec::with_capacity(input.len() / BLOCK_BYTES + 1);
    let mut start = from;
    while start < input.len() {
        let end = input.line_end(start.saturating_add(BLOCK_BYTES))?;
        cuts.push((start, end));
        start = end;
    }
    Ok(cuts)
}
