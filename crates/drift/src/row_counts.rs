//! How often whole rows of a table occur.
//!
//! Columns are read one by one and never held together: a row is a number of 64 bits, to which every column adds
//! the hash of its value. Of a hundred million rows two different ones are taken for one with a chance of 0.03 %.

use std::collections::BTreeMap;

use ahash::RandomState;
use arrow_array::Array;
use arrow_array::cast::AsArray as _;
use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingKind, Severity};

/// Share of the reference's rows that repeat another one up to which a row that does so is a copy: where many rows
/// are alike, as in a table of labels, more of them are a change of those labels.
const USUAL_MAX: f64 = 0.1;

/// Rows as numbers, while their columns come in.
#[derive(Debug)]
pub struct RowHashes {
    rows: Vec<u64>,
    /// Whether every value that came can be told from others.
    is_complete: bool,
}

impl RowHashes {
    /// For a table with so many rows.
    pub fn new(rows: usize) -> Self {
        Self { rows: vec![0; rows], is_complete: true }
    }

    /// Adds a piece of a column, which begins at the row `start`. Columns are told apart by their number, so that
    /// values may not change places.
    pub fn add(&mut self, column: usize, start: usize, piece: &dyn Array) {
        let Some(rows) = self.rows.get_mut(start..start + piece.len()) else {
            self.is_complete = false;
            return;
        };
        let seed = column as u64;
        let hasher = RandomState::with_seeds(seed, seed, seed, seed);
        match hashes(piece, &hasher) {
            None => self.is_complete = false,
            Some(hashes) => {
                for (row, hash) in rows.iter_mut().zip(hashes) {
                    *row = row.wrapping_add(hasher.hash_one(hash));
                }
            }
        }
    }

    /// The share of rows that repeat another one, by the columns that came so far: by more of them it is less.
    pub fn repeated(&self) -> f64 {
        let mut rows = self.rows.clone();
        rows.sort_unstable();
        rows.dedup();
        1.0 - rows.len() as f64 / self.rows.len().max(1) as f64
    }

    /// How often rows occur; `None` where values are of a type that is not compared.
    pub fn finish(mut self) -> Option<RowCounts> {
        if !self.is_complete {
            return None;
        }
        self.rows.sort_unstable();
        let mut counts = RowCounts { rows: self.rows.len() as u64, times: BTreeMap::new() };
        for alike in self.rows.chunk_by(|a, b| a == b) {
            *counts.times.entry(alike.len() as u64).or_default() += 1;
        }
        Some(counts)
    }
}

/// How many different rows a table has by how often each occurs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowCounts {
    rows: u64,
    times: BTreeMap<u64, u64>,
}

impl RowCounts {
    /// Of a table of which every row is another one.
    pub fn all_different(rows: u64) -> Self {
        Self { rows, times: [(1, rows)].into() }
    }

    /// The share of rows that repeat another one in a sample of so many rows, as it is to be expected: the larger
    /// a table, the more of its rows are alike, so tables compare at one size only. (Rarefaction: Hurlbert, "The
    /// nonconcept of species diversity", 1971; here every row is drawn by itself.)
    pub(crate) fn repeated_in(&self, sample: u64) -> f64 {
        let missed = 1.0 - (sample as f64 / self.rows.max(1) as f64).min(1.0);
        let different: f64 = self
            .times
            .iter()
            .map(|(times, rows)| *rows as f64 * (1.0 - missed.powf(*times as f64)))
            .sum();
        1.0 - different / sample.max(1) as f64
    }

    /// Finding on rows that repeat another one, where their share is above the reference's by so much.
    pub fn more_than(&self, reference: &Self, change: f64) -> Option<Finding> {
        let sample = self.rows.min(reference.rows);
        let (before, after) = (reference.repeated_in(sample), self.repeated_in(sample));
        if sample == 0 || before > USUAL_MAX || after - before < change {
            return None;
        }
        let own = self.repeated_in(self.rows);
        let message = format!(
            "{:.1} % of the rows repeat another one; of as many rows {:.1} % in current and {:.1} % in the reference",
            100.0 * own,
            100.0 * after,
            100.0 * before.max(0.0)
        );
        Some(Finding::new(FindingKind::DuplicateRows, Severity::Warning, message))
    }

    /// Whether it fits a table of so many rows.
    pub(crate) fn is_of(&self, rows: u64) -> bool {
        let sum = self
            .times
            .iter()
            .try_fold(0_u64, |sum, (times, rows)| sum.checked_add(times.checked_mul(*rows)?));
        self.rows == rows && sum == Some(rows)
    }
}

