//! A number for a row that its content alone decides: the same in CSV and Parquet, today and when the table
//! has grown.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::Result;
use crate::column::Column;

/// Marks before a cell, so that no two rows of cells are the same bytes.
const MISSING: [u8; 1] = [0];
const TEXT: [u8; 1] = [1];
const NUMBER: [u8; 1] = [2];

/// A hash a row: the first eight bytes, big-endian, of the SHA-256 of its cells, columns ordered by name.
///
/// A cell is its column's name (length as 64-bit little-endian, then UTF-8) and its value in normal form: 0 for
/// a missing one (null, NaN, empty text); 2 and a 64-bit little-endian float for a number or a text that is
/// one, booleans as 0 and 1; else 1, the length and the UTF-8 of the text (ISO 8601 for times). So neither the order of the columns
/// nor their types (`1`, `1.0`, `"1"`) matter, and equal rows have equal hashes.
pub(crate) fn hashes(table: &RecordBatch) -> Result<Vec<u64>> {
    let mut columns = Vec::new();
    for (field, array) in table.schema_ref().fields().iter().zip(table.columns()) {
        columns.push((field.name().as_str(), Column::read_as_written(field.name(), array)?));
    }
    columns.sort_by_key(|(name, _)| *name);
    Ok((0..table.num_rows()).into_par_iter().map(|row| hash(&columns, row)).collect())
}

/// The hashes of all rows, to ask whether a row occurs.
pub(crate) fn set(table: &RecordBatch) -> Result<HashSet<u64>> {
    Ok(hashes(table)?.into_iter().collect())
}

/// The hash below which a share of all hashes lies.
pub(crate) fn threshold(share: f64) -> u64 {
    // 2^64; the cast holds what is larger at the largest hash.
    (share * 18_446_744_073_709_551_616.0) as u64
}

fn hash(columns: &[(&str, Column)], row: usize) -> u64 {
    let mut hash = Sha256::new();
    for (name, column) in columns {
        text(&mut hash, name);
        cell(&mut hash, column, row);
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn cell(hash: &mut Sha256, column: &Column, row: usize) {
    if column.is_missing(row) {
        return hash.update(MISSING);
    }
    let number = match column {
        Column::Text(values) => {
            let number = values.value(row).trim().parse::<f64>().ok();
            number.filter(|number| number.is_finite())
        }
        _ => column.number(row),
    };
    match (number, column) {
        (Some(number), _) => {
            hash.update(NUMBER);
            // -0 is 0.
            hash.update((number + 0.0).to_le_bytes());
        }
        (None, Column::Text(values)) => {
            hash.update(TEXT);
            text(hash, values.value(row));
        }
        (None, _) => hash.update(MISSING),
    }
}

fn text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};

    use super::*;

    fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap()
    }

    #[test]
    fn types_and_order_of_columns_do_not_matter() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1, 0]));
        let number: ArrayRef = Arc::new(Float64Array::from(vec![1.0, -0.0]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["1", " 0.0"]));
        let flag: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let city: ArrayRef = Arc::new(StringArray::from(vec!["Rome", "Bonn"]));
        let expected = hashes(&table(vec![("n", whole), ("city", Arc::clone(&city))])).unwrap();
        for other in [number, text, flag] {
            let table = table(vec![("city", Arc::clone(&city)), ("n", other)]);
            assert_eq!(hashes(&table).unwrap(), expected);
        }
    }

    /// The documented form, made by hand with Python's `hashlib` and `struct`.
    #[test]
    fn the_hash_is_as_documented() {
        let n: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
        let city: ArrayRef = Arc::new(StringArray::from(vec!["Rome", "Bonn"]));
        let found = hashes(&table(vec![("n", n), ("city", city)])).unwrap();
        assert_eq!(found, [8710590992329170596, 5340035574336816968]);
    }

    #[test]
    fn a_share_of_the_rows_is_below_the_threshold() {
        let ids: ArrayRef = Arc::new(Int64Array::from((0..10_000).collect::<Vec<_>>()));
        let hashes = hashes(&table(vec![("id", ids)])).unwrap();
        let below = hashes.iter().filter(|hash| **hash < threshold(0.2)).count();
        // Four standard deviations.
        assert!((1_840..=2_160).contains(&below), "{below}");
        assert_eq!(threshold(1.0), u64::MAX);
    }
}
