//! Parquet files: only the chosen columns are decoded, row groups and columns in parallel.
//!
//! Types stay what the file says, except that large and view strings become plain `Utf8` and
//! dictionary keys `Int32`, so that readers have one form of text to deal with.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use ::parquet::file::reader::ChunkReader;
use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use rayon::prelude::*;
use trainyard_base::memory;

use crate::error::{Error, Result, list_names};
use crate::options::{MAX_COLUMNS, MAX_FILE_BYTES, ReadOptions};
use crate::parquet_footer;
use crate::parquet_pages::{self, Held};

/// Rows decoded at a time: the decoder's buffers stay in cache.
const BATCH_ROWS: usize = 32_768;

/// Reads a Parquet file from disk.
pub(crate) fn read_file(path: &Path, options: &ReadOptions) -> Result<RecordBatch> {
    read(path, options, || File::open(path).map_err(|error| Error::read(path, error)))
}

/// Reads a Parquet file that is in memory.
pub(crate) fn read_bytes(
    path: &Path,
    bytes: Vec<u8>,
    options: &ReadOptions,
) -> Result<RecordBatch> {
    let bytes = Bytes::from(bytes);
    read(path, options, || Ok(bytes.clone()))
}

fn read<R: ChunkReader + 'static>(
    path: &Path,
    options: &ReadOptions,
    open: impl Fn() -> Result<R> + Sync,
) -> Result<RecordBatch> {
    let input = open()?;
    let metadata = guarded(path, || load(path, &input))?;
    let schema = Arc::clone(metadata.schema());
    let chosen = choose(path, &schema, options)?;
    let held = guarded(path, || held(path, &input, &metadata, &chosen))?;
    check_room(path, &held)?;

    let batch_rows = held.batch_rows(BATCH_ROWS);
    let tasks = tasks(&metadata, &chosen);
    let parts: Vec<RecordBatch> = tasks
        .par_iter()
        .map(|(row_groups, roots)| {
            guarded(path, || decode(path, open()?, &metadata, row_groups, roots, batch_rows))
        })
        .collect::<Result<_>>()?;
    let rows = metadata.metadata().file_metadata().num_rows();
    assemble(path, &schema, &chosen, &parts, usize::try_from(rows).unwrap_or_default())
}

/// What is decoded at once: these row groups of these columns.
type Task = (Vec<usize>, Vec<usize>);

/// Splits the work over columns: each column is decoded whole, so that nothing is joined twice.
fn tasks(metadata: &ArrowReaderMetadata, chosen: &[usize]) -> Vec<Task> {
    let groups = metadata.metadata().num_row_groups();
    let row_groups: Vec<usize> = (0..groups).collect();
    let mut roots = chosen.to_vec();
    roots.sort_unstable();
    roots.dedup();
    // Few columns a task keep all cores busy to the end; very wide tables need no finer split.
    let width = (roots.len() / (rayon::current_num_threads() * 4)).max(1);
    roots.chunks(width).map(|roots| (row_groups.clone(), roots.to_vec())).collect()
}

fn decode<R: ChunkReader + 'static>(
    path: &Path,
    input: R,
    metadata: &ArrowReaderMetadata,
    row_groups: &[usize],
    roots: &[usize],
    batch_rows: usize,
) -> Result<RecordBatch> {
    let reader = batches(path, input, metadata, row_groups, roots, batch_rows)?;
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    let mut batches = Vec::new();
    let mut bytes = 0;
    for batch in reader {
        let batch = batch.map_err(|error| undecodable(path, &error.to_string()))?;
        // Dictionaries may repeat long values for ever.
        bytes += batch.get_array_memory_size() as u64;
        check_bytes(path, bytes)?;
        batches.push(batch);
    }
    let joined = arrow_select::concat::concat_batches(&schema, &batches)
        .map_err(|source| Error::arrow(path, source))?;
    plain(path, &joined)
}

