//! The walks: many independent chains of loads at once, no branch that depends on the data.

use super::build::{FEATURE_BITS, LEFT_BITS};
use super::{Forest, General, Kind, Leaves, Narrow, Nodes, Scalar, TreeHead, Wide};

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

/// Elements of a block of rows: 64 KiB of `f32`, which stay in the L2 cache while all trees pass.
const BLOCK_ELEMENTS: usize = 1 << 14;

/// One step of a walk that needs no branch. Rows have a width that is a power of two, larger than every
/// feature, so that a mask takes the place of the check that the feature exists.
trait Step<X: Scalar>: Copy {
    /// Index of the next node, from the root of the tree.
    fn next<const MISSING: bool, const WIDTH: usize>(self, row: &[X; WIDTH]) -> u32;
}

impl<X: Scalar> Step<X> for Narrow<X> {
    #[inline]
    fn next<const MISSING: bool, const WIDTH: usize>(self, row: &[X; WIDTH]) -> u32 {
        const LEFT_MASK: u32 = (1 << LEFT_BITS) - 1;
        const FEATURE_MASK: usize = (1 << FEATURE_BITS) - 1;
        let x = row[(self.packed >> LEFT_BITS) as usize & FEATURE_MASK & (WIDTH - 1)];
        let mut left = x <= self.threshold;
        if MISSING {
            left |= x.is_nan() && (self.packed >> (LEFT_BITS + FEATURE_BITS) != 0);
        }
        (self.packed & LEFT_MASK) + u32::from(!left)
    }
}

