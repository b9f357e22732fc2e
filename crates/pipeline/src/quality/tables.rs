//! Tables as they are opened here, and which of their rows are looked at.

use std::path::Path;

use trainyard_data::arrow_schema::DataType;
use trainyard_data::{Columns, ReadOptions, RowFilter};
use trainyard_report::quality::Labels;

use super::columns::{texts, wanted};
use super::labels::{Joined, check_labels};
use crate::Result;

/// The id of a prediction, where none is named and the table is no log.
pub(super) const ID: &str = "request_id";

/// Bytes that reading text may take before it is put on the disk.
const MEMORY: u64 = 512 << 20;
/// Rows that are looked at for estimates, evenly taken of all: sampling errors of so many are far below what matters.
const SAMPLE_ROWS_MAX: usize = 100_000;

/// Opens a table. Ids in CSV are texts, whatever they look like: leading zeros are a part of them.
pub(super) fn open(source: &str, rows: RowFilter, ids: &[&str]) -> Result<Columns> {
    let options = ReadOptions {
        // Segments of a prediction log may come from versions with different columns.
        fill_missing_columns: Path::new(source).is_dir(),
        types: ids.iter().map(|id| ((*id).to_owned(), DataType::Utf8)).collect(),
        rows,
        ..ReadOptions::default()
    };
    Ok(Columns::open(source, &options, Some(MEMORY))?)
}

/// Positions of an even part of the rows.
pub(super) fn evenly(columns: &Columns) -> Vec<u32> {
    let step = columns.rows().div_ceil(SAMPLE_ROWS_MAX).max(1);
    (0..columns.rows() as u32).step_by(step).collect()
}

/// Predictions that have what was true in a column of their own.
pub(super) fn in_column(predictions: &Columns, source: &str, target: &str) -> Result<Joined> {
    check_labels(predictions, source)?;
    let all: Vec<u32> = (0..predictions.rows() as u32).collect();
    let values = texts(&wanted(predictions, source, target, &all)?)?;
    let known = all.into_iter().zip(values).filter_map(|(row, value)| Some((row, value?)));
    let (positions, truth): (Vec<u32>, Vec<String>) = known.unzip();
    let labelled = positions.len() as u64;
    let counts = Labels {
        predictions: predictions.rows() as u64,
        labelled,
        labels: labelled,
        ..Labels::default()
    };
    Ok(Joined { positions, truth, counts })
}
