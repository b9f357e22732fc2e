//! Reads a source that may be several files, and joins them by column name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;

use crate::csv::Pieces;
use crate::csv::input::Input;
use crate::encoding::decoded;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::schema::{Found, NOTHING, column_order, common_type};
use crate::source::{Content, Format, Source, SourceFile, files, open};
use crate::{csv, parquet};

/// A table and where it came from.
#[derive(Debug, Clone)]
pub struct Table {
    /// All rows, in the order of the files.
    pub batch: RecordBatch,
    /// The files.
    pub source: Source,
}

/// One file's share of a table.
struct Part {
    file: SourceFile,
    batch: RecordBatch,
}

/// Reads a table: a CSV or Parquet file, a folder, a pattern, or `-` for standard input.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("train.csv");
/// std::fs::write(&path, "x,label\n1.5,a\n,b\n")?;
/// let table = trainyard_data::read(&path.to_string_lossy(), &Default::default())?;
/// assert_eq!(table.num_rows(), 2);
/// assert_eq!(table.column(0).null_count(), 1);
/// # Ok(())
/// # }
/// ```
pub fn read(source: &str, options: &ReadOptions) -> Result<RecordBatch> {
    Ok(read_table(source, options)?.batch)
}

/// Reads a table, and says where it came from. See [`read`].
pub fn read_table(source: &str, options: &ReadOptions) -> Result<Table> {
    if options.rows.is_empty() {
        return read_all(source, options);
    }
    let Table { batch, source } = read_all(source, &with_filter_columns(options)?)?;
    let mut batch = options.keep(&batch)?;
    if let Some(columns) = &options.columns {
        // The chosen columns come first; those behind them were only needed to decide.
        let chosen: Vec<usize> = (0..columns.len().min(batch.num_columns())).collect();
        batch =
            batch.project(&chosen).map_err(|error| Error::arrow(Path::new(&source.name), error))?;
    }
    if batch.num_rows() == 0 && !options.allow_no_rows {
        return Err(Error::NoRowsKept { source_name: source.name.clone(), read: source.rows() });
    }
    Ok(Table { batch, source })
}

/// The options with the columns that its row filter looks at chosen too, behind the others.
pub(crate) fn with_filter_columns(options: &ReadOptions) -> Result<ReadOptions> {
    let mut wider = options.clone();
    if let Some(columns) = &mut wider.columns {
        for needed in options.rows.columns()? {
            if !columns.contains(&needed) {
                columns.push(needed);
            }
        }
    }
    Ok(wider)
}

/// Reads a table without its row filter.
fn read_all(source: &str, options: &ReadOptions) -> Result<Table> {
    let paths = files(source)?;
    let parts: Vec<Part> = paths
        .par_iter()
        .map(|path| read_part(path, options, &BTreeMap::new()))
        .collect::<Result<_>>()?;
    let name = source.to_owned();
    let rows: usize = parts.iter().map(|part| part.batch.num_rows()).sum();
    if rows == 0 && !options.allow_no_rows {
        let path = match parts.as_slice() {
            [only] => only.file.path.clone(),
            _ => PathBuf::from(source),
        };
        return Err(Error::NoRows { path });
    }
    let (batch, files) = join(parts, options)?;
    Ok(Table { batch, source: Source { name, files } })
}

/// A CSV file in the pieces in which it was typed; `None` if the file is none.
pub(crate) fn read_csv_pieces(
    path: &Path,
    options: &ReadOptions,
) -> Result<Option<(Pieces, SourceFile)>> {
    let opened = open(path, options.digest)?;
    let Content::Csv(text) = opened.content else { return Ok(None) };
    let text = decoded(path, text, options)?;
    let pieces = csv::read(&text.input(path)?, options, &BTreeMap::new())?;
    let file = SourceFile {
        path: path.to_owned(),
        format: Format::Csv,
        bytes: opened.stored_bytes,
        rows: pieces.rows,
        sha256: opened.sha256,
    };
    Ok(Some((pieces, file)))
}

fn read_part(
    path: &Path,
    options: &ReadOptions,
    forced: &BTreeMap<String, DataType>,
) -> Result<Part> {
    let opened = open(path, options.digest)?;
    let (format, batch) = match opened.content {
        Content::Csv(text) => {
            let text = decoded(path, text, options)?;
            let pieces = csv::read(&text.input(path)?, options, forced)?;
            (Format::Csv, pieces.into_batch(path)?)
        }
        Content::ParquetFile => (Format::Parquet, parquet::read_file(path, options)?),
        Content::ParquetBytes(bytes) => {
            (Format::Parquet, parquet::read_bytes(path, bytes, options)?)
        }
    };
    let file = SourceFile {
        path: path.to_owned(),
        format,
        bytes: opened.stored_bytes,
        rows: batch.num_rows(),
        sha256: opened.sha256,
    };
    Ok(Part { file, batch })
}

