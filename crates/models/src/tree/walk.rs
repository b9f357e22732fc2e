//! The walks: many independent chains of loads at once, no branch that depends on the data.

use super::forest::{
    Forest, General, Kind, Leaves, Narrow, Nodes, SMALL_LANES, Small, TreeHead, Wide, left_bits,
    padded_width,
};
use super::scalar::Scalar;
use super::spec::CategorySet;

/// Walks in lockstep: as many as the registers of x86-64 hold. More would spill, fewer would wait for L1.
const LANES: usize = 10;

/// Walks in lockstep of deep trees, whose nodes come from caches further away.
const DEEP_LANES: usize = 16;

/// Depth up to which trees are walked without looking whether all lanes have arrived at their leaves.
pub(super) const SHALLOW: u32 = 16;

/// Steps of deep walks between these looks.
const STEPS_PER_CHECK: u32 = 2;

/// From this many rows on, rows walk together rather than trees.
const ROWS_IN_LOCKSTEP: usize = 8;

/// Bytes of rows that go through all trees before the next ones do: with the nodes of a tree they stay in
/// an L1 cache of 32 KiB.
const BLOCK_BYTES: usize = 1 << 14;

/// The same for deep trees: the nodes of a tree come from further away, and more rows should use them.
const DEEP_BLOCK_BYTES: usize = 1 << 18;

/// LightGBM's `kZeroThreshold`: values up to here are zero.
const ZERO: f64 = 1e-35_f32 as f64;

/// A node that needs no branch to be left. Rows have [`padded_width`] columns.
pub(super) trait Step<X: Scalar>: Copy {
    /// The node that follows this one at `at`: its number in the low bits, and above them what else this node packs.
    fn next<const MISSING: bool, const WIDTH: usize>(self, at: u32, row: &[X::Key; WIDTH]) -> u32;

    /// The number in what [`next`](Self::next) answers.
    fn number<const WIDTH: usize>(next: u32) -> u32;

    /// Adds the leaf values of groups of rows that go down one tree.
    fn add_tree<V: Scalar, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
        nodes: &[Self],
        values: &[V],
        tree: TreeHead,
        groups: &[[[X::Key; WIDTH]; LANES]],
        sums: &mut [[V; LANES]],
    ) {
        walk_tree::<X, Self, V, MISSING, WIDTH, LANES>(nodes, values, tree, groups, sums);
    }
}

impl<X: Scalar> Step<X> for Narrow<X::Key> {
    #[inline]
    fn next<const MISSING: bool, const WIDTH: usize>(self, _at: u32, row: &[X::Key; WIDTH]) -> u32 {
        let x = row[(self.packed >> left_bits(WIDTH)) as usize & (WIDTH - 1)];
        let mut right = x > self.threshold;
        if MISSING {
            right &= x != X::MISSING || self.packed >> 31 == 0;
        }
        self.packed.wrapping_add(u32::from(right))
    }

    #[inline]
    fn number<const WIDTH: usize>(next: u32) -> u32 {
        next & ((1 << left_bits(WIDTH)) - 1)
    }
}

impl<X: Scalar> Step<X> for Wide<X::Key> {
    #[inline]
    fn next<const MISSING: bool, const WIDTH: usize>(self, _at: u32, row: &[X::Key; WIDTH]) -> u32 {
        let x = row[self.feature as usize & (WIDTH - 1)];
        let mut right = x > self.threshold;
        if MISSING {
            right &= x != X::MISSING || self.feature >> 31 == 0;
        }
        self.left.wrapping_add(u32::from(right))
    }

    #[inline]
    fn number<const WIDTH: usize>(next: u32) -> u32 {
        next
    }
}

/// Walks in lockstep of a forest whose deepest tree has this depth.
pub(super) const fn lanes(depth: u32) -> usize {
    if depth <= SHALLOW { LANES } else { DEEP_LANES }
}