/// Stands for a missing value.
const MISSING: u64 = 0x6d69_7373_696e_6721;

/// A number for every value; `None` where values of this type are not told apart.
fn hashes(piece: &dyn Array, hasher: &RandomState) -> Option<Vec<u64>> {
    let mut hashes: Vec<u64> = if let Some(width) = piece.data_type().primitive_width() {
        let data = piece.to_data();
        let start = data.offset() * width;
        let bytes = data.buffers().first()?.as_slice().get(start..start + piece.len() * width)?;
        bytes.chunks_exact(width).map(|value| hasher.hash_one(value)).collect()
    } else if let Some(dictionary) = piece.as_any_dictionary_opt() {
        let entries = hashes(dictionary.values().as_ref(), hasher)?;
        // Without an entry every row is missing.
        if entries.is_empty() {
            return Some(vec![MISSING; piece.len()]);
        }
        let of_key = |key: usize| entries.get(key).copied();
        dictionary.normalized_keys().into_iter().map(of_key).collect::<Option<_>>()?
    } else {
        match piece.data_type() {
            DataType::Boolean => piece.as_boolean().iter().map(|it| hasher.hash_one(it)).collect(),
            DataType::Utf8 => {
                piece.as_string::<i32>().iter().map(|it| hasher.hash_one(it)).collect()
            }
            DataType::LargeUtf8 => {
                piece.as_string::<i64>().iter().map(|it| hasher.hash_one(it)).collect()
            }
            DataType::Null => vec![MISSING; piece.len()],
            _ => return None,
        }
    };
    if let Some(nulls) = piece.nulls() {
        for (row, hash) in hashes.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *hash = MISSING;
            }
        }
    }
    Some(hashes)
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, Float64Array, ListArray, StringArray};

    use super::*;

    fn counts(columns: &[&dyn Array]) -> Option<RowCounts> {
        let mut hashes = RowHashes::new(columns[0].len());
        for (index, column) in columns.iter().enumerate() {
            // In pieces, as they come.
            let half = column.len() / 2;
            hashes.add(index, 0, &column.slice(0, half));
            hashes.add(index, half, &column.slice(half, column.len() - half));
        }
        hashes.finish()
    }

    #[test]
    fn rows_are_alike_in_all_columns() {
        let numbers =
            Float64Array::from(vec![Some(1.0), Some(1.0), None, Some(1.0), None, Some(2.0)]);
        let texts = StringArray::from(vec!["a", "b", "c", "a", "c", "a"]);
        let labels: DictionaryArray<Int32Type> =
            vec![Some("x"), Some("x"), None, Some("x"), None, Some("x")].into_iter().collect();
        let found = counts(&[&numbers, &texts, &labels]).unwrap();
        assert_eq!(found, RowCounts { rows: 6, times: [(1, 2), (2, 2)].into() });
        assert!((found.repeated_in(6) - 2.0 / 6.0).abs() < 1e-12);
        // Values that change places are other rows.
        let [left, right] = [vec!["a", "b"], vec!["b", "a"]].map(StringArray::from);
        assert_eq!(counts(&[&left, &right]), Some(RowCounts::all_different(2)));
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)]); 2]);
        assert_eq!(counts(&[&lists]), None);
    }

    #[test]
    fn tables_compare_at_one_size() {
        // Sixty kinds of rows: ten times as many rows repeat more, and are no news.
        let kinds = |rows: usize| {
            let values = (0..rows).map(|row| (row * 7919 % 60) as f64);
            counts(&[&Float64Array::from_iter_values(values)]).unwrap()
        };
        assert_eq!(kinds(6000).more_than(&kinds(600), 0.05), None);
        assert_eq!(kinds(600).more_than(&kinds(6000), 0.05), None);
        // Fewer labels than there were are no copies either.
        assert_eq!(kinds(60).more_than(&kinds(600), -1.0), None);
        let different = RowCounts::all_different(1000);
        let some_twice = RowCounts { rows: 1100, times: [(1, 900), (2, 100)].into() };
        let finding = some_twice.more_than(&different, 0.05).unwrap();
        assert!(
            finding.message.starts_with("9.1 % of the rows repeat another one"),
            "{}",
            finding.message
        );
        assert_eq!(different.more_than(&some_twice, 0.05), None);
        assert!(!some_twice.is_of(1000) && some_twice.is_of(1100));
    }
}
