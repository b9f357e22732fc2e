//! A column that comes in pieces and may be larger than the memory to spend on it.

use std::collections::VecDeque;

use arrow_array::{Array, ArrayRef};

use crate::Column;
use crate::values::disk::Trouble;
use crate::values::{Numbers, Values};

/// Bytes that a value takes while it is sorted, beside those of the array that it comes in.
const SORT_BYTES: usize = 16;
/// What of the memory may be kept between pieces, as a divisor; the rest is for the next ones.
const KEPT_SHARE: usize = 4;

/// Reads a column piece by piece. Numbers that do not fit in memory are sorted in parts, which wait in
/// temporary files until they are merged; every result is the same as with [`Column::new`]. Distinct
/// texts stay in memory.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::Int64Array;
/// use trainyard_drift::ColumnBuilder;
/// let mut builder = ColumnBuilder::new(1 << 20);
/// for part in 0..10 {
///     builder.push(Arc::new(Int64Array::from_iter_values((0..100_000).map(|i| i * 1000 + part))));
/// }
/// assert_eq!(builder.finish().distinct(), 1_000_000);
/// ```
#[derive(Debug)]
pub struct ColumnBuilder {
    memory: usize,
    pieces: Vec<ArrayRef>,
    /// What sorting the pieces takes.
    bytes: usize,
    parts: Vec<Column>,
    trouble: Trouble,
}

impl ColumnBuilder {
    /// Spends about so many bytes of memory.
    pub fn new(memory: u64) -> Self {
        Self {
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
            pieces: Vec::new(),
            bytes: 0,
            parts: Vec::new(),
            trouble: Trouble::default(),
        }
    }

    /// Takes the next rows. They must be of one type, as with [`Column::new`].
    pub fn push(&mut self, piece: ArrayRef) {
        let held = piece.to_data().get_slice_memory_size().unwrap_or(piece.len());
        self.bytes += held + piece.len() * SORT_BYTES;
        self.pieces.push(piece);
        if self.bytes > self.memory {
            self.sort();
        }
    }

    /// The column.
    pub fn finish(mut self) -> Column {
        if !self.pieces.is_empty() || self.parts.is_empty() {
            self.sort();
        }
        let mut parts = VecDeque::from(self.parts);
        while parts.len() > 1 {
            let (Some(left), Some(right)) = (parts.pop_front(), parts.pop_front()) else { break };
            let merged = left.merged_within(&right, self.memory / KEPT_SHARE, &self.trouble);
            // Pieces of another type count as missing, as they do within a part.
            parts.push_back(merged.unwrap_or_else(|| Column {
                rows: left.rows + right.rows,
                missing: left.missing + right.rows,
                ..left
            }));
        }
        parts.pop_front().unwrap_or_else(|| Column::new(&[]))
    }

    /// Makes a part of the pieces.
    fn sort(&mut self) {
        let pieces: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        let mut part = Column::new(&pieces);
        let is_all = self.parts.is_empty() && self.bytes <= self.memory;
        self.pieces.clear();
        self.bytes = 0;
        let kept: usize = self.parts.iter().map(held).sum();
        if let Values::Numbers(numbers) = &part.values
            && !is_all
            && kept + held(&part) > self.memory / KEPT_SHARE
        {
            part.values = Values::Numbers(numbers.spilled(&self.trouble));
        }
        self.parts.push(part);
    }
}

