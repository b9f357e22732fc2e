//! The rows of a node, added up by the values of a feature of few values.

use super::criterion::Criterion;

/// Numbers that are added up of a node, for each of its rows: of many classes most would be zeros, and sorting the rows
/// is faster.
const NUMBERS_A_ROW: usize = 4;

/// What is added up by value. Between two fillings all of it is zero, so that a small node pays for its own rows alone.
pub(super) struct Buckets {
    /// By value how many rows there are, and what the criterion sums of them, side by side.
    sums: Vec<f64>,
    /// Numbers a value.
    width: usize,
    /// A bit for each value that a node of fewer rows than values has.
    present: Vec<u64>,
}

impl Buckets {
    /// Room for those features of so many values that suit a tree of so many rows; the criterion sums so many numbers.
    pub(super) fn new(values: impl Iterator<Item = usize>, rows: usize, sum_width: usize) -> Self {
        let mut buckets = Self { sums: Vec::new(), width: sum_width + 1, present: Vec::new() };
        let most = values.filter(|&values| buckets.suit(values, rows)).max().unwrap_or(0);
        buckets.sums.resize(most * buckets.width, 0.0);
        buckets.present.resize(most.div_ceil(64), 0);
        buckets
    }

    /// Whether a feature of so many values is better added up in a node of so many rows than sorted. What suits a
    /// node suits all larger ones.
    pub(super) fn suit(&self, values: usize, rows: usize) -> bool {
        values.min(rows) * (self.width - 1) <= NUMBERS_A_ROW * rows
    }

    /// Adds up rows by `place`, where among so many values that of a row is.
    pub(super) fn fill(
        &mut self,
        values: usize,
        rows: &[u32],
        place: impl Fn(u32) -> usize,
        criterion: &impl Criterion,
    ) {
        let (width, is_sparse) = (self.width, values > rows.len());
        for (at, &row) in rows.iter().enumerate() {
            let place = place(row);
            if is_sparse {
                self.present[place / 64] |= 1 << (place % 64);
            }
            let bucket = &mut self.sums[place * width..][..width];
            bucket[0] += 1.0;
            criterion.add_to(&mut bucket[1..], at);
        }
    }

    /// Hands over the values that have rows, in their order: the place of each, how many rows there are and what is
    /// summed of them. All is zero again then.
    pub(super) fn drain(
        &mut self,
        values: usize,
        rows: usize,
        mut each: impl FnMut(usize, usize, &[f64]),
    ) {
        let width = self.width;
        let mut hand_over = |place: usize, bucket: &mut [f64]| {
            each(place, bucket[0] as usize, &bucket[1..]);
            bucket.fill(0.0);
        };
        if values <= rows {
            let buckets = self.sums.chunks_exact_mut(width).take(values).enumerate();
            for (place, bucket) in buckets.filter(|(_, bucket)| bucket[0] > 0.0) {
                hand_over(place, bucket);
            }
            return;
        }
        for (word, bits) in self.present.iter_mut().take(values.div_ceil(64)).enumerate() {
            let mut bits = std::mem::take(bits);
            while bits != 0 {
                let place = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                hand_over(place, &mut self.sums[place * width..][..width]);
            }
        }
    }
}