/// The rows, a batch at a time.
fn batches<R: ChunkReader + 'static>(
    path: &Path,
    input: R,
    metadata: &ArrowReaderMetadata,
    row_groups: &[usize],
    roots: &[usize],
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader> {
    let mask = ProjectionMask::roots(
        metadata.metadata().file_metadata().schema_descr(),
        roots.iter().copied(),
    );
    ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata.clone())
        .with_projection(mask)
        .with_row_groups(row_groups.to_vec())
        .with_batch_size(batch_rows)
        .build()
        .map_err(|error| undecodable(path, &error.to_string()))
}

/// A Parquet file on disk whose columns are decoded one by one.
#[derive(Debug, Clone)]
pub(crate) struct ParquetFile {
    pub(crate) path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Indices of the columns that were chosen, in order.
    chosen: Vec<usize>,
}

impl ParquetFile {
    /// Reads the footer.
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::read(path, error))?;
        let metadata = guarded(path, || load(path, &file))?;
        let chosen = choose(path, metadata.schema(), options)?;
        Ok(Self { path: path.to_owned(), metadata, chosen })
    }

    pub(crate) fn rows(&self) -> usize {
        usize::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or_default()
    }

    /// What pandas wrote of its own types.
    pub(crate) fn pandas(&self) -> Option<&str> {
        self.metadata.schema().metadata().get("pandas").map(String::as_str)
    }

    /// Names and types of the chosen columns, as [`ParquetFile::for_each_piece`] gives them.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&str, DataType)> {
        self.chosen.iter().map(|&index| {
            let field = self.metadata.schema().field(index);
            (field.name().as_str(), plain_type(field.data_type()))
        })
    }

    /// Decodes one column and calls `each` with its pieces as they come; `false` if the file does not
    /// have it.
    pub(crate) fn for_each_piece(
        &self,
        name: &str,
        mut each: impl FnMut(ArrayRef) -> Result<()>,
    ) -> Result<bool> {
        let schema = self.metadata.schema();
        let Some(&index) = self.chosen.iter().find(|&&index| schema.field(index).name() == name)
        else {
            return Ok(false);
        };
        let path = self.path.as_path();
        let groups: Vec<usize> = (0..self.metadata.metadata().num_row_groups()).collect();
        guarded(path, || {
            let file = File::open(path).map_err(|error| Error::read(path, error))?;
            let held = held(path, &file, &self.metadata, &[index])?;
            let batch_rows = held.batch_rows(BATCH_ROWS);
            for batch in batches(path, file, &self.metadata, &groups, &[index], batch_rows)? {
                let batch = batch.map_err(|error| undecodable(path, &error.to_string()))?;
                each(Arc::clone(plain(path, &batch)?.column(0)))?;
            }
            Ok(true)
        })
    }
}

/// Large and view strings become `Utf8`, dictionary keys `Int32`.
fn plain(path: &Path, batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| {
            let target = plain_type(column.data_type());
            if target == *column.data_type() {
                return Ok(Arc::clone(column));
            }
            arrow_cast::cast(column, &target).map_err(|source| Error::arrow(path, source))
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    let fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|source| Error::arrow(path, source))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, values) => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(plain_type(values)))
        }
        other => other.clone(),
    }
}

fn assemble(
    path: &Path,
    schema: &SchemaRef,
    chosen: &[usize],
    parts: &[RecordBatch],
    rows: usize,
) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(chosen.len());
    let mut columns = Vec::with_capacity(chosen.len());
    let mut by_name = std::collections::HashMap::new();
    for part in parts {
        for (field, column) in part.schema().fields().iter().zip(part.columns()) {
            by_name.insert(field.name().clone(), Arc::clone(column));
        }
    }
    for &index in chosen {
        let field = schema.field(index);
        let Some(column) = by_name.get(field.name()) else {
            return Err(undecodable(path, &format!("column {:?} was not decoded", field.name())));
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(Arc::clone(column));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|source| Error::arrow(path, source))
}

