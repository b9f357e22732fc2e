//! Symmetric trees: the leaf of a row is the number that its answers to the splits of a tree make, a bit each.

use super::bins::Split;
use super::file::Trees;
use super::rows::BLOCK;

/// The splits of all trees, one after the other. Leaves stay where they are.
#[derive(Debug)]
pub(super) struct Symmetric {
    splits: Vec<Split>,
}

impl Symmetric {
    pub(super) fn new(splits: Vec<Split>) -> Self {
        Self { splits }
    }

    /// Adds the leaves of all trees, in their order, to the sums of a block of rows, `outputs` for each. `bins` are
    /// the bytes of the rows, those of one bucket side by side.
    pub(super) fn add_to(&self, trees: &Trees, bins: &[u8], outputs: usize, sums: &mut [f64]) {
        let rows = sums.len() / outputs.max(1);
        match rows {
            0 => {}
            1 => self.add_row(trees, bins, sums),
            _ => self.add_block(trees, bins, rows, outputs, sums),
        }
    }

    fn add_row(&self, trees: &Trees, bins: &[u8], sums: &mut [f64]) {
        let (mut splits, mut leaves) = (self.splits.as_slice(), trees.leaves.as_slice());
        for &levels in &trees.sizes {
            let Some((own, others)) = splits.split_at_checked(levels) else { return };
            splits = others;
            let mut leaf = 0;
            for (level, split) in own.iter().enumerate() {
                let bin = bins.get(split.bucket as usize).copied().unwrap_or(0);
                leaf |= usize::from(bin ^ split.flip >= split.at_least) << level;
            }
            let Some((own, others)) = leaves.split_at_checked(sums.len() << levels) else { return };
            leaves = others;
            let values = own.get(leaf * sums.len()..).unwrap_or_default();
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    }

    fn add_block(&self, trees: &Trees, bins: &[u8], rows: usize, outputs: usize, sums: &mut [f64]) {
        let (mut splits, mut leaves) = (self.splits.as_slice(), trees.leaves.as_slice());
        let mut of_row = [0_u16; BLOCK];
        let Some(of_row) = of_row.get_mut(..rows) else { return };
        for &levels in &trees.sizes {
            let Some((own, others)) = splits.split_at_checked(levels) else { return };
            splits = others;
            of_row.fill(0);
            for (level, split) in own.iter().enumerate() {
                let first = split.bucket as usize * rows;
                let bins = bins.get(first..first + rows).unwrap_or_default();
                for (leaf, bin) in of_row.iter_mut().zip(bins) {
                    *leaf |= u16::from(bin ^ split.flip >= split.at_least) << level;
                }
            }
            let Some((own, others)) = leaves.split_at_checked(outputs << levels) else { return };
            leaves = others;
            if outputs == 1 {
                for (sum, &leaf) in sums.iter_mut().zip(&*of_row) {
                    *sum += own.get(usize::from(leaf)).copied().unwrap_or(0.0);
                }
                continue;
            }
            for (sums, &leaf) in sums.chunks_exact_mut(outputs).zip(&*of_row) {
                let values = own.get(usize::from(leaf) * outputs..).unwrap_or_default();
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.splits.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_alone_has_the_sums_that_it_has_in_a_block() {
        let split = |bucket, at_least, flip| Split { bucket, at_least, flip };
        // At a number, at a category (3), at a number; then no split at all.
        let splits = vec![split(0, 2, 0), split(1, u8::MAX, !3), split(0, 1, 0)];
        let trees = Trees {
            sizes: vec![3, 0],
            leaves: (0..18_u8).map(f64::from).collect(),
            ..Trees::default()
        };
        let symmetric = Symmetric::new(splits);
        let rows = [(0, 0), (1, 3), (2, 1), (2, 3), (0, 3), (1, 0)];
        let leaves = [0.0, 6.0, 5.0, 7.0, 2.0, 4.0];
        let bins: Vec<u8> =
            rows.iter().map(|row| row.0).chain(rows.iter().map(|row| row.1)).collect();
        let mut sums = vec![0.0; 2 * rows.len()];
        symmetric.add_to(&trees, &bins, 2, &mut sums);
        for ((row, leaf), sums) in rows.iter().zip(leaves).zip(sums.chunks_exact(2)) {
            assert_eq!(sums, [2.0 * leaf + 16.0, 2.0 * leaf + 1.0 + 17.0]);
            let mut alone = [0.0; 2];
            symmetric.add_to(&trees, &[row.0, row.1], 2, &mut alone);
            assert_eq!(alone, sums);
        }
        let single = Trees { leaves: (0..9_u8).map(f64::from).collect(), ..trees };
        let mut sums = vec![0.5; rows.len()];
        symmetric.add_to(&single, &bins, 1, &mut sums);
        let expected: Vec<f64> = leaves.iter().map(|leaf| 0.5 + leaf + 8.0).collect();
        assert_eq!(sums, expected);
    }
}
