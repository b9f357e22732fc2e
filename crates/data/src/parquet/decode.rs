//! What every reader of Parquet files needs: the checked footer, the chosen columns, their batches, and
//! the types that they become.
//!
//! Types stay what the file says, except that large and view strings become plain `Utf8` and
//! dictionary keys `Int32`, so that readers have one form of text to deal with. Bytes without the mark
//! of text (Impala and old versions of Spark leave it out) are text where all of them are UTF-8.

use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use ::parquet::file::reader::ChunkReader;
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema};
use trainyard_base::{caught, pandas};

use super::pages::{self, Held};
use super::{delta, footer};
use crate::error::{Error, Result};
use crate::options::{COLUMNS_MAX, FILE_BYTES_MAX, ReadOptions, is_row_name};
use crate::remarks::Remark;

/// Rows decoded at a time: the decoder's buffers stay in cache.
const BATCH_ROWS: usize = 32_768;

/// Reads the footer, once it is known to be one.
pub(super) fn load<R: ChunkReader>(path: &Path, input: &R) -> Result<ArrowReaderMetadata> {
    footer::check(input)
        .and_then(|_bytes| ArrowReaderMetadata::load(input, ArrowReaderOptions::new()))
        .map_err(|error| undecodable(path, &error.to_string()))
}

/// Rows, as the row groups count them.
pub(super) fn rows(metadata: &ArrowReaderMetadata) -> usize {
    let groups = metadata.metadata().row_groups().iter();
    groups.fold(0, |rows: usize, group| {
        rows.saturating_add(usize::try_from(group.num_rows()).unwrap_or_default())
    })
}

/// Indices of the chosen columns in the chosen order.
pub(super) fn choose(path: &Path, schema: &Schema, options: &ReadOptions) -> Result<Vec<usize>> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    if names.len() > COLUMNS_MAX {
        return Err(Error::Limit {
            path: path.to_owned(),
            place: String::new(),
            what: format!("a table of {} columns", names.len()),
            limit: format!("{COLUMNS_MAX} columns"),
            hint: "is the table transposed?",
        });
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(**name)) {
        return Err(Error::DuplicateColumn { path: path.to_owned(), column: (*name).to_owned() });
    }
    let mut chosen = options.choose(path, &names)?;
    if options.columns.is_none() {
        // pandas stores its row labels as columns of their own; they are no data.
        chosen.retain(|&index| names.get(index).is_none_or(|name| !pandas::is_row_label(name)));
    }
    if options.leaves_row_names_out() && chosen.len() > 1 {
        chosen.retain(|&index| {
            let Some(column) = names.get(index).filter(|name| is_row_name(name)) else {
                return true;
            };
            let (path, column) = (path.to_owned(), (*column).to_owned());
            options.remarks.add(Remark::RowNames { path, column });
            false
        });
    }
    Ok(chosen)
}

/// What the pages of the chosen columns hold; refused beyond the limit of a table.
pub(super) fn held<R: ChunkReader>(
    path: &Path,
    input: &R,
    metadata: &ArrowReaderMetadata,
    chosen: &[usize],
) -> Result<Held> {
    let held = pages::held(input, metadata, chosen, FILE_BYTES_MAX)
        .map_err(|error| undecodable(path, &error.to_string()))?;
    let held = held.ok_or_else(|| too_large(path, FILE_BYTES_MAX, FILE_BYTES_MAX))?;
    delta::check(input, metadata, chosen).map_err(|error| undecodable(path, &error.to_string()))?;
    Ok(held)
}

/// The same for whoever forgets a batch before the next: the table may be of any size.
pub(super) fn held_a_batch_at_a_time<R: ChunkReader>(
    path: &Path,
    input: &R,
    metadata: &ArrowReaderMetadata,
    chosen: &[usize],
) -> Result<Held> {
    let failed = |error: ::parquet::errors::ParquetError| undecodable(path, &error.to_string());
    let held = pages::held(input, metadata, chosen, u64::MAX).map_err(failed)?;
    let held = held.ok_or_else(|| too_large(path, u64::MAX, u64::MAX))?;
    delta::check(input, metadata, chosen).map_err(failed)?;
    Ok(held)
}

/// The rows of the columns `roots`, a batch at a time.
pub(super) fn batches<R: ChunkReader + 'static>(
    path: &Path,
    input: R,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
    held: &Held,
) -> Result<ParquetRecordBatchReader> {
    let mask = ProjectionMask::roots(
        metadata.metadata().file_metadata().schema_descr(),
        roots.iter().copied(),
    );
    ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata.clone())
        .with_projection(mask)
        .with_batch_size(held.batch_rows(BATCH_ROWS))
        .build()
        .map_err(|error| undecodable(path, &error.to_string()))
}

/// The columns in the types that readers deal with.
pub(super) fn plain(path: &Path, batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| {
            if let Some(text) = text_of(column) {
                return Ok(text);
            }
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

/// Large and view strings become `Utf8`, dictionary keys `Int32`.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, values) => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(plain_type(values)))
        }
        other => other.clone(),
    }
}

/// Bytes of any length, which may be text.
pub(super) fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// A column of bytes as text; none if it is another type, or not all of it is UTF-8.
pub(super) fn text_of(column: &ArrayRef) -> Option<ArrayRef> {
    if !is_bytes(column.data_type()) {
        return None;
    }
    let bytes = arrow_cast::cast(column, &DataType::Binary).ok()?;
    let text = StringArray::try_from_binary(bytes.as_binary::<i32>().clone()).ok()?;
    Some(Arc::new(text))
}

/// A damaged file must be an error even where the decoder panics on it.
pub(super) fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(decode).unwrap_or_else(|| Err(undecodable(path, "the decoder gave up on damaged data")))
}

pub(super) fn too_large(path: &Path, bytes: u64, limit: u64) -> Error {
    Error::Limit {
        path: path.to_owned(),
        place: String::new(),
        what: format!("a table of {} MiB", bytes >> 20),
        limit: format!("{} MiB", limit >> 20),
        hint: "choose fewer columns, or read the table in parts",
    }
}

pub(super) fn undecodable(path: &Path, reason: &str) -> Error {
    let size = std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default();
    let hint = if size > 0 && reason.contains("EOF") || reason.contains("footer") {
        "the file is cut off: was it still being written or copied?"
    } else {
        "the file is damaged, or uses something this reader does not know; try to write it again"
    };
    Error::Parquet { path: path.to_owned(), reason: reason.to_owned(), hint }
}
