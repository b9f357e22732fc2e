//! CSV in parallel: the file is cut into blocks, each block is split and typed on its own, then the
//! types of all blocks decide the type of the column.
//!
//! Blocks are cut at line breaks without knowing whether those lie inside quotes. A block whose guess
//! was wrong does not begin where the block before it ended; it is then read again from there. So the
//! result is always that of reading from the start, and almost always at the speed of all cores.

mod column;
mod header;
pub(crate) mod segments;
mod split;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;

use crate::error::{Error, Result, list_names, shorten};
use crate::options::{MAX_COLUMNS, MAX_RECORD_BYTES, ReadOptions};
use column::{Facts, Parsed, Refused};
use split::{Cell, Splitter, Step};

/// Bytes of a block: large enough that its buffers pay, small enough to fit a core's cache twice.
const BLOCK_BYTES: usize = 1 << 20;

/// What the reader needs to know about the file.
struct File<'a> {
    path: &'a Path,
    text: &'a [u8],
    delimiter: u8,
    fill_short: bool,
    /// Columns of the header.
    width: usize,
    /// Indices of the columns to read, ascending, without repetition.
    wanted: Vec<usize>,
}

/// The records that begin in one stretch of the file.
struct Block {
    /// Where the first record begins, and where the record behind the last one does.
    start: usize,
    end: usize,
    rows: usize,
    columns: Vec<Parsed>,
}

/// Reads a whole CSV file that is in memory.
///
/// `forced` gives types by column name, over those of the options.
pub(crate) fn read(
    path: &Path,
    text: &[u8],
    options: &ReadOptions,
    forced: &BTreeMap<String, DataType>,
) -> Result<RecordBatch> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    check_text(path, text)?;
    let delimiter = options.delimiter.unwrap_or_else(|| default_delimiter(path));
    let (names, body) = read_header(path, text, delimiter)?;
    let chosen = choose(path, &names, options)?;
    let mut wanted = chosen.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let fill_short = options.fill_short_records;
    let file = File { path, text, delimiter, fill_short, width: names.len(), wanted };
    let blocks = read_blocks(&file, body)?;
    let rows = blocks.iter().map(|block| block.rows).sum();

    let columns: Vec<ArrayRef> = file
        .wanted
        .par_iter()
        .enumerate()
        .map(|(slot, &index)| {
            let name = names.get(index).map_or("", String::as_str);
            let given = forced.get(name).or_else(|| options.types.get(name));
            finish_column(&file, &blocks, slot, name, given)
        })
        .collect::<Result<_>>()?;
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = chosen
        .iter()
        .filter_map(|index| {
            let slot = file.wanted.binary_search(index).ok()?;
            let array = Arc::clone(columns.get(slot)?);
            Some((Field::new(names.get(*index)?, array.data_type().clone(), true), array))
        })
        .unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|source| Error::arrow(path, source))
}

fn default_delimiter(path: &Path) -> u8 {
    // `.tsv`, also with `.gz` or `.zst` behind it.
    let is_tab = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv"));
    let inner = path.file_stem().map(Path::new);
    if is_tab(path) || inner.is_some_and(is_tab) { b'\t' } else { b',' }
}

