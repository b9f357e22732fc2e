//! Written parts as one file, in their order. They are read one after the other, so that the whole may be of
//! any size.

use std::fs::File;
use std::path::{Path, PathBuf};

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::csv::Dialect;
use crate::csv::header;
use crate::csv::input::Input;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::write::{properties, write_atomically};

/// Writes CSV files with the same header as one, which appears whole or not at all.
///
/// # Errors
///
/// If a part cannot be read, or the file cannot be written.
pub fn join_csv(target: &Path, parts: &[PathBuf]) -> Result<()> {
    write_atomically(target, |file| {
        for (index, path) in parts.iter().enumerate() {
            let text = std::fs::read(path)?;
            let input = Input::memory(path, &text);
            let body = if index == 0 {
                0
            } else {
                let dialect = Dialect::of(&input, &ReadOptions::default());
                let read = dialect.and_then(|dialect| header::read(&input, dialect));
                read.map_err(std::io::Error::other)?.1
            };
            file.write_all(text.get(body..).unwrap_or_default())?;
        }
        Ok(())
    })
}

/// Writes Parquet files of the same columns as one, a row group for each of them.
///
/// # Errors
///
/// If a part cannot be read, the file cannot be written, or there is no part, which would say the columns.
pub fn join_parquet(target: &Path, parts: &[PathBuf]) -> Result<()> {
    let Some(first) = parts.first() else { return Err(Error::NoRows { path: target.to_owned() }) };
    let open = |path: &PathBuf| -> std::io::Result<_> {
        ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(std::io::Error::other)
    };
    write_atomically(target, |file| {
        let schema = open(first)?.schema().clone();
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties()?))
            .map_err(std::io::Error::other)?;
        for path in parts {
            for batch in open(path)?.build().map_err(std::io::Error::other)? {
                let batch = batch.map_err(std::io::Error::other)?;
                writer.write(&batch).map_err(std::io::Error::other)?;
            }
            writer.flush().map_err(std::io::Error::other)?;
        }
        writer.close().map_err(std::io::Error::other)?;
        Ok(())
    })
}
