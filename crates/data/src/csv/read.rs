//! A whole CSV file: blocks are typed in parallel, then the types of all blocks decide the type of each
//! column.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use rayon::prelude::*;

use super::blocks::{Block, File, Scratch, read_blocks, with_cells};
use super::column::{self, Facts, Refused};
use super::dialect::{Dialect, Shape};
use super::header;
use super::input::Input;
use super::nulls::Nulls;
use super::pieces::Pieces;
use crate::error::{Error, Result, shorten};
use crate::options::{ReadOptions, is_row_name};
use crate::remarks::Remark;

/// Reads a whole CSV file.
///
/// `forced` gives types by column name, over those of the options.
pub(crate) fn read(
    input: &Input<'_>,
    options: &ReadOptions,
    forced: &BTreeMap<String, DataType>,
) -> Result<Pieces> {
    read_as(input, Dialect::of(input, options)?, options, forced)
}

/// Reads a CSV file, or a part of one, of this dialect; see [`read`].
pub(crate) fn read_as(
    input: &Input<'_>,
    dialect: Dialect,
    options: &ReadOptions,
    forced: &BTreeMap<String, DataType>,
) -> Result<Pieces> {
    let path = input.path;
    let (names, body) = header::read(input, dialect)?;
    let mut chosen = options.choose(path, &names)?;
    if options.leaves_row_names_out() && chosen.len() > 1 {
        chosen.retain(|&index| {
            let Some(column) = names.get(index).filter(|name| is_row_name(name)) else {
                return true;
            };
            let (path, column) = (path.to_owned(), column.clone());
            options.remarks.add(Remark::RowNames { path, column });
            false
        });
    }
    let mut wanted = chosen.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let given = |index: usize| {
        let name = names.get(index)?;
        forced.get(name).or_else(|| options.types.get(name))
    };
    // What people mean by a text is found out by what it could be.
    let stays_text =
        |index: &usize| options.natural.is_none() && given(*index) == Some(&DataType::Utf8);
    let file = File {
        input,
        texts: wanted.iter().map(stays_text).collect(),
        delimiter: dialect.delimiter,
        fill_short: options.fill_short_records,
        trailing: dialect.shape == Shape::Trailing,
        has_choice: options.natural.is_some(),
        nulls: options.nulls.as_deref().map_or(Nulls::Pandas, Nulls::Words),
        width: names.len(),
        wanted,
    };
    let blocks = read_blocks(&file, body)?;
    if let Some(at) = blocks.iter().find_map(|block| block.first_short) {
        let count = blocks.iter().map(|block| block.short).sum();
        let line = input.line_of(at);
        options.remarks.add(Remark::ShortRecords { path: path.to_owned(), count, line });
    }
    let rows = blocks.iter().map(|block| block.rows).sum();

    let columns: Vec<(DataType, Vec<ArrayRef>)> = file
        .wanted
        .par_iter()
        .enumerate()
        .map(|(slot, &index)| {
            let name = names.get(index).map_or("", String::as_str);
            finish_column(&file, &blocks, slot, name, given(index), options)
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
    options: &ReadOptions,
) -> Result<(DataType, Vec<ArrayRef>)> {
    let parsed = || blocks.iter().filter_map(|block| Some((block, block.columns.get(slot)?)));
    let facts = parsed().fold(Facts::NONE, |facts, (_, column)| facts.merge(column.facts));
    let target = match given {
        Some(given) => given.clone(),
        None if stays_text(facts, name, options) => DataType::Utf8,
        None => facts.data_type(),
    };
    if options.natural.is_some() && target == DataType::Utf8 && facts.has_na() {
        options.remarks.add(Remark::NotAvailable { column: name.to_owned() });
    }
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

/// Whether what pandas takes for numbers is text, or numbers whose points do not stand before decimals.
fn stays_text(facts: Facts, name: &str, options: &ReadOptions) -> bool {
    options.natural.as_ref().is_some_and(|natural| {
        natural.texts.contains(name) && !facts.is_nothing()
            || facts.are_padded_digits() && !natural.numbers.contains(name)
            || facts.are_floats() && natural.has_commas(name)
    })
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
        column::read_as(text, cells, target, file.nulls).map_err(|refused| match refused {
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
