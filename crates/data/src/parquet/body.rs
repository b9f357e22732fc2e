//! A Parquet file that a stranger sent: read within limits that it cannot talk its way out of.

use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use bytes::Bytes;
use trainyard_base::{Full, Share, caught};

use super::{decode, delta, footer, lists, pages};
use crate::options::COLUMNS_MAX;

/// Rows that are decoded at a time, where nothing repeats.
const BATCH_ROWS: usize = 64 << 10;

/// Bytes of memory for each byte of a footer: what says twenty bytes of a column chunk is a kilobyte when
/// it is decoded.
pub(super) const FOOTER_FACTOR: u64 = 32;

/// Why a body is not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is no Parquet file, or a damaged one.
    #[error("{0}")]
    Damaged(String),
    /// Its columns hold more than a request may.
    #[error("it holds more than {bytes_max} bytes when it is unpacked; send the rows in parts")]
    TooLarge {
        /// Bytes that all columns together may hold.
        bytes_max: u64,
    },
    /// It has more columns than anything reads.
    #[error("it has {columns} columns, more than {COLUMNS_MAX}")]
    TooWide {
        /// Columns of the file.
        columns: usize,
    },
    /// It has more rows than a request may.
    #[error("it has more than {rows_max} rows; send it in parts")]
    TooManyRows {
        /// Rows that a request may have.
        rows_max: usize,
    },
    /// Other requests hold the memory that it needs.
    #[error(transparent)]
    NoRoom(#[from] Full),
}

/// What a body may hold.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes of all columns that are read.
    pub bytes_max: u64,
    /// Rows.
    pub rows_max: usize,
}

/// Reads the columns that `wanted` names of the file `body`. What they take is added to `share`.
///
/// Types are those of Parquet itself, without what Arrow writers note of theirs: text is text, whether
/// the writer had a dictionary of it or not.
pub fn read_parquet_body(
    body: &Bytes,
    wanted: impl Fn(&str) -> bool,
    limits: BodyLimits,
    share: &mut Share,
) -> Result<RecordBatch, BodyError> {
    // The decoder may panic on damaged data.
    caught(|| read(body, wanted, limits, share)).unwrap_or_else(|| {
        Err(BodyError::Damaged("the decoder gave up on damaged data".to_owned()))
    })
}

fn read(
    body: &Bytes,
    wanted: impl Fn(&str) -> bool,
    limits: BodyLimits,
    share: &mut Share,
) -> Result<RecordBatch, BodyError> {
    let damaged = |error: &dyn std::fmt::Display| BodyError::Damaged(error.to_string());
    let too_large = BodyError::TooLarge { bytes_max: limits.bytes_max };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let footer_bytes = footer::check(body).map_err(|error| damaged(&error))?;
    share.grow(footer_bytes.saturating_mul(FOOTER_FACTOR))?;
    let metadata = ArrowReaderMetadata::load(body, options).map_err(|error| damaged(&error))?;
    let schema = metadata.schema();
    if schema.fields().len() > COLUMNS_MAX {
        return Err(BodyError::TooWide { columns: schema.fields().len() });
    }
    if decode::rows(&metadata) > limits.rows_max {
        return Err(BodyError::TooManyRows { rows_max: limits.rows_max });
    }
    let fields = schema.fields().iter().enumerate();
    let roots: Vec<usize> =
        fields.filter(|(_, field)| wanted(field.name())).map(|(index, _)| index).collect();
    let held = pages::held(body, &metadata, &roots, limits.bytes_max);
    let Some(held) = held.map_err(|error| damaged(&error))? else { return Err(too_large) };
    share.grow(held.bytes)?;
    let left = limits.bytes_max.saturating_sub(held.bytes);
    let in_lists = lists::held(body, &metadata, &roots, left).map_err(|error| damaged(&error))?;
    let Some(in_lists) = in_lists else { return Err(too_large) };
    share.grow(in_lists)?;
    delta::check(body, &metadata, &roots).map_err(|error| damaged(&error))?;
    let mask = ProjectionMask::roots(
        metadata.metadata().file_metadata().schema_descr(),
        roots.iter().copied(),
    );
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(body.clone(), metadata)
        .with_projection(mask)
        .with_batch_size(held.batch_rows(BATCH_ROWS))
        .build()
        .map_err(|error| damaged(&error))?;
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); schema.fields().len()];
    let (mut rows, mut bytes, mut counted) = (0, 0_u64, held.bytes + in_lists);
    for batch in reader {
        let batch = batch.map_err(|error| damaged(&error))?;
        rows += batch.num_rows();
        if rows > limits.rows_max {
            return Err(BodyError::TooManyRows { rows_max: limits.rows_max });
        }
        bytes = bytes.saturating_add(batch.get_array_memory_size() as u64);
        if bytes > limits.bytes_max {
            return Err(too_large);
        }
        if bytes > counted {
            share.grow(bytes - counted)?;
            counted = bytes;
        }
        for (pieces, column) in pieces.iter_mut().zip(batch.columns()) {
            pieces.push(Arc::clone(column));
        }
    }
    // Column by column, so that what is joined is not there twice.
    let mut columns = Vec::with_capacity(pieces.len());
    for (mut pieces, field) in pieces.into_iter().zip(schema.fields()) {
        columns.push(match (pieces.pop(), pieces.is_empty()) {
            (None, _) => arrow_array::new_empty_array(field.data_type()),
            (Some(only), true) => only,
            (Some(last), false) => {
                pieces.push(last);
                let parts: Vec<_> = pieces.iter().map(AsRef::as_ref).collect();
                arrow_select::concat::concat(&parts).map_err(|error| damaged(&error))?
            }
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(|error| damaged(&error))
}
