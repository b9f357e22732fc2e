//! Rows that are explained together, and which way each of them goes at a split.

use crate::tree::forest::{Forest, Kind, Nodes, Wide, left_bits, padded_width};
use crate::tree::scalar::Scalar;

/// Rows of a block. What they need beside the table of one tree stays in an L2 cache.
pub(super) const ROWS: usize = 256;

/// A split: the feature that it looks at, and its left child, with the right one beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branch {
    pub(super) feature: usize,
    pub(super) left: u32,
}

impl<X: Scalar, V: Scalar> Forest<X, V> {
    /// The split of a node; none at a leaf.
    pub(super) fn branch(&self, node: u32) -> Option<Branch> {
        if let Nodes::General { nodes, .. } = &self.nodes {
            let general = nodes.get(node as usize)?;
            let branch = Branch { feature: general.feature as usize, left: general.left };
            return (!matches!(general.kind, Kind::Leaf)).then_some(branch);
        }
        let wide = self.comparison(node)?;
        // Leaves lead to themselves.
        let feature = (wide.feature & 0x7fff_ffff) as usize;
        (wide.left != node).then_some(Branch { feature, left: wide.left })
    }

    /// Whether a row goes left at a split.
    pub(super) fn goes_left(&self, node: u32, row: &[X]) -> bool {
        if let Nodes::General { nodes, sets } = &self.nodes {
            return nodes.get(node as usize).is_some_and(|general| general.goes_left(row, sets));
        }
        self.comparison(node).is_some_and(|wide| {
            let feature = (wide.feature & 0x7fff_ffff) as usize;
            let key = row.get(feature).map_or(X::MISSING, |x| x.key());
            key <= wide.threshold || (key == X::MISSING && wide.feature >> 31 == 1)
        })
    }

    /// A node of the forms that compare.
    fn comparison(&self, node: u32) -> Option<Wide<X::Key>> {
        match &self.nodes {
            Nodes::Small(nodes) => nodes.get(node as usize).map(|small| small.widened(node)),
            Nodes::Narrow(nodes) => {
                let left_bits = padded_width(self.features).map_or(0, left_bits);
                nodes.get(node as usize).map(|node| node.widened(left_bits))
            }
            Nodes::Wide(nodes) => nodes.get(node as usize).copied(),
            Nodes::General { .. } => None,
        }
    }
}

/// Rows that are explained together.
pub(super) struct Block<'a, X: Scalar> {
    rows: &'a [X],
    width: usize,
    count: usize,
    /// Keys of what splits look at, all rows of one feature side by side; none for nodes of the general form.
    keys: Vec<X::Key>,
}

impl<'a, X: Scalar> Block<'a, X> {
    /// At most [`ROWS`] rows, row-major.
    pub(super) fn new<V: Scalar>(forest: &Forest<X, V>, rows: &'a [X], width: usize) -> Self {
        let width = width.max(1);
        let count = rows.len() / width;
        let mut keys = Vec::new();
        if !matches!(forest.nodes, Nodes::General { .. }) {
            keys.resize(forest.features * count, X::MISSING);
            for (number, row) in rows.chunks_exact(width).enumerate() {
                let slots = keys.iter_mut().skip(number).step_by(count);
                slots.zip(row).for_each(|(key, x)| *key = x.key());
            }
        }
        Self { rows, width, count, keys }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn row(&self, number: usize) -> &'a [X] {
        self.rows.get(number * self.width..(number + 1) * self.width).unwrap_or_default()
    }

    /// Whether the first row goes left at a split of the forms that compare.
    #[inline]
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "which way a row goes is anybody's guess, and a branch that is guessed wrong costs four times the rest"
    )]
    pub(super) fn goes_left(&self, node: Wide<X::Key>) -> bool {
        let first = (node.feature & 0x7fff_ffff) as usize * self.count;
        let key = self.keys.get(first).copied().unwrap_or(X::MISSING);
        (key <= node.threshold) | ((key == X::MISSING) & (node.feature >> 31 == 1))
    }

    /// Of each row what is in `from` and, where it goes left at the split, this bit.
    pub(super) fn outcomes<V: Scalar>(
        &self,
        forest: &Forest<X, V>,
        node: u32,
        bit: u8,
        from: &[u8; ROWS],
        to: &mut [u8; ROWS],
    ) {
        let (Some(from), Some(to)) = (from.get(..self.count), to.get_mut(..self.count)) else {
            return;
        };
        let slots = from.iter().zip(to);
        if let Nodes::General { nodes, sets } = &forest.nodes {
            let Some(general) = nodes.get(node as usize) else { return };
            for (number, (from, to)) in slots.enumerate() {
                let left = general.goes_left(self.row(number), sets);
                *to = from | (u8::from(left) << bit);
            }
            return;
        }
        let Some(wide) = forest.comparison(node) else { return };
        let first = (wide.feature & 0x7fff_ffff) as usize * self.count;
        let keys = self.keys.get(first..first + self.count).unwrap_or_default();
        let threshold = wide.threshold;
        if wide.feature >> 31 == 1 {
            for ((from, to), &key) in slots.zip(keys) {
                let left = key <= threshold || key == X::MISSING;
                *to = from | (u8::from(left) << bit);
            }
        } else {
            for ((from, to), &key) in slots.zip(keys) {
                *to = from | (u8::from(key <= threshold) << bit);
            }
        }
    }
}

/// What the features of a block's rows add to the outputs: all rows of one feature side by side.
pub(super) struct Gains {
    values: Vec<f64>,
    features: usize,
    count: usize,
}

impl Gains {
    pub(super) fn new(outputs: usize, features: usize, count: usize) -> Self {
        Self { values: vec![0.0; outputs * features * count], features, count }
    }

    /// What a feature adds to an output, a value a row.
    pub(super) fn column(&mut self, output: usize, feature: usize) -> &mut [f64] {
        let first = (output * self.features + feature) * self.count;
        self.values.get_mut(first..first + self.count).unwrap_or_default()
    }

    /// What the features add to an output, of one row alone.
    pub(super) fn of_one(&mut self, output: usize) -> &mut [f64] {
        let first = output * self.features;
        self.values.get_mut(first..first + self.features).unwrap_or_default()
    }

    /// Adds all of it to rows x outputs x `width` values.
    pub(super) fn add_to(&self, sums: &mut [f64], outputs: usize, width: usize) {
        let count = self.count.max(1);
        for (row, sums) in sums.chunks_exact_mut((outputs * width).max(1)).enumerate() {
            for (output, sums) in sums.chunks_exact_mut(width.max(1)).enumerate() {
                let first = output * self.features * count + row;
                let values = self.values.iter().skip(first).step_by(count).take(self.features);
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}
