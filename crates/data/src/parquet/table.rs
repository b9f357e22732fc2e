//! A whole Parquet file: only the chosen columns are decoded, in parallel.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use ::parquet::file::reader::ChunkReader;
use arrow_array::{RecordBatch, RecordBatchOptions, RecordBatchReader as _};
use arrow_schema::{Field, Schema, SchemaRef};
use bytes::Bytes;
use rayon::prelude::*;
use trainyard_base::memory;

use super::decode::{batches, choose, guarded, held, load, plain, rows, too_large, undecodable};
use super::pages::Held;
use crate::error::{Error, Result};
use crate::options::{FILE_BYTES_MAX, ReadOptions};

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

    // Each column is decoded whole, so that nothing is joined twice.
    let mut roots = chosen.clone();
    roots.sort_unstable();
    roots.dedup();
    // Few columns a task keep all cores busy to the end; very wide tables need no finer split.
    let width = (roots.len() / (rayon::current_num_threads() * 4)).max(1);
    let parts: Vec<RecordBatch> = roots
        .par_chunks(width)
        .map(|roots| guarded(path, || decode(path, open()?, &metadata, roots, &held)))
        .collect::<Result<_>>()?;
    assemble(path, &schema, &chosen, &parts, rows(&metadata))
}

fn decode<R: ChunkReader + 'static>(
    path: &Path,
    input: R,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
    held: &Held,
) -> Result<RecordBatch> {
    let reader = batches(path, input, metadata, roots, held)?;
    let schema = reader.schema();
    let mut batches = Vec::new();
    let mut bytes = 0;
    for batch in reader {
        let batch = batch.map_err(|error| undecodable(path, &error.to_string()))?;
        // Dictionaries may repeat long values for ever.
        bytes += batch.get_array_memory_size() as u64;
        if bytes > FILE_BYTES_MAX {
            return Err(too_large(path, bytes, FILE_BYTES_MAX));
        }
        batches.push(batch);
    }
    let joined = arrow_select::concat::concat_batches(&schema, &batches)
        .map_err(|source| Error::arrow(path, source))?;
    plain(path, &joined)
}

/// Refuses a table for which this process has no room, before memory is taken for it.
fn check_room(path: &Path, held: &Held) -> Result<()> {
    match memory::available(None) {
        Some(available) if held.bytes > available => Err(too_large(path, held.bytes, available)),
        _ => Ok(()),
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
    let mut by_name = HashMap::new();
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
