//! CSV in parallel: the file is cut into blocks, each block is split and typed on its own, then the
//! types of all blocks decide the type of the column.
//!
//! Blocks are cut at line breaks without knowing whether those lie inside quotes. A block whose guess
//! was wrong does not begin where the block before it ended; it is then read again from there. So the
//! result is always that of reading from the start, and almost always at the speed of all cores.

mod column;
mod header;
pub(crate) mod input;
mod pieces;
pub(crate) mod segments;
mod split;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use rayon::prelude::*;

use crate::error::{Error, Result, list_names, shorten};
use crate::options::{MAX_RECORD_BYTES, ReadOptions};
use column::{Facts, Parsed, Refused};
use input::Input;
pub(crate) use pieces::Pieces;
use split::{Cell, Splitter, Step};

/// Bytes of a block: large enough that its buffers pay, small enough to fit a core's cache twice.
const BLOCK_BYTES: usize = 1 << 20;

/// What the reader needs to know about the file.
struct File<'a> {
    input: &'a Input<'a>,
    delimiter: u8,
    fill_short: bool,
    /// Columns of the header.
    width: usize,
    /// Indices of the columns to read, ascending, without repetition.
    wanted: Vec<usize>,
}

impl<'a> File<'a> {
    fn path(&self) -> &'a Path {
        self.input.path
    }
}

/// The records that begin in one stretch of the file.
struct Block {
    /// Where the first record begins, and where the record behind the last one does.
    start: usize,
    end: usize,
    rows: usize,
    columns: Vec<Parsed>,
}

/// Memory that is used for one block after another.
#[derive(Default)]
struct Scratch {
    text: Vec<u8>,
    /// The fields of a record.
    record: Vec<Cell>,
    /// The fields of each wanted column.
    columns: Vec<Vec<Cell>>,
}

/// Reads a whole CSV file.
///
/// `forced` gives types by column name, over those of the options.
pub(crate) fn read(
    input: &Input<'_>,
    options: &ReadOptions,
    forced: &BTreeMap<String, DataType>,
) -> Result<Pieces> {
    let path = input.path;
    let delimiter = options.delimiter.unwrap_or_else(|| default_delimiter(path));
    let (names, body) = header::read(input, delimiter)?;
    let chosen = choose(path, &names, options)?;
    let mut wanted = chosen.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let fill_short = options.fill_short_records;
    let file = File { input, delimiter, fill_short, width: names.len(), wanted };
    let blocks = read_blocks(&file, body)?;
    let rows = blocks.iter().map(|block| block.rows).sum();

    let columns: Vec<(DataType, Vec<ArrayRef>)> = file
        .wanted
        .par_iter()
        .enumerate()
        .map(|(slot, &index)| {
            let name = names.get(index).map_or("", String::as_str);
            let given = forced.get(name).or_else(|| options.types.get(name));
            finish_column(&file, &blocks, slot, name, given)
        })
        .collect::<Result<_>>()?;
    let columns = chosen
        .iter()
        .filter_map(|index| {
            let slot = file.wanted.binary_search(index).ok()?;
            let (data_type, pieces) = columns.get(slot)?.clone();
            Some((names.get(*index)?.clone(), data_type, pieces))
        })
        .collect();
    Ok(Pieces { columns, rows })
}

fn default_delimiter(path: &Path) -> u8 {
    // `.tsv`, also with `.gz` or `.zst` behind it.
    let is_tab = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv"));
    let inner = path.file_stem().map(Path::new);
    if is_tab(path) || inner.is_some_and(is_tab) { b'\t' } else { b',' }
}