/// Bytes of memory that the numbers of a part take.
fn held(part: &Column) -> usize {
    part.numbers().map_or(0, Numbers::bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float32Array, Float64Array, Int64Array, StringArray};

    use super::*;
    use crate::{ColumnDrift, Compat, Method, Options, compare_columns};

    const ROWS: usize = 24_000;
    const PIECE: usize = 1000;

    /// In parts, with hardly any memory.
    fn built(array: &ArrayRef) -> Column {
        let mut builder = ColumnBuilder::new(100_000);
        for start in (0..array.len()).step_by(PIECE) {
            builder.push(array.slice(start, PIECE));
        }
        builder.finish()
    }

    fn random(seed: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(seed), |state| {
            Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
        })
        .map(|state| state >> 33)
    }

    fn columns(seed: u64) -> Vec<(&'static str, ArrayRef)> {
        let values = || random(seed).take(ROWS);
        vec![
            ("continuous", Arc::new(values().map(|x| (x as f64).ln()).collect::<Float64Array>())),
            (
                "gaps",
                Arc::new(
                    values()
                        .map(|x| match x % 11 {
                            0 => None,
                            1 => Some(f64::INFINITY),
                            _ => Some(x as f64),
                        })
                        .collect::<Float64Array>(),
                ),
            ),
            ("single", Arc::new(values().map(|x| x as f32 / 7.0).collect::<Float32Array>())),
            ("integer", Arc::new(Int64Array::from_iter_values(values().map(|x| x as i64)))),
            (
                // Missing values in one part only make floats of all.
                "integer with gaps",
                Arc::new(
                    values()
                        .zip(0..)
                        .map(|(x, row)| (row != 10_000).then_some(x as i64 % 9))
                        .collect::<Int64Array>(),
                ),
            ),
            ("few", Arc::new(Int64Array::from_iter_values(values().map(|x| x as i64 % 7)))),
            (
                "label",
                Arc::new(StringArray::from_iter_values(values().map(|x| format!("l{}", x % 40)))),
            ),
        ]
    }

    #[test]
    fn parts_on_disk_give_what_the_whole_gives() {
        let methods = ["ks", "psi", "cramer_von_mises", "anderson", "mannw", "t_test", "es", "ed"];
        for ((name, before), (_, after)) in columns(1).iter().zip(&columns(77)) {
            let (reference, current) = (built(before), built(after));
            let on_disk = held(&reference) == 0 && reference.numbers().is_some();
            assert_eq!(on_disk, !["integer with gaps", "few", "label"].contains(name), "{name}");
            let whole = (Column::new(&[&**before]), Column::new(&[&**after]));
            let compared = |options: &Options| -> [ColumnDrift; 2] {
                [(&reference, &current), (&whole.0, &whole.1)].map(|(reference, current)| {
                    compare_columns(name, Some(reference), Some(current), options)
                })
            };
            let mut options = Options::default();
            let [parts, all] = compared(&options);
            assert_eq!(parts, all);
            options.compat = Compat::Evidently;
            let [parts, all] = compared(&options);
            assert_eq!(parts, all);
            for method in methods {
                options.method = Some(method.parse::<Method>().unwrap());
                let [parts, all] = compared(&options);
                assert_eq!(parts, all, "{method}");
            }
            assert_eq!(reference.stored(), whole.0.stored(), "{name}");
        }
    }

    #[test]
    fn a_column_that_fits_stays_in_memory() {
        let array: ArrayRef =
            Arc::new(Float64Array::from_iter_values(random(5).take(ROWS).map(|x| x as f64)));
        let mut builder = ColumnBuilder::new(1 << 21);
        builder.push(Arc::clone(&array));
        assert_eq!(builder.finish(), Column::new(&[&*array]));
        assert_eq!(ColumnBuilder::new(0).finish(), Column::new(&[]));
    }

    #[test]
    fn what_cannot_be_read_back_is_no_result() {
        let whole = &columns(1)[0].1;
        let column = built(whole);
        column.numbers().unwrap().trouble().note(&std::io::Error::other("the disk is gone"));
        for (reference, current) in
            [(Some(&column), Some(&Column::new(&[&**whole]))), (None, Some(&column))]
        {
            let drift = compare_columns("x", reference, current, &Options::default());
            let crate::Status::Failed(reason) = drift.status else { panic!("{drift:?}") };
            assert_eq!(reason, "a temporary file is of no use: the disk is gone");
        }
    }
}
