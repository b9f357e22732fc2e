//! What a CSV file is read as: columns in as many pieces as the file was cut into.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;

use crate::error::{Error, Result};

/// A table whose columns are in pieces, each of one type.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) columns: Vec<(String, DataType, Vec<ArrayRef>)>,
    pub(crate) rows: usize,
}

impl Pieces {
    /// The table in one piece.
    pub(crate) fn into_batch(self, path: &Path) -> Result<RecordBatch> {
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = self
            .columns
            .into_par_iter()
            .map(|(name, data_type, pieces)| {
                let array = concat(path, &name, &data_type, pieces)?;
                Ok((Field::new(name, data_type, true), array))
            })
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|source| Error::arrow(path, source))
    }
}

fn concat(
    path: &Path,
    name: &str,
    data_type: &DataType,
    mut pieces: Vec<ArrayRef>,
) -> Result<ArrayRef> {
    if pieces.len() == 1 {
        return Ok(pieces.swap_remove(0));
    }
    let views: Vec<&dyn arrow_array::Array> = pieces.iter().map(AsRef::as_ref).collect();
    if views.is_empty() {
        return Ok(arrow_array::new_empty_array(data_type));
    }
    arrow_select::concat::concat(&views).map_err(|source| match source {
        arrow_schema::ArrowError::OffsetOverflowError(size) => Error::Limit {
            path: path.to_owned(),
            place: format!(", column {name:?}"),
            what: format!("text of {size} bytes"),
            limit: "2 GiB in one column".to_owned(),
            hint: "choose columns without this one, or read the files one by one",
        },
        source => Error::arrow(path, source),
    })
}