/// Joins the parts: columns by name, types to a common one.
fn join(mut parts: Vec<Part>, options: &ReadOptions) -> Result<(RecordBatch, Vec<SourceFile>)> {
    let held: Vec<(&Path, Vec<String>)> =
        parts.iter().map(|part| (part.file.path.as_path(), names_of(&part.batch))).collect();
    let names = column_order(&held, options)?;
    let mut types = BTreeMap::new();
    for name in &names {
        let found = parts.iter().map(|part| Found {
            path: &part.file.path,
            is_csv: part.file.format == Format::Csv,
            column: part
                .batch
                .column_by_name(name)
                .map(|column| (column.data_type(), column.is_empty())),
        });
        types.insert(name.clone(), common_type(name, found)?);
    }
    reread_as_text(&mut parts, &types, options)?;
    let mut fields = Vec::with_capacity(names.len());
    let mut columns = Vec::with_capacity(names.len());
    for name in &names {
        let target = match types.get(name) {
            None | Some(DataType::Null) => &NOTHING,
            Some(known) => known,
        };
        let column = join_column(name, target, &parts)?;
        fields.push(Field::new(name, target.clone(), true));
        columns.push(column);
    }
    let rows = parts.iter().map(|part| part.batch.num_rows()).sum();
    let row_count = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &row_count)
            .map_err(|source| Error::arrow(first_path(&parts), source))?;
    Ok((batch, parts.into_iter().map(|part| part.file).collect()))
}

fn names_of(batch: &RecordBatch) -> Vec<String> {
    batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect()
}

fn first_path(parts: &[Part]) -> &Path {
    parts.first().map_or(Path::new(""), |part| part.file.path.as_path())
}

/// CSV columns that turned out to be text elsewhere are read again: their text as written counts.
fn reread_as_text(
    parts: &mut [Part],
    types: &BTreeMap<String, DataType>,
    options: &ReadOptions,
) -> Result<()> {
    for part in parts {
        if part.file.format != Format::Csv {
            continue;
        }
        let forced: BTreeMap<String, DataType> = types
            .iter()
            .filter(|(name, target)| {
                let here = part.batch.column_by_name(name).map(|column| column.data_type().clone());
                **target == DataType::Utf8
                    && here.is_some_and(|here| here != DataType::Utf8 && here != DataType::Null)
            })
            .map(|(name, target)| (name.clone(), target.clone()))
            .collect();
        if forced.is_empty() {
            continue;
        }
        let path = part.file.path.clone();
        *part = read_part(&path, options, &forced)?;
    }
    Ok(())
}

fn join_column(name: &str, target: &DataType, parts: &[Part]) -> Result<ArrayRef> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(parts.len());
    for part in parts {
        arrays.push(match part.batch.column_by_name(name) {
            None => new_null_array(target, part.batch.num_rows()),
            Some(column) if column.data_type() == target => Arc::clone(column),
            Some(column) => arrow_cast::cast(column, target)
                .map_err(|source| Error::arrow(&part.file.path, source))?,
        });
    }
    if arrays.len() == 1 {
        return Ok(arrays.swap_remove(0));
    }
    let views: Vec<&dyn arrow_array::Array> = arrays.iter().map(AsRef::as_ref).collect();
    arrow_select::concat::concat(&views).map_err(|source| Error::arrow(first_path(parts), source))
}

/// Reads a table from the text of a CSV file that is in memory; `name` stands for the file in errors.
pub fn read_csv_text(name: &str, text: &[u8], options: &ReadOptions) -> Result<RecordBatch> {
    let path = Path::new(name);
    let batch =
        csv::read(&Input::memory(path, text), options, &BTreeMap::new())?.into_batch(path)?;
    if batch.num_rows() == 0 && !options.allow_no_rows {
        return Err(Error::NoRows { path: path.to_owned() });
    }
    let file = SourceFile {
        path: path.to_owned(),
        format: Format::Csv,
        bytes: text.len() as u64,
        rows: batch.num_rows(),
        sha256: None,
    };
    Ok(join(vec![Part { file, batch }], options)?.0)
}