/// Walks from the nodes `at` on, of at most `depth` steps each; the leaves, as [`Step::next`] has them.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call in each step costs a third of the speed")]
fn walk<'a, X: Scalar, N: Step<X>, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
    nodes: &[N],
    mut at: [u32; LANES],
    depth: u32,
    row: impl Fn(usize) -> &'a [X::Key; WIDTH],
) -> [u32; LANES] {
    // The number of nodes is a power of two. Written so, no step checks an index.
    let mask = (nodes.len() as u32).wrapping_sub(1);
    let Some(nodes) = nodes.get(..mask as usize + 1) else { return at };
    let step = |at: u32, lane| nodes[(at & mask) as usize].next::<MISSING, WIDTH>(at, row(lane));
    if LANES != DEEP_LANES {
        for _ in 0..depth {
            for (lane, at) in at.iter_mut().enumerate() {
                *at = step(*at, lane);
            }
        }
        return at;
    }
    for _ in 0..depth.div_ceil(STEPS_PER_CHECK) {
        let before = at;
        for _ in 0..STEPS_PER_CHECK {
            for (lane, at) in at.iter_mut().enumerate() {
                *at = step(*at, lane);
            }
        }
        if at == before {
            break;
        }
    }
    at
}

/// Groups of rows down one tree. A function of its own, as the walks want all registers.
#[inline(never)]
pub(super) fn walk_tree<X, N, V, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
    nodes: &[N],
    values: &[V],
    tree: TreeHead,
    groups: &[[[X::Key; WIDTH]; LANES]],
    sums: &mut [[V; LANES]],
) where
    X: Scalar,
    N: Step<X>,
    V: Scalar,
{
    for (rows, sums) in groups.iter().zip(sums) {
        let row = |lane: usize| &rows[lane];
        let roots = [tree.root; LANES];
        let at = walk::<X, N, MISSING, WIDTH, LANES>(nodes, roots, tree.depth, row);
        for (sum, leaf) in sums.iter_mut().zip(at) {
            *sum += values[N::number::<WIDTH>(leaf) as usize];
        }
    }
}

/// The same for one group where only the leaves are asked for.
#[inline(never)]
fn find_leaves<X, N, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
    nodes: &[N],
    tree: TreeHead,
    rows: &[[X::Key; WIDTH]; LANES],
) -> [u32; LANES]
where
    X: Scalar,
    N: Step<X>,
{
    let row = |lane: usize| &rows[lane];
    walk::<X, N, MISSING, WIDTH, LANES>(nodes, [tree.root; LANES], tree.depth, row)
        .map(N::number::<WIDTH>)
}