/// Text must be UTF-8 without NULs; checked in parallel before anything is cut.
fn check_text(path: &Path, text: &[u8]) -> Result<()> {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = text {
        let byte = text.first().copied().unwrap_or_default();
        let hint = "the file is UTF-16; convert it: iconv -f UTF-16 -t UTF-8";
        return Err(Error::Utf8 { path: path.to_owned(), line: 1, byte, hint });
    }
    // Lines are independent: a line break byte is never part of a longer UTF-8 sequence.
    let bad = cuts(text, 0).into_par_iter().find_map_first(|(start, end)| {
        let part = text.get(start..end)?;
        let nul = memchr::memchr(0, part);
        let invalid = std::str::from_utf8(part).err().map(|error| error.valid_up_to());
        [nul, invalid].into_iter().flatten().min().map(|offset| start + offset)
    });
    let Some(offset) = bad else { return Ok(()) };
    let line = line_of(text, offset);
    let path = path.to_owned();
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
fn cuts(text: &[u8], from: usize) -> Vec<(usize, usize)> {
    let mut cuts = Vec::with_capacity(text.len() / BLOCK_BYTES + 1);
    let mut start = from;
    while start < text.len() {
        let nominal = start.saturating_add(BLOCK_BYTES).min(text.len());
        let rest = text.get(nominal..).unwrap_or_default();
        let end = memchr::memchr2(b'\n', b'\r', rest).map_or(text.len(), |offset| {
            let pair = rest.get(offset..offset + 2) == Some(b"\r\n");
            nominal + offset + 1 + usize::from(pair)
        });
        cuts.push((start, end));
        start = end;
    }
    cuts
}

/// Physical line of a byte, from 1.
fn line_of(text: &[u8], offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    let feeds = memchr::memchr_iter(b'\n', before).count();
    let lone_returns =
        memchr::memchr_iter(b'\r', before).filter(|&at| text.get(at + 1) != Some(&b'\n')).count();
    feeds + lone_returns + 1
}

/// The column names, and where the records begin.
fn read_header(path: &Path, text: &[u8], delimiter: u8) -> Result<(Vec<String>, usize)> {
    let mut cells = Vec::new();
    let mut splitter = Splitter::new(text, delimiter, 0, MAX_RECORD_BYTES);
    match splitter.next_record(&mut cells) {
        Step::Record => {}
        Step::End => return Err(Error::EmptyFile { path: path.to_owned() }),
        step => return Err(broken(path, text, step)),
    }
    if cells.len() > MAX_COLUMNS {
        return Err(Error::Limit {
            path: path.to_owned(),
            place: String::new(),
            what: format!("a header of {} columns", cells.len()),
            limit: format!("{MAX_COLUMNS} columns"),
            hint: "is the table transposed? rows are lines, columns are fields",
        });
    }
    let raw =
        cells.iter().map(|cell| String::from_utf8_lossy(&cell.text(text)).into_owned()).collect();
    Ok((header::column_names(raw), splitter.position))
}

/// The error of a step that is neither a record nor the end.
fn broken(path: &Path, text: &[u8], step: Step) -> Error {
    match step {
        Step::TooLong(at) => Error::Limit {
            path: path.to_owned(),
            place: format!(", line {}", line_of(text, at)),
            what: "a record (line)".to_owned(),
            limit: format!("{} MiB", MAX_RECORD_BYTES >> 20),
            hint: "is the file CSV with line breaks? an unclosed quote also swallows lines",
        },
        Step::OpenQuote(at) => Error::OpenQuote { path: path.to_owned(), line: line_of(text, at) },
        Step::Record | Step::End => Error::EmptyFile { path: path.to_owned() },
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
    let cuts = cuts(file.text, body);
    let guesses: Vec<Result<Block>> =
        cuts.par_iter().map(|&(start, end)| read_block(file, start, end)).collect();
    let mut blocks = Vec::with_capacity(guesses.len());
    let mut position = body;
    for (guess, (start, end)) in guesses.into_iter().zip(cuts) {
        let block = if start == position {
            guess?
        } else if position >= end {
            // A record of an earlier block reaches over this one.
            continue;
        } else {
            read_block(file, position, end)?
        };
        position = block.end;
        blocks.push(block);
    }
    Ok(blocks)
}

/// Reads the records that begin in `start..end`.
fn read_block(file: &File<'_>, start: usize, end: usize) -> Result<Block> {
    let (block, split) = split_block(file, start, end)?;
    let text = file.text.get(start..).unwrap_or_default();
    let columns = split
        .iter()
        .map(|cells| column::infer(text, cells).map_err(|source| Error::arrow(file.path, source)))
        .collect::<Result<_>>()?;
    Ok(Block { columns, ..block })
}

/// Finds the cells of the wanted columns, column by column, in the records that begin in `start..end`.
fn split_block(file: &File<'_>, start: usize, end: usize) -> Result<(Block, Vec<Vec<Cell>>)> {
    let text = file.text.get(start..).unwrap_or_default();
    let mut splitter = Splitter::new(text, file.delimiter, 0, MAX_RECORD_BYTES);
    let mut cells = Vec::with_capacity(file.width);
    let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); file.wanted.len()];
    let mut rows = 0;
    while splitter.position < end - start {
        match splitter.next_record(&mut cells) {
            Step::Record => {}
            Step::End => break,
            Step::TooLong(at) => {
                return Err(broken(file.path, file.text, Step::TooLong(start + at)));
            }
            Step::OpenQuote(at) => {
                return Err(broken(file.path, file.text, Step::OpenQuote(start + at)));
            }
        }
        if cells.len() != file.width && (cells.len() > file.width || !file.fill_short) {
            return Err(ragged(file, start + splitter.record_start, cells.len()));
        }
        for (column, &index) in columns.iter_mut().zip(&file.wanted) {
            column.push(cells.get(index).copied().unwrap_or(Cell::MISSING));
        }
        rows += 1;
    }
    let block = Block { start, end: start + splitter.position, rows, columns: Vec::new() };
    Ok((block, columns))
}

