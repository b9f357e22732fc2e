//! Writes tables: Parquet for machines, CSV for people and pandas. A file appears whole or not at all.

use std::io::Write;
use std::path::Path;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use trainyard_base::file::{Access, NewFile};

use crate::error::{Error, Result};

/// Writes a Parquet file (zstd, level 1: half of snappy's size at its speed).
///
/// The file is written beside its place, synced and renamed: readers see the old or the new one.
pub fn write_parquet(path: impl AsRef<Path>, batch: &RecordBatch) -> Result<()> {
    let path = path.as_ref();
    write_atomically(path, |file| parquet_into(file, std::slice::from_ref(batch)))
}

/// Level 1 of zstd.
pub(crate) fn properties() -> std::io::Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(std::io::Error::other)?;
    Ok(WriterProperties::builder().set_compression(Compression::ZSTD(level)).build())
}

/// Batches of the same columns as a Parquet file; without one there are no columns, and nothing is written.
fn parquet_into(file: impl Write + Send, batches: &[RecordBatch]) -> std::io::Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let mut writer = ArrowWriter::try_new(file, first.schema(), Some(properties()?))
        .map_err(std::io::Error::other)?;
    for batch in batches {
        writer.write(batch).map_err(std::io::Error::other)?;
    }
    writer.close().map_err(std::io::Error::other)?;
    Ok(())
}

/// The Parquet file of these batches, in memory: the same bytes for the same batches. `path` is what errors
/// call it.
///
/// # Errors
///
/// If they are not of the same columns.
pub fn parquet_bytes(path: &Path, batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    parquet_into(&mut bytes, batches).map_err(|source| Error::write(path, source))?;
    Ok(bytes)
}

/// The CSV file of these batches, in memory, written as [`write_csv`] does. `path` is what errors call it.
///
/// # Errors
///
/// If a column holds lists or maps.
pub fn csv_bytes(path: &Path, batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        check_flat(batch)?;
        csv_into(&mut bytes, batch, index == 0).map_err(|source| Error::write(path, source))?;
    }
    Ok(bytes)
}

/// Writes a CSV file as pandas' `to_csv(index=False)` does: nulls and NaN empty, `True`/`False`,
/// floats with the fewest digits that read back the same.
pub fn write_csv(path: impl AsRef<Path>, batch: &RecordBatch) -> Result<()> {
    check_flat(batch)?;
    write_atomically(path.as_ref(), |file| csv_into(file, batch, true))
}

/// Refuses columns that are no cells of text.
fn check_flat(batch: &RecordBatch) -> Result<()> {
    for field in batch.schema_ref().fields() {
        if field.data_type().is_nested() && !matches!(field.data_type(), DataType::Dictionary(..)) {
            return Err(Error::Unwritable {
                column: field.name().clone(),
                data_type: field.data_type().clone(),
                format: "CSV",
            });
        }
    }
    Ok(())
}

fn csv_into(file: impl Write, batch: &RecordBatch, has_header: bool) -> std::io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(file);
    if has_header {
        writer.write_record(batch.schema_ref().fields().iter().map(|field| field.name()))?;
    }
    let options = FormatOptions::default();
    let columns = batch
        .columns()
        .iter()
        .map(|column| CsvColumn::new(column.as_ref(), &options))
        .collect::<Result<Vec<_>, _>>()
        .map_err(std::io::Error::other)?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for column in &columns {
            text.clear();
            column.append(row, &mut text).map_err(std::io::Error::other)?;
            writer.write_field(&text)?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()
}

/// A column with the way its values are spelt.
enum CsvColumn<'a> {
    Float64(&'a arrow_array::Float64Array),
    Float32(&'a arrow_array::Float32Array),
    Boolean(&'a arrow_array::BooleanArray),
    Other(&'a dyn Array, ArrayFormatter<'a>),
}

impl<'a> CsvColumn<'a> {
    fn new(
        array: &'a dyn Array,
        options: &FormatOptions<'a>,
    ) -> Result<Self, arrow_schema::ArrowError> {
        Ok(match array.data_type() {
            DataType::Float64 => Self::Float64(array.as_primitive::<Float64Type>()),
            DataType::Float32 => Self::Float32(array.as_primitive::<Float32Type>()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            _ => Self::Other(array, ArrayFormatter::try_new(array, options)?),
        })
    }

    fn append(&self, row: usize, text: &mut String) -> std::fmt::Result {
        use std::fmt::Write as _;
        match self {
            Self::Float64(values) if values.is_valid(row) && !values.value(row).is_nan() => {
                write!(text, "{:?}", values.value(row))
            }
            Self::Float32(values) if values.is_valid(row) && !values.value(row).is_nan() => {
                write!(text, "{:?}", values.value(row))
            }
            Self::Boolean(values) if values.is_valid(row) => {
                text.push_str(if values.value(row) { "True" } else { "False" });
                Ok(())
            }
            Self::Other(values, formatter) if values.is_valid(row) => {
                write!(text, "{}", formatter.value(row))
            }
            _ => Ok(()),
        }
    }
}

/// Replaces `path` when what is written is complete, durably; makes its folder. What is no file (a device, a pipe) is written to as it is.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> std::io::Result<()>,
) -> Result<()> {
    let failed = |source| Error::write(path, source);
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let mut file = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
        return write(&mut file).map_err(failed);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut new = NewFile::beside(path, Access::Usual).map_err(failed)?;
    let mut buffered = std::io::BufWriter::with_capacity(1 << 18, new.file());
    write(&mut buffered).map_err(failed)?;
    buffered.flush().map_err(failed)?;
    drop(buffered);
    new.put_in_place().map_err(failed)
}