impl<X: Scalar, V: Scalar> Forest<X, V> {
    /// Adds the leaf values of every row to `sums`, which has [`outputs`](Self::outputs) values a row
    /// and holds what the sums start from. `rows` is row-major with `width` columns; rows that are
    /// narrower than the splits ask for are walked as if the rest were missing.
    pub fn add_to(&self, rows: &[X], width: usize, sums: &mut [V]) {
        match &self.nodes {
            Nodes::Small(nodes) => self.add_small(nodes, rows, width.max(1), sums),
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

    fn add_small(&self, nodes: &[Small<X::Key>], rows: &[X], width: usize, sums: &mut [V]) {
        const LANES: usize = SMALL_LANES;
        match padded_width(self.features) {
            Some(16) => self.add_in_lockstep::<_, 16, LANES>(nodes, rows, width, sums),
            Some(64) => self.add_in_lockstep::<_, 64, LANES>(nodes, rows, width, sums),
            Some(256) => self.add_in_lockstep::<_, 256, LANES>(nodes, rows, width, sums),
            _ => self.add_plainly(rows, width, sums),
        }
    }

    fn add_by_width<N: Step<X>>(&self, nodes: &[N], rows: &[X], width: usize, sums: &mut [V]) {
        match padded_width(self.features) {
            Some(16) => self.add_padded::<N, 16>(nodes, rows, width, sums),
            Some(64) => self.add_padded::<N, 64>(nodes, rows, width, sums),
            Some(256) => self.add_padded::<N, 256>(nodes, rows, width, sums),
            Some(1024) => self.add_padded::<N, 1024>(nodes, rows, width, sums),
            Some(4096) => self.add_padded::<N, 4096>(nodes, rows, width, sums),
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
        if self.lanes == LANES {
            self.add_in_lockstep::<N, WIDTH, LANES>(nodes, rows, width.max(1), sums);
        } else {
            self.add_in_lockstep::<N, WIDTH, DEEP_LANES>(nodes, rows, width.max(1), sums);
        }
    }

    fn add_in_lockstep<N: Step<X>, const WIDTH: usize, const LANES: usize>(
        &self,
        nodes: &[N],
        rows: &[X],
        width: usize,
        sums: &mut [V],
    ) {
        let outputs = self.outputs.max(1);
        if rows.len() < width * ROWS_IN_LOCKSTEP {
            let mut walked = vec![0_u32; self.trees.len()];
            let mut padded = [X::MISSING; WIDTH];
            for (row, sums) in rows.chunks_exact(width).zip(sums.chunks_exact_mut(outputs)) {
                if self.pad(row, &mut padded) {
                    self.walk_trees::<N, true, WIDTH, LANES>(nodes, &padded, &mut walked);
                } else {
                    self.walk_trees::<N, false, WIDTH, LANES>(nodes, &padded, &mut walked);
                }
                self.add_walked(&walked, sums);
            }
            return;
        }
        let bytes = if LANES == DEEP_LANES { DEEP_BLOCK_BYTES } else { BLOCK_BYTES };
        // At least one group, also of rows so wide that one of them is more than a block.
        let block = (bytes / (WIDTH * size_of::<X>())).max(1).next_multiple_of(LANES);
        let groups = block.min(rows.len() / width).div_ceil(LANES);
        // Made flat: a group of the widest rows is half a megabyte, which no stack should hold.
        let mut padded = vec![X::MISSING; WIDTH * LANES * groups];
        let padded = padded.as_chunks_mut::<WIDTH>().0.as_chunks_mut::<LANES>().0;
        let mut by_output = vec![[V::default(); LANES]; groups * outputs];
        for (rows, sums) in rows.chunks(width * block).zip(sums.chunks_mut(outputs * block)) {
            let count = rows.len() / width;
            let groups = &mut padded[..count.div_ceil(LANES)];
            let mut missing = false;
            for (number, padded) in groups.as_flattened_mut().iter_mut().enumerate() {
                // The last row stands again where its group has room.
                let row = &rows[number.min(count - 1) * width..][..width];
                missing |= self.pad(row, padded);
            }
            if missing {
                self.walk_rows::<N, true, WIDTH, LANES>(nodes, groups, sums, &mut by_output);
            } else {
                self.walk_rows::<N, false, WIDTH, LANES>(nodes, groups, sums, &mut by_output);
            }
        }
    }

    /// The keys of what splits look at; whether anything of it is missing.
    fn pad<const WIDTH: usize>(&self, row: &[X], padded: &mut [X::Key; WIDTH]) -> bool {
        let mut missing = row.len() < self.features;
        for (to, &from) in padded.iter_mut().zip(row.iter().take(self.features)) {
            *to = from.key();
            missing |= *to == X::MISSING;
        }
        missing
    }

    /// One row through all trees, a group of like depth at a time; `walked` gets the leaf of each tree.
    #[inline(never)]
    fn walk_trees<N: Step<X>, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
        &self,
        nodes: &[N],
        row: &[X::Key; WIDTH],
        walked: &mut [u32],
    ) {
        let groups = self.by_depth.as_chunks::<LANES>().0;
        for (trees, roots) in groups.iter().zip(self.roots_by_depth.as_chunks::<LANES>().0) {
            let depth = self.trees[trees[LANES - 1] as usize].depth;
            let at = walk::<X, N, MISSING, WIDTH, LANES>(nodes, *roots, depth, |_| row);
            for (&tree, at) in trees.iter().zip(at) {
                walked[tree as usize] = N::number::<WIDTH>(at);
            }
        }
    }

    /// Adds the leaves of all trees, in the order of the trees.
    fn add_walked(&self, walked: &[u32], sums: &mut [V]) {
        if let Leaves::Single(values) = &self.leaves {
            if let [sum] = sums {
                // In a register: each addition waits for the one before as it is.
                *sum = walked.iter().fold(*sum, |mut total, &leaf| {
                    total += values[leaf as usize];
                    total
                });
                return;
            }
            for (tree, &leaf) in self.trees.iter().zip(walked) {
                sums[tree.target as usize] += values[leaf as usize];
            }
            return;
        }
        for (tree, &leaf) in self.trees.iter().zip(walked) {
            self.add_leaf(tree, leaf as usize, sums);
        }
    }

    /// A block of rows through all trees in order, a group of rows down one tree at a time. Single leaf
    /// values are added in `by_output`, where the sums of one output stand side by side.
    fn walk_rows<N: Step<X>, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
        &self,
        nodes: &[N],
        groups: &[[[X::Key; WIDTH]; LANES]],
        sums: &mut [V],
        by_output: &mut [[V; LANES]],
    ) {
        let outputs = self.outputs.max(1);
        let Leaves::Single(values) = &self.leaves else {
            for &tree in &self.trees {
                for (rows, sums) in groups.iter().zip(sums.chunks_mut(LANES * outputs)) {
                    let leaves = find_leaves::<X, N, MISSING, WIDTH, LANES>(nodes, tree, rows);
                    for (leaf, sums) in leaves.into_iter().zip(sums.chunks_exact_mut(outputs)) {
                        self.add_leaf(&tree, leaf as usize, sums);
                    }
                }
            }
            return;
        };
        let rows = by_output.len() / outputs * LANES;
        let flat = by_output.as_flattened_mut();
        for (row, sums) in sums.chunks_exact(outputs).enumerate() {
            for (output, &sum) in sums.iter().enumerate() {
                flat[output * rows + row] = sum;
            }
        }
        for &tree in &self.trees {
            let first = tree.target as usize * (rows / LANES);
            let sums = &mut by_output[first..][..groups.len()];
            N::add_tree::<V, MISSING, WIDTH, LANES>(nodes, values, tree, groups, sums);
        }
        let flat = by_output.as_flattened();
        for (row, sums) in sums.chunks_exact_mut(outputs).enumerate() {
            for (output, sum) in sums.iter_mut().enumerate() {
                *sum = flat[output * rows + row];
            }
        }
    }

    /// Values that each leaf adds.
    pub(super) fn leaf_width(&self) -> usize {
        match &self.leaves {
            Leaves::Single(_) => 1,
            Leaves::Vectors { width, .. } => *width,
        }
    }

    #[inline]
    pub(super) fn leaf_values(&self, node: usize) -> &[V] {
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
        let left_bits = padded_width(self.features).map_or(0, left_bits);
        let wide = |node: Wide<X::Key>| {
            let feature = (node.feature & 0x7fff_ffff) as usize;
            let key = row.get(feature).map_or(X::MISSING, |x| x.key());
            Step::<X>::next::<true, 1>(node, 0, &[key])
        };
        let mut at = tree.root;
        for _ in 0..tree.depth {
            let place = at as usize;
            let next = match &self.nodes {
                Nodes::Small(nodes) => nodes.get(place).map(|node| wide(node.widened(at))),
                Nodes::Narrow(nodes) => nodes.get(place).map(|&node| wide(node.widened(left_bits))),
                Nodes::Wide(nodes) => nodes.get(place).map(|&node| wide(node)),
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
        at as usize
    }
}

impl<K> Small<K> {
    /// The same node, at `at`, as one of any tree.
    pub(super) fn widened(self, at: u32) -> Wide<K> {
        let feature = u32::from(self.feature) | u32::from(self.missing_left) << 31;
        Wide { threshold: self.threshold, feature, left: at + u32::from(self.ahead) }
    }
}

impl<K> Narrow<K> {
    pub(super) fn widened(self, left_bits: u32) -> Wide<K> {
        let missing_left = self.packed >> 31 << 31;
        let feature = (self.packed & !missing_left) >> left_bits;
        let left = self.packed & ((1 << left_bits) - 1);
        Wide { threshold: self.threshold, feature: feature | missing_left, left }
    }
}

impl<X: Scalar> General<X> {
    pub(super) fn goes_left(&self, row: &[X], sets: &[CategorySet]) -> bool {
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
