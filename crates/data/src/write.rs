//! Writes tables: Parquet for machines, CSV for people and pandas. A file appears whole or not at all.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

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
    write_atomically(path, |file| {
        let level = ZstdLevel::try_new(1).map_err(std::io::Error::other)?;
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let schema = batch.schema();
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(std::io::Error::other)?;
        writer.write(batch).map_err(std::io::Error::other)?;
        writer.close().map_err(std::io::Error::other)?;
        Ok(())
    })
}

/// Writes a CSV file as pandas' `to_csv(index=False)` does: nulls and NaN empty, `True`/`False`,
/// floats with the fewest digits that read back the same.
pub fn write_csv(path: impl AsRef<Path>, batch: &RecordBatch) -> Result<()> {
    let path = path.as_ref();
    let schema = batch.schema();
    for field in schema.fields() {
        if field.data_type().is_nested() && !matches!(field.data_type(), DataType::Dictionary(..)) {
            return Err(Error::Unwritable {
                column: field.name().clone(),
                data_type: field.data_type().clone(),
                format: "CSV",
            });
        }
    }
    write_atomically(path, |file| {
        let mut writer = ::csv::Writer::from_writer(file);
        writer.write_record(schema.fields().iter().map(|field| field.name()))?;
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
    })
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
