//! Quantiles of more values than fit in memory, without a file: a server's disk is for its log.
//!
//! Values are gathered in chunks, and quantiles made of each. Those of twice as many chunks are made of two of half as
//! many, so that quantiles are made of quantiles as often as the number of chunks can be halved (Munro and Paterson,
//! Selection and sorting with limited storage, 1980). Columns of few values are exact throughout. Of each chunk nothing is
//! kept that stands for few rows: from then on a number does not tell how many had it.

use arrow_array::{Array, ArrayRef};
use trainyard_drift::{Column, Suppressed};

use super::disclosure::ROWS_MIN;

/// Distinct numbers of a chunk: each time quantiles are made, ranks may be wrong by one share of so many.
pub(super) const SKETCH_POINTS: usize = 4096;

/// Bytes that a value takes while it is sorted, beside those of the array that it comes in.
const SORT_BYTES: usize = 16;

/// Values of one type, of which some wait.
#[derive(Default)]
pub(super) struct Sketch {
    waiting: Vec<ArrayRef>,
    /// What sorting them takes.
    bytes: usize,
    /// What is kept of one chunk, of two, of four and so on.
    levels: Vec<Option<Column>>,
    /// Values that are withheld, of all chunks.
    withheld: u64,
    /// By how many rows ranks may be wrong, as numbers are means: of all chunks.
    averaged: u64,
}

impl Sketch {
    /// Takes further rows, of which about so many bytes may wait.
    pub(super) fn push(&mut self, rows: ArrayRef, memory: usize) {
        let held = rows.to_data().get_slice_memory_size().unwrap_or(rows.len());
        self.bytes += held + rows.len() * SORT_BYTES;
        self.waiting.push(rows);
        if self.bytes > memory {
            self.condense();
        }
    }

    /// How often quantiles were made of quantiles: ranks are wrong by so many shares of [`SKETCH_POINTS`] at most.
    pub(super) fn levels(&self) -> usize {
        self.levels.len()
    }

    /// The column, and what is withheld of it.
    pub(super) fn finish(mut self) -> Suppressed {
        let last = (!self.waiting.is_empty()).then(|| self.chunk());
        let Self { levels, withheld, averaged, .. } = self;
        let all = levels.into_iter().flatten().chain(last);
        let whole = all.reduce(|whole, level| whole.merged(&level).unwrap_or(whole));
        let column = whole.unwrap_or_else(|| Column::new(&[]));
        Suppressed { column, withheld, averaged }
    }

    /// What waits, without what stands for few rows.
    fn chunk(&mut self) -> Column {
        let Suppressed { column, withheld, averaged } = column(&self.waiting).suppressed(ROWS_MIN);
        self.withheld += withheld;
        self.averaged += averaged;
        self.waiting.clear();
        self.bytes = 0;
        column
    }

    /// Makes quantiles of what waits.
    fn condense(&mut self) {
        let mut carried = self.chunk().quantised(SKETCH_POINTS);
        for level in &mut self.levels {
            let Some(other) = level.take() else {
                *level = Some(carried);
                return;
            };
            // They are of one type, and go together.
            carried = other.merged(&carried).unwrap_or(other).quantised(SKETCH_POINTS);
        }
        self.levels.push(Some(carried));
    }
}

fn column(pieces: &[ArrayRef]) -> Column {
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    Column::new(&pieces)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array};

    use super::*;

    const ROWS: usize = 200_000;

    fn sketched(pieces: impl Iterator<Item = ArrayRef>) -> (Suppressed, usize) {
        let mut sketch = Sketch::default();
        for piece in pieces {
            sketch.push(piece, 100_000);
        }
        let levels = sketch.levels();
        (sketch.finish(), levels)
    }

    #[test]
    fn ranks_are_as_right_as_is_said_and_no_row_is_lost() {
        // Each number below ROWS once, in no order.
        let value = |row: usize| (row * 7919 % ROWS) as f64;
        let piece = |start: usize| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values((start..start + 1000).map(value)))
        };
        let (Suppressed { column, withheld, averaged }, levels) =
            sketched((0..ROWS).step_by(1000).map(piece));
        assert_eq!((column.rows(), column.missing(), column.len()), (200_000, 0, 200_000));
        assert!(levels >= 3, "{levels}");
        assert!(column.distinct() <= ((levels + 1) * SKETCH_POINTS) as u64, "{levels}");
        // Of a chunk of some thousand rows numbers are means of eleven, or of twenty at its end.
        assert!(withheld == 0 && averaged >= ROWS_MIN, "{withheld} {averaged}");
        let most = ROWS as f64 * levels as f64 / SKETCH_POINTS as f64 + averaged as f64;
        for bound in (0..=ROWS).step_by(997) {
            let about = column.count_between(-1.0, bound as f64) as f64;
            assert!((about - bound as f64).abs() <= most + 1.0, "{bound}: {about}, {most}");
        }
        assert_eq!(column.count_between(0.0, 0.5), 0, "nobody's own number is kept");
    }

    #[test]
    fn few_values_are_exact_however_many_rows_there_are() {
        let piece = |_: usize| -> ArrayRef {
            Arc::new(
                (0..1000_i64).map(|row| (row % 10 > 0).then_some(row % 10)).collect::<Int64Array>(),
            )
        };
        let (Suppressed { column, withheld, averaged }, levels) = sketched((0..200).map(piece));
        assert!(levels >= 3, "{levels}");
        assert_eq!((withheld, averaged), (0, 0));
        assert_eq!((column.rows(), column.missing(), column.distinct()), (200_000, 20_000, 9));
        assert_eq!(column.count_between(3.0, 4.0), 20_000);
    }
}
