//! One of the Parquet files that a table is read from.

use std::ops::ControlFlow;

use arrow_array::{Array as _, ArrayRef, BooleanArray, new_null_array};
use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::parquet::ParquetFile;

/// A Parquet file, and which of its rows count.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) file: ParquetFile,
    /// Which rows the filter keeps; all of them if none.
    pub(super) kept: Option<BooleanArray>,
}

impl Part {
    pub(super) fn rows(&self) -> usize {
        self.kept.as_ref().map_or_else(|| self.file.rows(), BooleanArray::true_count)
    }

    /// Calls `each` with the part's pieces of a column, as `target`, until it breaks off.
    pub(super) fn read(
        &self,
        name: &str,
        target: &DataType,
        each: &mut impl FnMut(ArrayRef) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let failed = |source| Error::arrow(&self.file.path, source);
        let mut row = 0;
        let mut ended = ControlFlow::Continue(());
        let found = self.file.for_each_piece(name, |piece| {
            let rows = piece.len();
            let piece = match &self.kept {
                Some(kept) => {
                    arrow_select::filter::filter(&piece, &kept.slice(row, rows)).map_err(failed)?
                }
                None => piece,
            };
            row += rows;
            ended = each(if piece.data_type() == target {
                piece
            } else {
                arrow_cast::cast(&piece, target).map_err(failed)?
            });
            Ok(ended)
        })?;
        if !found {
            ended = each(new_null_array(target, self.rows()));
        }
        Ok(ended)
    }
}
