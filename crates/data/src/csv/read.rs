//! A whole CSV file: blocks are typed in parallel, then the types of all blocks decide the type of each
//! column.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use rayon::prelude::*;

use super::blocks::{Block, File, Scratch, read_blocks, with_cells};
use super::column::{self, Facts, Refused};
use super::delimiter::default_delimiter;
use super::header;
use super::input::Input;
use super::pieces::Pieces;
use crate::error::{Error, Result, shorten};
use crate::options::ReadOptions;

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
    let chosen = options.choose(path, &names)?;
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