/// Text must be UTF-8 without NULs. Blocks are independent: a line break byte is never part of a
/// longer UTF-8 sequence.
fn check_text(input: &Input<'_>, start: usize, text: &[u8]) -> Result<()> {
    let nul = memchr::memchr(0, text);
    let invalid = if text.is_ascii() { None } else { std::str::from_utf8(text).err() };
    let invalid = invalid.map(|error| error.valid_up_to());
    let Some(offset) = [nul, invalid].into_iter().flatten().min() else { return Ok(()) };
    let line = input.line_of(start + offset);
    let path = input.path.to_owned();
    Err(match text.get(offset) {
        Some(0) | None => Error::Nul { path, line },
        Some(&byte) => Error::Utf8 {
            path,
            line,
            byte,
            hint: "if it is Latin-1 or Windows text, convert it: iconv -f WINDOWS-1252 -t UTF-8",
        },
    })
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

/// Whether what was found in a part of the file may go on behind that part.
fn touches_end(step: Step, position: usize, text: &[u8]) -> bool {
    match step {
        Step::Record | Step::End => position >= text.len(),
        Step::OpenQuote(_) => true,
        Step::TooLong(_) => false,
    }
}

/// The error of a step that is neither a record nor the end, in a part that begins at `start`.
fn broken(input: &Input<'_>, start: usize, step: Step) -> Error {
    let path = input.path.to_owned();
    match step {
        Step::TooLong(at) => Error::Limit {
            path,
            place: format!(", line {}", input.line_of(start + at)),
            what: "a record (line)".to_owned(),
            limit: format!("{} MiB", MAX_RECORD_BYTES >> 20),
            hint: "is the file CSV with line breaks? an unclosed quote also swallows lines",
        },
        Step::OpenQuote(at) => Error::OpenQuote { path, line: input.line_of(start + at) },
        Step::Record | Step::End => Error::EmptyFile { path },
    }
}

/// Indices of the chosen columns in the chosen order.
fn choose(path: &Path, names: &[String], options: &ReadOptions) -> Result<Vec<usize>> {
    let Some(columns) = &options.columns else { return Ok((0..names.len()).collect()) };
    let mut chosen = Vec::with_capacity(columns.len());
    for column in columns {
        match names.iter().position(|name| name == column) {
            Some(index) => chosen.push(index),
            None if options.fill_missing_columns || options.skip_missing_columns => {}
            None => {
                return Err(Error::NoColumn {
                    path: path.to_owned(),
                    column: column.clone(),
                    available: list_names(names.iter().map(String::as_str)),
                });
            }
        }
    }
    Ok(chosen)
}

/// Reads all blocks in parallel, then again those whose start was guessed wrong.
fn read_blocks(file: &File<'_>, body: usize) -> Result<Vec<Block>> {
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
        let typed =
            |cells| column::infer(text, cells).map_err(|source| Error::arrow(file.path(), source));
        let columns = columns.iter().map(|cells| typed(cells)).collect::<Result<_>>()?;
        Ok(Block { columns, ..block })
    })
}

/// Finds the cells of the wanted columns, column by column, in the records that begin in
/// `start..end`; `each` gets the block without its values, its text and the cells.
fn with_cells<T>(
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
        Splitter::new(text, file.delimiter, 0, MAX_RECORD_BYTES).stopping_at(end - start);
    let mut rows = 0;
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
        if record.len() != file.width && (record.len() > file.width || !file.fill_short) {
            return Err(ragged(file, start + splitter.record_start, record.len()));
        }
        for (column, &index) in columns.iter_mut().zip(&file.wanted) {
            column.push(record.get(index).copied().unwrap_or(Cell::MISSING));
        }
        rows += 1;
    }
    Ok(Some(Block { start, end: start + splitter.position, rows, columns: Vec::new() }))
}

fn ragged(file: &File<'_>, at: usize, found: usize) -> Error {
    let hint = if found < file.width {
        "the line is cut short, or its separator differs from the header's"
    } else {
        "a field that contains the separator must be quoted"
    };
    let line = file.input.line_of(at);
    Error::Ragged { path: file.path().to_owned(), line, expected: file.width, found, hint }
}

/// Decides the type of a column and brings its blocks to it.
fn finish_column(
    file: &File<'_>,
    blocks: &[Block],
    slot: usize,
    name: &str,
    given: Option<&DataType>,
) -> Result<(DataType, Vec<ArrayRef>)> {
    let parsed = || blocks.iter().filter_map(|block| Some((block, block.columns.get(slot)?)));
    let facts = parsed().fold(Facts::NONE, |facts, (_, column)| facts.merge(column.facts));
    let target = given.cloned().unwrap_or_else(|| facts.data_type());
    let mut scratch = Scratch::default();
    let pieces = parsed()
        .map(|(block, column)| {
            let source = column.values.data_type();
            let castable = matches!(
                (source, &target),
                (DataType::Null, _) | (DataType::Int64, DataType::Float64)
            );
            if *source == target {
                Ok(Arc::clone(&column.values))
            } else if castable {
                arrow_cast::cast(&column.values, &target)
                    .map_err(|source| Error::arrow(file.path(), source))
            } else {
                reread(file, block, slot, name, &target, &mut scratch)
            }
        })
        .collect::<Result<_>>()?;
    Ok((target, pieces))
}

/// Reads one column of a block again, as a type that other blocks (or the caller) decided.
fn reread(
    file: &File<'_>,
    block: &Block,
    slot: usize,
    name: &str,
    target: &DataType,
    scratch: &mut Scratch,
) -> Result<ArrayRef> {
    with_cells(file, block.start, block.end, scratch, |again, text, columns| {
        if (again.rows, again.end) != (block.rows, block.end) {
            let changed = std::io::Error::other("the file changed while it was read");
            return Err(Error::read(file.path(), changed));
        }
        let cells = columns.get(slot).map(Vec::as_slice).unwrap_or_default();
        column::read_as(text, cells, target).map_err(|refused| match refused {
            Refused::Arrow(source) => Error::arrow(file.path(), source),
            Refused::Cell(cell) => Error::Value {
                path: file.path().to_owned(),
                line: file.input.line_of(block.start + cell.offset()),
                column: name.to_owned(),
                value: shorten(&String::from_utf8_lossy(&cell.text(text))),
                expected: target.clone(),
            },
        })
    })
}
