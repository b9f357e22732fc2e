//! The one tree engine: every ensemble, whatever library grew it, is walked here.
//!
//! A walk is bound by memory latency, not by arithmetic, so the form is chosen for many independent
//! loads in flight: hot nodes of 8 bytes (16 when the inputs are `f64` or an index does not fit) in
//! breadth-first order with the right child beside the left one, leaves that point at themselves, and
//! branch-free steps taken in lockstep by 10 or 16 trees of one row or rows of one tree. Counts are made
//! powers of two, so that masks take the place of checks. Ensembles with categorical splits, equality
//! tests or zeros that count as missing use a plain walk instead.
//!
//! Every split is rewritten to `x <= threshold`. The rewrite is exact for the input type `X`: an `f64`
//! threshold is rounded *down* to `f32`, and `x < t` becomes `x <= (largest X below t)`. Both sides are
//! then compared as integers of the same order ([`Scalar::key`]).
//!
//! Leaf values are added in the order of the trees, in the type `V`, so sums are those of the library.

mod build;
mod scalar;
mod spec;
mod walk;

use std::fmt;

pub use build::BuildError;
pub use scalar::Scalar;
pub use spec::{CategorySet, NodeSpec, Split, Test, TreeSpec};

/// Nodes of one ensemble. A forest of this size holds about 200 MB; larger ones are taken for damage.
pub const MAX_NODES: usize = 10_000_000;

/// Depth of one tree. Leaf-wise growers can make chains, but none this long on data that fits a machine.
pub const MAX_DEPTH: u32 = 10_000;

/// An ensemble ready to be walked: inputs of type `X` (`f32` or `f64`), leaf values and sums of type `V`.
pub struct Forest<X: Scalar, V> {
    nodes: Nodes<X>,
    /// First node of each tree, in the order of the trees, and the depth of each.
    trees: Vec<TreeHead>,
    /// Tree numbers by depth, so that the trees of a lockstep group end together. The first one stands
    /// as often as it takes to fill its group.
    by_depth: Vec<u32>,
    roots_by_depth: Vec<u32>,
    /// Trees of such a group, and rows that go down a tree together.
    lanes: usize,
    leaves: Leaves<V>,
    /// Sums a row.
    outputs: usize,
    /// Features that splits look at: one more than the largest index.
    features: usize,
}

/// What leaves add, by node.
enum Leaves<V> {
    /// One value each; inner nodes have zero. As large as places and values apart, and one load less.
    Single(Vec<V>),
    /// `width` values each, from `places[node] * width` on; inner nodes have place 0.
    Vectors { places: Vec<u32>, values: Vec<V>, width: usize },
}

#[derive(Debug, Clone, Copy)]
struct TreeHead {
    root: u32,
    depth: u32,
    /// First output that the leaf values are added to.
    target: u32,
}

/// Nodes of all trees, one tree after the other. There are a power of two of them, the last ones without
/// a meaning, except in the general form.
enum Nodes<X: Scalar> {
    Narrow(Vec<Narrow<X::Key>>),
    Wide(Vec<Wide<X::Key>>),
    General { nodes: Vec<General<X>>, sets: Vec<CategorySet> },
}

/// The hot node: for `f32` 8 bytes. A row goes left when the key of its value is not above the threshold.
/// `packed` is the left child ([`left_bits`]), the feature, and in
/// the top bit whether a missing value goes left.
#[derive(Clone, Copy)]
struct Narrow<K> {
    threshold: K,
    packed: u32,
}

/// Columns that rows are padded to: the power of two that is used for so many features, as a mask then
/// takes the place of the check that a feature exists. None when there are too many to copy each row.
fn padded_width(features: usize) -> Option<usize> {
    [16, 64, 256, 1024, 4096].into_iter().find(|&width| features <= width)
}

/// Bits of a narrow node that are left for the left child, when rows are padded to `width` columns.
const fn left_bits(width: usize) -> u32 {
    u32::BITS - 1 - width.trailing_zeros()
}

/// The same with room for any number of features and nodes.
#[derive(Clone, Copy)]
struct Wide<K> {
    threshold: K,
    /// Feature in the low 31 bits, whether a missing value goes left in the top one.
    feature: u32,
    left: u32,
}

/// A node of any kind, for the plain walk.
#[derive(Clone, Copy)]
struct General<X> {
    threshold: X,
    feature: u32,
    left: u32,
    kind: Kind,
    missing_left: bool,
    zero_is_missing: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Leaf,
    AtMost,
    Equals,
    /// Index into the sets.
    Member(u32),
}

impl<X: Scalar, V: Scalar> Forest<X, V> {
    /// Sums a row of the result has.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns a row must have at least.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Trees.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether there is no tree at all.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        let nodes = match &self.nodes {
            Nodes::Narrow(nodes) => size_of_val(nodes.as_slice()),
            Nodes::Wide(nodes) => size_of_val(nodes.as_slice()),
            Nodes::General { nodes, sets } => {
                size_of_val(nodes.as_slice())
                    + sets.iter().map(CategorySet::size_bytes).sum::<usize>()
            }
        };
        nodes
            + match &self.leaves {
                Leaves::Single(values) => size_of_val(values.as_slice()),
                Leaves::Vectors { places, values, .. } => {
                    size_of_val(places.as_slice()) + size_of_val(values.as_slice())
                }
            }
            + size_of_val(self.trees.as_slice())
            + 2 * size_of_val(self.by_depth.as_slice())
    }
}

impl<X: Scalar, V> fmt::Debug for Forest<X, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.nodes {
            Nodes::Narrow(_) => "narrow",
            Nodes::Wide(_) => "wide",
            Nodes::General { .. } => "general",
        };
        f.debug_struct("Forest")
            .field("trees", &self.trees.len())
            .field("features", &self.features)
            .field("form", &form)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