impl<X: Scalar> Step<X> for Wide<X> {
    #[inline]
    fn next<const MISSING: bool, const WIDTH: usize>(self, row: &[X; WIDTH]) -> u32 {
        let x = row[self.feature as usize & (WIDTH - 1)];
        let mut left = x <= self.threshold;
        if MISSING {
            left |= x.is_nan() && (self.feature >> 31 != 0);
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
            Nodes::Narrow(nodes) => self.add_by_width(nodes, rows, width, sums),
            Nodes::Wide(nodes) => self.add_by_width(nodes, rows, width, sums),
            Nodes::General { .. } => self.add_plainly(rows, width, sums),
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

    fn add_plainly(&self, rows: &[X], width: usize, sums: &mut [V]) {
        let every = rows.chunks_exact(width.max(1)).zip(sums.chunks_exact_mut(self.outputs.max(1)));
        for (row, sums) in every {
            for tree in &self.trees {
                self.add_leaf(tree, self.find_leaf(tree, row), sums);
            }
        }
    }

    /// Chooses the width that rows are padded to.
    fn add_by_width<N: Step<X>>(&self, nodes: &[N], rows: &[X], width: usize, sums: &mut [V]) {
        match self.features {
            0..=16 => self.add_padded::<N, 16>(nodes, rows, width, sums),
            17..=64 => self.add_padded::<N, 64>(nodes, rows, width, sums),
            65..=256 => self.add_padded::<N, 256>(nodes, rows, width, sums),
            257..=1024 => self.add_padded::<N, 1024>(nodes, rows, width, sums),
            1025..=4096 => self.add_padded::<N, 4096>(nodes, rows, width, sums),
            _ => self.add_plainly(rows, width, sums),
        }
    }

    fn add_padded<N: Step<X>, const WIDTH: usize>(
        &self,
        nodes: &[N],
        rows: &[X],
        width: usize,
        sums: &mut [V],
    ) {
        let (width, outputs) = (width.max(1), self.outputs.max(1));
        if rows.len() < width * ROWS_IN_LOCKSTEP {
            let mut walked = vec![0_u32; self.trees.len()];
            let mut padded = [X::NAN; WIDTH];
            for (row, sums) in rows.chunks_exact(width).zip(sums.chunks_exact_mut(outputs)) {
                if self.pad(row, &mut padded) {
                    self.walk_trees::<N, true, WIDTH>(nodes, &padded, &mut walked);
                } else {
                    self.walk_trees::<N, false, WIDTH>(nodes, &padded, &mut walked);
                }
                self.add_walked(&walked, sums);
            }
            return;
        }
        let block = (BLOCK_ELEMENTS / WIDTH).clamp(LANES, BLOCK_ROWS);
        let mut padded = vec![[X::NAN; WIDTH]; block.min(rows.len() / width)];
        for (rows, sums) in rows.chunks(width * block).zip(sums.chunks_mut(outputs * block)) {
            let (mut missing, mut count) = (false, 0);
            for (row, padded) in rows.chunks_exact(width).zip(&mut padded) {
                missing |= self.pad(row, padded);
                count += 1;
            }
            if missing {
                self.walk_rows::<N, true, WIDTH>(nodes, &padded[..count], sums);
            } else {
                self.walk_rows::<N, false, WIDTH>(nodes, &padded[..count], sums);
            }
        }
    }

    /// Copies what splits look at; whether anything of it is missing.
    fn pad<const WIDTH: usize>(&self, row: &[X], padded: &mut [X; WIDTH]) -> bool {
        let mut missing = row.len() < self.features;
        for (to, &from) in padded.iter_mut().zip(row.iter().take(self.features)) {
            *to = from;
            missing |= from.is_nan();
        }
        missing
    }

    /// One row through all trees, [`LANES`] trees of like depth at a time; `walked` gets the leaf of each
    /// tree.
    fn walk_trees<N: Step<X>, const MISSING: bool, const WIDTH: usize>(
        &self,
        nodes: &[N],
        row: &[X; WIDTH],
        walked: &mut [u32],
    ) {
        let (groups, rest) = self.by_depth.as_chunks::<LANES>();
        for group in groups {
            let heads = group.map(|tree| self.head(tree));
            let roots = heads.map(|head| head.root);
            let mut at = [0_u32; LANES];
            for _ in 0..heads[LANES - 1].depth {
                for lane in 0..LANES {
                    let node = nodes[(roots[lane] + at[lane]) as usize];
                    at[lane] = node.next::<MISSING, WIDTH>(row);
                }
            }
            for lane in 0..LANES {
                walked[group[lane] as usize] = roots[lane] + at[lane];
            }
        }
        for &tree in rest {
            let head = self.head(tree);
            let mut at = 0;
            for _ in 0..head.depth {
                at = nodes[(head.root + at) as usize].next::<MISSING, WIDTH>(row);
            }
            walked[tree as usize] = head.root + at;
        }
    }

    /// Adds the leaves of all trees, in the order of the trees.
    fn add_walked(&self, walked: &[u32], sums: &mut [V]) {
        if let Leaves::Single(values) = &self.leaves {
            for (tree, &leaf) in self.trees.iter().zip(walked) {
                sums[tree.target as usize] += values[leaf as usize];
            }
            return;
        }
        for (tree, &leaf) in self.trees.iter().zip(walked) {
            self.add_leaf(tree, leaf as usize, sums);
        }
    }

    /// A block of rows through all trees in order, [`LANES`] rows of one tree at a time.
    fn walk_rows<N: Step<X>, const MISSING: bool, const WIDTH: usize>(
        &self,
        nodes: &[N],
        rows: &[[X; WIDTH]],
        sums: &mut [V],
    ) {
        let outputs = self.outputs.max(1);
        let (together, rest) = rows.as_chunks::<LANES>();
        let (together_sums, rest_sums) = sums.split_at_mut(together.len() * LANES * outputs);
        for tree in &self.trees {
            let nodes = &nodes[tree.root as usize..];
            for (rows, sums) in together.iter().zip(together_sums.chunks_exact_mut(outputs * LANES))
            {
                let at = walk_lanes::<X, N, MISSING, WIDTH>(nodes, tree.depth, rows);
                if let Leaves::Single(values) = &self.leaves {
                    let values = &values[tree.root as usize..];
                    for lane in 0..LANES {
                        sums[lane * outputs + tree.target as usize] += values[at[lane] as usize];
                    }
                    continue;
                }
                for (leaf, sums) in at.into_iter().zip(sums.chunks_exact_mut(outputs)) {
                    self.add_leaf(tree, (tree.root + leaf) as usize, sums);
                }
            }
            for (row, sums) in rest.iter().zip(rest_sums.chunks_exact_mut(outputs)) {
                let mut at = 0_u32;
                for _ in 0..tree.depth {
                    at = nodes[at as usize].next::<MISSING, WIDTH>(row);
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
        match &self.leaves {
            Leaves::Single(values) => values.get(node..=node),
            Leaves::Vectors { places, values, width } => {
                let start = places.get(node).copied().unwrap_or(0) as usize * width;
                values.get(start..start + width)
            }
        }
        .unwrap_or_default()
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
            let place = (tree.root + at) as usize;
            let value = |feature: u32| row.get(feature as usize).copied().unwrap_or(X::NAN);
            let next = match &self.nodes {
                Nodes::Narrow(nodes) => nodes.get(place).map(|node| {
                    let feature = node.packed >> LEFT_BITS & ((1 << FEATURE_BITS) - 1);
                    node.next::<true, 1>(&[value(feature)])
                }),
                Nodes::Wide(nodes) => nodes
                    .get(place)
                    .map(|node| node.next::<true, 1>(&[value(node.feature & 0x7fff_ffff)])),
                Nodes::General { nodes, sets } => nodes
                    .get(place)
                    .filter(|node| !matches!(node.kind, Kind::Leaf))
                    .map(|node| node.left + u32::from(!node.goes_left(row, sets))),
            };
            match next {
                Some(next) if next != at => at = next,
                _ => break,
            }
        }
        (tree.root + at) as usize
    }
}

/// [`LANES`] rows down one tree, all the way; stops early when every lane rests on its leaf.
#[inline]
fn walk_lanes<X: Scalar, N: Step<X>, const MISSING: bool, const WIDTH: usize>(
    nodes: &[N],
    depth: u32,
    rows: &[[X; WIDTH]; LANES],
) -> [u32; LANES] {
    let mut at = [0_u32; LANES];
    let mut steps = depth;
    while steps > 0 {
        let before = at;
        for _ in 0..steps.min(STEPS_PER_CHECK) {
            for lane in 0..LANES {
                at[lane] = nodes[at[lane] as usize].next::<MISSING, WIDTH>(&rows[lane]);
            }
        }
        steps = steps.saturating_sub(STEPS_PER_CHECK);
        if at == before {
            break;
        }
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
