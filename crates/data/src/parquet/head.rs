//! The first rows of a Parquet file that a stranger sent, as text: for a page that shows them.

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::ArrowError;
use bytes::Bytes;
use trainyard_base::caught;

use super::body::{BodyError, FOOTER_FACTOR};
use super::{decode, delta, footer, lists, pages};
use crate::options::COLUMNS_MAX;

/// What is shown of a file, and what it may hold.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Rows from the start of the file.
    pub rows: usize,
    /// Columns from the left.
    pub columns: usize,
    /// Characters of a value; longer ones end with an ellipsis.
    pub value_chars: usize,
    /// Bytes that the footer, and all pages of the columns that are shown, may hold when they are unpacked.
    pub bytes_max: u64,
}

/// The first rows and columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Name and Arrow type of each column that is shown.
    pub columns: Vec<(String, String)>,
    /// As many values a row as there are columns; `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Columns of the whole file.
    pub columns_total: usize,
    /// Rows of the whole file.
    pub rows_total: usize,
}

/// Reads the first rows of the file `body`. A file that is damaged, or that holds more than the limits allow, is an
/// error ([`BodyError::Damaged`], [`BodyError::TooWide`], [`BodyError::TooLarge`]); one that is only longer is not.
pub fn parquet_head(body: &Bytes, limits: HeadLimits) -> Result<Head, BodyError> {
    // The decoder may panic on damaged data.
    caught(|| read(body, limits)).unwrap_or_else(|| {
        Err(BodyError::Damaged("the decoder gave up on damaged data".to_owned()))
    })
}

fn read(body: &Bytes, limits: HeadLimits) -> Result<Head, BodyError> {
    let damaged = |error: &dyn std::fmt::Display| BodyError::Damaged(error.to_string());
    let too_large = BodyError::TooLarge { bytes_max: limits.bytes_max };
    let footer_bytes = footer::check(body).map_err(|error| damaged(&error))?;
    if footer_bytes.saturating_mul(FOOTER_FACTOR) > limits.bytes_max {
        return Err(too_large);
    }
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(body, options).map_err(|error| damaged(&error))?;
    let columns_total = metadata.schema().fields().len();
    if columns_total > COLUMNS_MAX {
        return Err(BodyError::TooWide { columns: columns_total });
    }
    let rows_total = decode::rows(&metadata);
    let roots: Vec<usize> = (0..columns_total.min(limits.columns)).collect();
    let held = pages::held(body, &metadata, &roots, limits.bytes_max);
    let Some(held) = held.map_err(|error| damaged(&error))? else { return Err(too_large) };
    let left = limits.bytes_max.saturating_sub(held.bytes);
    let in_lists = lists::held(body, &metadata, &roots, left).map_err(|error| damaged(&error))?;
    if in_lists.is_none() {
        return Err(too_large);
    }
    delta::check(body, &metadata, &roots).map_err(|error| damaged(&error))?;
    let schema = metadata.metadata().file_metadata().schema_descr();
    let mask = ProjectionMask::roots(schema, roots);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(body.clone(), metadata)
        .with_projection(mask)
        .with_batch_size(held.batch_rows(limits.rows.max(1)))
        .with_limit(limits.rows)
        .build()
        .map_err(|error| damaged(&error))?;
    let fields = arrow_array::RecordBatchReader::schema(&reader);
    let columns = fields.fields().iter();
    let columns = columns.map(|field| (field.name().clone(), field.data_type().to_string()));
    let mut head =
        Head { columns: columns.collect(), columns_total, rows_total, ..Head::default() };
    for batch in reader {
        let batch = batch.map_err(|error| damaged(&error))?;
        append(&mut head.rows, &batch, limits.value_chars).map_err(|error| damaged(&error))?;
    }
    Ok(head)
}

fn append(
    rows: &mut Vec<Vec<Option<String>>>,
    batch: &RecordBatch,
    value_chars: usize,
) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter();
    let formatters = columns
        .map(|column| Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?)))
        .collect::<Result<Vec<_>, ArrowError>>()?;
    for row in 0..batch.num_rows() {
        let mut values = Vec::with_capacity(formatters.len());
        for (column, formatter) in &formatters {
            values.push(if column.is_null(row) {
                None
            } else {
                Some(short(formatter.value(row).try_to_string()?, value_chars))
            });
        }
        rows.push(values);
    }
    Ok(())
}

/// The beginning of a text. It is a copy: a hundred rows that repeat a text of megabytes would keep the room of each.
fn short(text: String, chars: usize) -> String {
    let cut = text.char_indices().nth(chars);
    match cut {
        Some((end, _)) => [text.get(..end).unwrap_or_default(), "…"].concat(),
        None => text,
    }
}
