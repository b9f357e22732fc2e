//! A Parquet file on disk whose columns are decoded one by one.

use std::collections::HashSet;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::decode::{
    batches, choose, guarded, held, is_bytes, load, plain_type, rows, text_of, undecodable,
};
use crate::error::{Error, Result};
use crate::options::ReadOptions;

/// A Parquet file on disk whose columns are decoded one by one.
#[derive(Debug, Clone)]
pub(crate) struct ParquetFile {
    pub(crate) path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Indices of the columns that were chosen, in order.
    chosen: Vec<usize>,
    /// Indices of those among them that are text without the mark of text.
    texts: HashSet<usize>,
}

impl ParquetFile {
    /// Reads the footer, and columns of bytes to see whether they are text.
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::read(path, error))?;
        let metadata = guarded(path, || load(path, &file))?;
        let chosen = choose(path, metadata.schema(), options)?;
        let mut file = Self { path: path.to_owned(), metadata, chosen, texts: HashSet::new() };
        file.texts = file.chosen.iter().copied().filter(|&index| file.is_text(index)).collect();
        Ok(file)
    }

    /// Whether a column is bytes that all are UTF-8. One that cannot be decoded is not: its reader will
    /// be told.
    fn is_text(&self, index: usize) -> bool {
        if !is_bytes(self.metadata.schema().field(index).data_type()) {
            return false;
        }
        let mut is_text = true;
        let looked = self.decode(index, |piece| {
            is_text &= text_of(&piece).is_some();
            Ok(if is_text { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        looked.is_ok() && is_text
    }

    /// Rows, as its row groups count them: the number beside them may be anything.
    pub(crate) fn rows(&self) -> usize {
        rows(&self.metadata)
    }

    /// What pandas wrote of its own types.
    pub(crate) fn pandas(&self) -> Option<&str> {
        self.metadata.schema().metadata().get("pandas").map(String::as_str)
    }

    /// Names and types of the chosen columns, as [`ParquetFile::for_each_piece`] gives them.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&str, DataType)> {
        self.chosen.iter().map(|&index| {
            let field = self.metadata.schema().field(index);
            (field.name().as_str(), self.type_of(index))
        })
    }

    fn type_of(&self, index: usize) -> DataType {
        if self.texts.contains(&index) {
            return DataType::Utf8;
        }
        plain_type(self.metadata.schema().field(index).data_type())
    }

    /// Decodes one column and calls `each` with its pieces as they come, until it breaks off; `false` if
    /// the file does not have it.
    pub(crate) fn for_each_piece(
        &self,
        name: &str,
        mut each: impl FnMut(ArrayRef) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        let schema = self.metadata.schema();
        let Some(&index) = self.chosen.iter().find(|&&index| schema.field(index).name() == name)
        else {
            return Ok(false);
        };
        let (path, target) = (self.path.as_path(), self.type_of(index));
        self.decode(index, |piece| {
            if *piece.data_type() == target {
                return each(piece);
            }
            if self.texts.contains(&index) {
                let text = text_of(&piece);
                return each(
                    text.ok_or_else(|| undecodable(path, "it changed while it was read"))?,
                );
            }
            let plain = arrow_cast::cast(&piece, &target);
            each(plain.map_err(|source| Error::arrow(path, source))?)
        })?;
        Ok(true)
    }

    /// The pieces of a column as the decoder gives them.
    fn decode(
        &self,
        index: usize,
        mut each: impl FnMut(ArrayRef) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let path = self.path.as_path();
        guarded(path, || {
            let file = File::open(path).map_err(|error| Error::read(path, error))?;
            let held = held(path, &file, &self.metadata, &[index])?;
            for batch in batches(path, file, &self.metadata, &[index], &held)? {
                let batch = batch.map_err(|error| undecodable(path, &error.to_string()))?;
                if each(Arc::clone(batch.column(0)))?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
