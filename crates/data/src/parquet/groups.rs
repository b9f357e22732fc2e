//! A Parquet file in parts that are read by themselves: neighbouring row groups together, or rows of a large one.
//! Where parts begin and end follows from the file alone, so that whoever reads it again finds the same ones.

use std::fs::File;
use std::path::{Path, PathBuf};

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use arrow_array::RecordBatch;

use super::decode::{choose, guarded, held_a_batch_at_a_time, load, plain, undecodable};
use super::pages::Held;
use crate::error::{Error, Result};
use crate::options::ReadOptions;

/// Rows decoded at a time. The bounds of batches are the file's alone, too.
const BATCH_ROWS: usize = 32_768;

/// Values decoded at a time, about: 32 MB of numbers, for several threads do so.
const BATCH_VALUES: usize = 4 << 20;

/// Rows of consecutive row groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    numbers: Vec<usize>,
    /// Rows of the first of them that are another part's.
    offset: usize,
    pub(crate) rows: usize,
}

/// A Parquet file in parts.
#[derive(Debug)]
pub(crate) struct GroupedFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Indices of the columns that were chosen, in the order of the file.
    chosen: Vec<usize>,
    held: Held,
}

impl GroupedFile {
    /// Reads the footer, and the headers of the pages of the columns that are chosen.
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::read(path, error))?;
        let metadata = guarded(path, || load(path, &file))?;
        let mut chosen = choose(path, metadata.schema(), options)?;
        chosen.sort_unstable();
        chosen.dedup();
        let held = guarded(path, || held_a_batch_at_a_time(path, &file, &metadata, &chosen))?;
        Ok(Self { path: path.to_owned(), metadata, chosen, held })
    }

    /// Names of all columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.metadata.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Its parts of about so many rows at most.
    pub(crate) fn parts(&self, rows_max: usize) -> Vec<Groups> {
        let groups = self.metadata.metadata().row_groups().iter();
        cut(groups.map(|group| usize::try_from(group.num_rows()).unwrap_or(0)), rows_max)
    }

    /// The rows of a part, a batch at a time.
    pub(crate) fn read<'a>(
        &'a self,
        part: &Groups,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<'a>> {
        let path = self.path.as_path();
        let file = File::open(path).map_err(|error| Error::read(path, error))?;
        let schema = self.metadata.metadata().file_metadata().schema_descr();
        let mask = ProjectionMask::roots(schema, self.chosen.iter().copied());
        let rows = BATCH_ROWS.min(BATCH_VALUES / self.chosen.len().max(1)).max(1);
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(mask)
                .with_batch_size(self.held.batch_rows(rows))
                .with_row_groups(part.numbers.clone())
                .with_offset(part.offset)
                .with_limit(part.rows);
        let mut reader = guarded(path, || {
            builder.build().map_err(|error| undecodable(path, &error.to_string()))
        })?;
        Ok(std::iter::from_fn(move || match guarded(path, || Ok(reader.next())) {
            Ok(None) => None,
            Ok(Some(Ok(batch))) => Some(plain(path, &batch)),
            Ok(Some(Err(error))) => Some(Err(undecodable(path, &error.to_string()))),
            Err(error) => Some(Err(error)),
        }))
    }
}

/// Groups of these rows in parts of at most `rows_max`.
fn cut(rows_of_groups: impl Iterator<Item = usize>, rows_max: usize) -> Vec<Groups> {
    let mut parts = Vec::new();
    let mut open = Groups { numbers: Vec::new(), offset: 0, rows: 0 };
    for (group, rows) in rows_of_groups.enumerate() {
        if open.rows > 0 && open.rows.saturating_add(rows) > rows_max {
            let next = Groups { numbers: Vec::new(), offset: 0, rows: 0 };
            parts.push(std::mem::replace(&mut open, next));
        }
        if rows > rows_max {
            parts.extend((0..rows).step_by(rows_max).map(|offset| Groups {
                numbers: vec![group],
                offset,
                rows: rows_max.min(rows - offset),
            }));
        } else if rows > 0 {
            open.numbers.push(group);
            open.rows += rows;
        }
    }
    if open.rows > 0 {
        parts.push(open);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part() {
        let check = |rows: &[usize], expected: &[(&[usize], usize, usize)]| {
            let parts = cut(rows.iter().copied(), 10);
            let found: Vec<_> =
                parts.iter().map(|part| (&*part.numbers, part.offset, part.rows)).collect();
            assert_eq!(found, expected, "{rows:?}");
        };
        check(&[], &[]);
        check(&[0, 10], &[(&[1], 0, 10)]);
        check(&[4, 4, 4, 1], &[(&[0, 1], 0, 8), (&[2, 3], 0, 5)]);
        check(
            &[3, 25, 3],
            &[(&[0], 0, 3), (&[1], 0, 10), (&[1], 10, 10), (&[1], 20, 5), (&[2], 0, 3)],
        );
    }
}