/// Indices of the chosen columns in the chosen order.
fn choose(path: &Path, schema: &Schema, options: &ReadOptions) -> Result<Vec<usize>> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    if names.len() > MAX_COLUMNS {
        return Err(Error::Limit {
            path: path.to_owned(),
            place: String::new(),
            what: format!("a table of {} columns", names.len()),
            limit: format!("{MAX_COLUMNS} columns"),
            hint: "is the table transposed?",
        });
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(**name)) {
        return Err(Error::DuplicateColumn { path: path.to_owned(), column: (*name).to_owned() });
    }
    let Some(columns) = &options.columns else {
        // pandas stores its row labels as columns of their own; they are no data.
        return Ok((0..names.len())
            .filter(|&index| names.get(index).is_none_or(|name| !is_pandas_index(name)))
            .collect());
    };
    let mut chosen = Vec::with_capacity(columns.len());
    for column in columns {
        match names.iter().position(|name| name == column) {
            Some(index) => chosen.push(index),
            None if options.fill_missing_columns || options.skip_missing_columns => {}
            None => {
                return Err(Error::NoColumn {
                    path: path.to_owned(),
                    column: column.clone(),
                    available: list_names(names.iter().copied()),
                });
            }
        }
    }
    Ok(chosen)
}

/// `__index_level_0__` and its like.
fn is_pandas_index(name: &str) -> bool {
    name.strip_prefix("__index_level_")
        .and_then(|rest| rest.strip_suffix("__"))
        .is_some_and(|level| level.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads the footer, once it is known to be one.
fn load<R: ChunkReader>(path: &Path, input: &R) -> Result<ArrowReaderMetadata> {
    parquet_footer::check(input)
        .and_then(|_bytes| ArrowReaderMetadata::load(input, ArrowReaderOptions::new()))
        .map_err(|error| undecodable(path, &error.to_string()))
}

/// What the pages of the chosen columns hold; refused beyond the limit of a table.
fn held<R: ChunkReader>(
    path: &Path,
    input: &R,
    metadata: &ArrowReaderMetadata,
    chosen: &[usize],
) -> Result<Held> {
    let held = parquet_pages::held(input, metadata, chosen, MAX_FILE_BYTES)
        .map_err(|error| undecodable(path, &error.to_string()))?;
    held.ok_or_else(|| too_large(path, MAX_FILE_BYTES, MAX_FILE_BYTES))
}

fn check_bytes(path: &Path, bytes: u64) -> Result<()> {
    if bytes <= MAX_FILE_BYTES {
        return Ok(());
    }
    Err(too_large(path, bytes, MAX_FILE_BYTES))
}

/// Refuses a table for which this process has no room, before memory is taken for it.
fn check_room(path: &Path, held: &Held) -> Result<()> {
    match memory::available(None) {
        Some(available) if held.bytes > available => Err(too_large(path, held.bytes, available)),
        _ => Ok(()),
    }
}

fn too_large(path: &Path, bytes: u64, limit: u64) -> Error {
    Error::Limit {
        path: path.to_owned(),
        place: String::new(),
        what: format!("a table of {} MiB", bytes >> 20),
        limit: format!("{} MiB", limit >> 20),
        hint: "choose fewer columns, or read the table in parts",
    }
}

/// A damaged file must be an error even where the decoder panics on it.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(undecodable(path, "the decoder gave up on damaged data")))
}

fn undecodable(path: &Path, reason: &str) -> Error {
    let size = std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default();
    let hint = if size > 0 && reason.contains("EOF") || reason.contains("footer") {
        "the file is cut off: was it still being written or copied?"
    } else {
        "the file is damaged, or uses something this reader does not know; try to write it again"
    };
    Error::Parquet { path: path.to_owned(), reason: reason.to_owned(), hint }
}
