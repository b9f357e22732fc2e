//! The walks: many independent chains of loads at once, no branch that depends on the data.

use super::build::{FEATURE_BITS, LEFT_BITS};
use super::{Forest, General, Kind, Narrow, Nodes, Scalar, TreeHead, Wide};

/// Walks in lockstep. 16 chains hide the latency of L2; 32 spill registers for no gain.
const LANES: usize = 16;

/// Rows that go through all trees before the next ones do: their inputs stay in the L1 cache.
const BLOCK_ROWS: usize = 128;

/// From this many rows on, rows walk together rather than trees.
const ROWS_IN_LOCKSTEP: usize = 8;

/// Steps between looks at whether all lanes have arrived at their leaves.
const STEPS_PER_CHECK: u32 = 4;

/// LightGBM's `kZeroThreshold`: values up to here are zero.
const ZERO: f64 = 1e-35_f32 as f64;

/// One step of a walk that needs no branch.
trait Step<X: Scalar>: Copy {
    /// Index of the next node, from the root of the tree.
    fn next<const MISSING: bool>(self, row: &[X]) -> u32;
}

impl<X: Scalar> Step<X> for Narrow<X> {
    #[inline]
    fn next<const MISSING: bool>(self, row: &[X]) -> u32 {
        const LEFT_MASK: u32 = (1 << LEFT_BITS) - 1;
        const FEATURE_MASK: u32 = (1 << FEATURE_BITS) - 1;
        let feature = (self.packed >> LEFT_BITS & FEATURE_MASK) as usize;
        let x = row.get(feature).copied().unwrap_or(X::NAN);
        let mut left = x <= self.threshold;
        if MISSING {
            left |= x.is_nan() && self.packed >> (LEFT_BITS + FEATURE_BITS) != 0;
        }
        (self.packed & LEFT_MASK) + u32::from(!left)
    }
}

impl<X: Scalar> Step<X> for Wide<X> {
    #[inline]
    fn next<const MISSING: bool>(self, row: &[X]) -> u32 {
        let x = row.get((self.feature & 0x7fff_ffff) as usize).copied().unwrap_or(X::NAN);
        let mut left = x <= self.threshold;
        if MISSING {
            left |= x.is_nan() && self.feature >> 31 != 0;
        }
        self.left + u32::from(!left)
    }
}

impl<X: Scalar, V: Scalar> Forest<X, V> {
    /// Adds the leaf values of every row to `sums`, which has [`outputs`](Self::outputs) values a row
    /// and holds what the sums start from. `rows` is row-major with `width` columns; rows that are
    /// narrower than the splits ask for are walked as if the rest were missing.
    pub fn add_to(&self, rows: &[X], width: usize, sums: &mut [V]) {
        match &self.nodes {
            Nodes::Narrow(nodes) => self.add_stepping(nodes, rows, width, sums),
            Nodes::Wide(nodes) => self.add_stepping(nodes, rows, width, sums),
            Nodes::General { .. } => {
                for (row, sums) in
                    rows.chunks_exact(width.max(1)).zip(sums.chunks_exact_mut(self.outputs.max(1)))
                {
                    for tree in &self.trees {
                        let leaf = self.find_leaf(tree, row);
                        self.add_leaf(tree, leaf, sums);
                    }
                }
            }
        }
    }

    /// Calls `visit(tree, values of its leaf)` for every tree, in order, for one row. For sums that are
    /// not sums: minima, maxima, medians, path lengths.
    pub fn for_each_leaf(&self, row: &[X], mut visit: impl FnMut(usize, &[V])) {
        for (number, tree) in self.trees.iter().enumerate() {
            let leaf = self.find_leaf(tree, row);
            visit(number, self.leaf_values(leaf));
        }
    }

    fn add_stepping<N: Step<X>>(&self, nodes: &[N], rows: &[X], width: usize, sums: &mut [V]) {
        let width = width.max(1);
        let outputs = self.outputs.max(1);
        let mut walked = vec![0_u32; self.trees.len()];
        for (rows, sums) in
            rows.chunks(width * BLOCK_ROWS).zip(sums.chunks_mut(outputs * BLOCK_ROWS))
        {
            let complete = width >= self.features && !rows.iter().any(|x| x.is_nan());
            if rows.len() < width * ROWS_IN_LOCKSTEP {
                for (row, sums) in rows.chunks_exact(width).zip(sums.chunks_exact_mut(outputs)) {
                    if complete {
                        self.walk_trees::<N, false>(nodes, row, &mut walked);
                    } else {
                        self.walk_trees::<N, true>(nodes, row, &mut walked);
                    }
                    for (tree, &leaf) in self.trees.iter().zip(&walked) {
                        self.add_leaf(tree, leaf as usize, sums);
                    }
                }
            } else if complete {
                self.walk_rows::<N, false>(nodes, rows, width, sums);
            } else {
                self.walk_rows::<N, true>(nodes, rows, width, sums);
            }
        }
    }

