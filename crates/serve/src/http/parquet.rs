//! Parquet bodies: the columns of a file against the signature.

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use trainyard_mlflow::enforce::{Enforced, Enforcer};

use super::error::Refusal;

/// Bytes that a file may claim to hold uncompressed: a small file may say it is endless.
const UNCOMPRESSED_BYTES_MAX: i64 = 1 << 30;

/// Rows that are decoded at a time.
const CHUNK_ROWS: usize = 64 << 10;

/// Reads a Parquet file as a data frame.
pub(crate) fn read(enforcer: &Enforcer, body: &Bytes) -> Result<Enforced, Refusal> {
    let broken = |error: String| Refusal::bad(format!("Failed to parse input as Parquet: {error}"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(body.clone())
        .map_err(|error| broken(error.to_string()))?;
    let metadata = builder.metadata();
    let rows = metadata.file_metadata().num_rows();
    let bytes = metadata.row_groups().iter().map(|group| group.total_byte_size().max(0));
    let bytes = bytes.fold(0_i64, i64::saturating_add);
    if bytes > UNCOMPRESSED_BYTES_MAX {
        return Err(broken(format!(
            "it holds {bytes} bytes, more than {UNCOMPRESSED_BYTES_MAX}; send the rows in parts"
        )));
    }
    enforcer.check_row_count(usize::try_from(rows).unwrap_or(usize::MAX))?;
    let schema = builder.schema().clone();
    let reader =
        builder.with_batch_size(CHUNK_ROWS).build().map_err(|error| broken(error.to_string()))?;
    let batches =
        reader.collect::<Result<Vec<_>, _>>().map_err(|error| broken(error.to_string()))?;
    let table = arrow_select::concat::concat_batches(&schema, &batches)
        .map_err(|error| broken(error.to_string()))?;
    Ok(enforcer.table(&table)?)
}