fn ragged(file: &File<'_>, at: usize, found: usize) -> Error {
    let hint = if found < file.width {
        "the line is cut short, or its separator differs from the header's"
    } else {
        "a field that contains the separator must be quoted"
    };
    let line = line_of(file.text, at);
    Error::Ragged { path: file.path.to_owned(), line, expected: file.width, found, hint }
}

/// Decides the type of a column and joins its blocks.
fn finish_column(
    file: &File<'_>,
    blocks: &[Block],
    slot: usize,
    name: &str,
    given: Option<&DataType>,
) -> Result<ArrayRef> {
    let parsed = || blocks.iter().filter_map(|block| Some((block, block.columns.get(slot)?)));
    let facts = parsed().fold(Facts::NONE, |facts, (_, column)| facts.merge(column.facts));
    let target = given.cloned().unwrap_or_else(|| facts.data_type());
    let arrow = |source| Error::arrow(file.path, source);
    let mut parts: Vec<ArrayRef> = Vec::with_capacity(blocks.len());
    for (block, column) in parsed() {
        let source = column.values.data_type();
        let castable =
            matches!((source, &target), (DataType::Null, _) | (DataType::Int64, DataType::Float64));
        parts.push(if *source == target {
            Arc::clone(&column.values)
        } else if castable {
            arrow_cast::cast(&column.values, &target).map_err(arrow)?
        } else {
            reread(file, block, slot, name, &target)?
        });
    }
    let views: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
    match views.as_slice() {
        [] => Ok(arrow_array::new_empty_array(&target)),
        [_] => Ok(parts.swap_remove(0)),
        views => arrow_select::concat::concat(views).map_err(|source| match source {
            arrow_schema::ArrowError::OffsetOverflowError(size) => Error::Limit {
                path: file.path.to_owned(),
                place: format!(", column {name:?}"),
                what: format!("text of {size} bytes"),
                limit: "2 GiB in one column".to_owned(),
                hint: "choose columns without this one, or read the files one by one",
            },
            source => arrow(source),
        }),
    }
}

/// Reads one column of a block again, as a type that other blocks (or the caller) decided.
fn reread(
    file: &File<'_>,
    block: &Block,
    slot: usize,
    name: &str,
    target: &DataType,
) -> Result<ArrayRef> {
    let (_, columns) = split_block(file, block.start, block.end)?;
    let cells = columns.get(slot).map(Vec::as_slice).unwrap_or_default();
    let text = file.text.get(block.start..).unwrap_or_default();
    column::read_as(text, cells, target).map_err(|refused| match refused {
        Refused::Arrow(source) => Error::arrow(file.path, source),
        Refused::Cell(cell) => Error::Value {
            path: file.path.to_owned(),
            line: line_of(file.text, block.start + cell.offset()),
            column: name.to_owned(),
            value: shorten(&String::from_utf8_lossy(&cell.text(text))),
            expected: target.clone(),
        },
    })
}