    /// One row through all trees, [`LANES`] trees of like depth at a time; `walked` gets the leaf of each tree.
    fn walk_trees<N: Step<X>, const MISSING: bool>(
        &self,
        nodes: &[N],
        row: &[X],
        walked: &mut [u32],
    ) {
        let (groups, rest) = self.by_depth.as_chunks::<LANES>();
        for group in groups {
            let heads = group.map(|tree| self.head(tree));
            let depth = heads.iter().map(|head| head.depth).max().unwrap_or(0);
            let roots = heads.map(|head| head.root);
            let mut at = [0_u32; LANES];
            for _ in 0..depth {
                for lane in 0..LANES {
                    at[lane] = step::<X, N, MISSING>(nodes, roots[lane] + at[lane], row);
                }
            }
            for lane in 0..LANES {
                if let Some(walked) = walked.get_mut(group[lane] as usize) {
                    *walked = roots[lane] + at[lane];
                }
            }
        }
        for &tree in rest {
            let head = self.head(tree);
            let mut at = 0;
            for _ in 0..head.depth {
                at = step::<X, N, MISSING>(nodes, head.root + at, row);
            }
            if let Some(walked) = walked.get_mut(tree as usize) {
                *walked = head.root + at;
            }
        }
    }

    /// A block of rows through all trees in order, [`LANES`] rows of one tree at a time.
    fn walk_rows<N: Step<X>, const MISSING: bool>(
        &self,
        nodes: &[N],
        rows: &[X],
        width: usize,
        sums: &mut [V],
    ) {
        let outputs = self.outputs.max(1);
        let in_lockstep = rows.len() / width / LANES * LANES;
        let (together, rest) = rows.split_at(in_lockstep * width);
        let (together_sums, rest_sums) = sums.split_at_mut(in_lockstep * outputs);
        for tree in &self.trees {
            let groups = together
                .chunks_exact(width * LANES)
                .zip(together_sums.chunks_exact_mut(outputs * LANES));
            for (rows, sums) in groups {
                let at = walk_lanes::<X, N, MISSING>(nodes, tree, rows, width);
                for (leaf, sums) in at.into_iter().zip(sums.chunks_exact_mut(outputs)) {
                    self.add_leaf(tree, (tree.root + leaf) as usize, sums);
                }
            }
            for (row, sums) in rest.chunks_exact(width).zip(rest_sums.chunks_exact_mut(outputs)) {
                let mut at = 0;
                for _ in 0..tree.depth {
                    at = step::<X, N, MISSING>(nodes, tree.root + at, row);
                }
                self.add_leaf(tree, (tree.root + at) as usize, sums);
            }
        }
    }

    fn head(&self, tree: u32) -> TreeHead {
        self.trees.get(tree as usize).copied().unwrap_or(TreeHead { root: 0, depth: 0, target: 0 })
    }

    #[inline]
    fn leaf_values(&self, node: usize) -> &[V] {
        let leaf = self.leaves.get(node).copied().unwrap_or(0) as usize;
        self.values
            .get(leaf * self.leaf_width..)
            .and_then(|values| values.get(..self.leaf_width))
            .unwrap_or(&[])
    }

    #[inline]
    fn add_leaf(&self, tree: &TreeHead, node: usize, sums: &mut [V]) {
        let sums = sums.get_mut(tree.target as usize..).unwrap_or_default();
        for (sum, &value) in sums.iter_mut().zip(self.leaf_values(node)) {
            *sum += value;
        }
    }

    /// The plain walk of one tree; the number of the leaf's node.
    fn find_leaf(&self, tree: &TreeHead, row: &[X]) -> usize {
        let mut at = 0;
        for _ in 0..tree.depth {
            at = match &self.nodes {
                Nodes::Narrow(nodes) => step::<X, _, true>(nodes, tree.root + at, row),
                Nodes::Wide(nodes) => step::<X, _, true>(nodes, tree.root + at, row),
                Nodes::General { nodes, sets } => {
                    let Some(node) = nodes.get((tree.root + at) as usize) else { break };
                    if matches!(node.kind, Kind::Leaf) {
                        break;
                    }
                    node.left + u32::from(!node.goes_left(row, sets))
                }
            };
        }
        (tree.root + at) as usize
    }
}

#[inline]
fn step<X: Scalar, N: Step<X>, const MISSING: bool>(nodes: &[N], at: u32, row: &[X]) -> u32 {
    nodes.get(at as usize).map_or(0, |node| node.next::<MISSING>(row))
}

/// [`LANES`] rows down one tree, all the way; stops early when every lane rests on its leaf.
#[inline]
fn walk_lanes<X: Scalar, N: Step<X>, const MISSING: bool>(
    nodes: &[N],
    tree: &TreeHead,
    rows: &[X],
    width: usize,
) -> [u32; LANES] {
    let mut at = [0_u32; LANES];
    let lanes: [&[X]; LANES] =
        std::array::from_fn(|lane| rows.get(lane * width..(lane + 1) * width).unwrap_or(&[]));
    let mut steps = tree.depth;
    while steps > 0 {
        let before = at;
        for _ in 0..steps.min(STEPS_PER_CHECK) {
            for lane in 0..LANES {
                at[lane] = step::<X, N, MISSING>(nodes, tree.root + at[lane], lanes[lane]);
            }
        }
        if at == before {
            break;
        }
        steps = steps.saturating_sub(STEPS_PER_CHECK);
    }
    at
}

impl<X: Scalar> General<X> {
    fn goes_left(&self, row: &[X], sets: &[super::CategorySet]) -> bool {
        let x = row.get(self.feature as usize).copied().unwrap_or(X::NAN);
        if x.is_nan() || (self.zero_is_missing && x.to_f64().abs() <= ZERO) {
            return self.missing_left;
        }
        match self.kind {
            Kind::Leaf => true,
            Kind::AtMost => x <= self.threshold,
            Kind::Equals => x == self.threshold,
            Kind::Member(set) => sets
                .get(set as usize)
                .and_then(|set| set.contains(x.to_f64()))
                .unwrap_or(self.missing_left),
        }
    }
}
