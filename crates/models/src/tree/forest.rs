//! An ensemble in memory: nodes of four forms, leaves, and the order in which trees are walked.

use std::fmt;

use super::scalar::Scalar;
use super::spec::CategorySet;

/// Nodes of a small tree: as many as a byte counts.
pub(super) const SMALL_NODES_MAX: usize = 1 << 8;

/// Columns that rows of small trees are padded to at most.
pub(super) const SMALL_WIDTH_MAX: usize = 1 << 8;

/// Nodes that can be asked for from a root on: what a byte and one more count to, as a power of two. So many follow each
/// root.
pub(super) const WINDOW: usize = 2 * SMALL_NODES_MAX;

/// Walks in lockstep: as many as the registers of x86-64 hold, as a step takes one of them less than one of other nodes.
pub(super) const SMALL_LANES: usize = 12;

/// An ensemble ready to be walked: inputs of type `X` (`f32` or `f64`), leaf values and sums of type `V`.
pub struct Forest<X: Scalar, V> {
    pub(super) nodes: Nodes<X>,
    /// First node of each tree, in the order of the trees, and the depth of each.
    pub(super) trees: Vec<TreeHead>,
    /// Tree numbers by depth, so that the trees of a lockstep group end together. The first one stands
    /// as often as it takes to fill its group.
    pub(super) by_depth: Vec<u32>,
    pub(super) roots_by_depth: Vec<u32>,
    /// Trees of such a group, and rows that go down a tree together.
    pub(super) lanes: usize,
    pub(super) leaves: Leaves<V>,
    /// Training rows by node; empty where they are not known.
    pub(super) covers: Vec<f64>,
    /// Sums a row.
    pub(super) outputs: usize,
    /// Features that splits look at: one more than the largest index.
    pub(super) features: usize,
}

/// What leaves add, by node.
pub(super) enum Leaves<V> {
    /// One value each; inner nodes have zero. As large as places and values apart, and one load less. Those of small
    /// nodes end with zeros that fill the window of the last tree.
    Single(Vec<V>),
    /// `width` values each, from `places[node] * width` on; inner nodes have place 0.
    Vectors { places: Vec<u32>, values: Vec<V>, width: usize },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TreeHead {
    pub(super) root: u32,
    pub(super) depth: u32,
    /// First output that the leaf values are added to.
    pub(super) target: u32,
}

/// Nodes of all trees, one tree after the other. There are a power of two of them, the last ones without
/// a meaning, except in the general form.
pub(super) enum Nodes<X: Scalar> {
    Small(Vec<Small<X::Key>>),
    Narrow(Vec<Narrow<X::Key>>),
    Wide(Vec<Wide<X::Key>>),
    General { nodes: Vec<General<X>>, sets: Vec<CategorySet> },
}

/// A node of a small tree; with keys of 32 bits 8 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Small<K> {
    pub(super) threshold: K,
    /// The left child, counted from the root; of a leaf, its own place.
    pub(super) left: u8,
    /// The same counted from this node; of a leaf zero.
    pub(super) ahead: u8,
    pub(super) feature: u8,
    pub(super) missing_left: bool,
}

/// The hot node: for `f32` 8 bytes. A row goes left when the key of its value is not above the threshold.
/// `packed` is the left child ([`left_bits`]), the feature, and in
/// the top bit whether a missing value goes left.
#[derive(Clone, Copy)]
pub(super) struct Narrow<K> {
    pub(super) threshold: K,
    pub(super) packed: u32,
}

/// Columns that rows are padded to: the power of two that is used for so many features, as a mask then
/// takes the place of the check that a feature exists. None when there are too many to copy each row.
pub(super) fn padded_width(features: usize) -> Option<usize> {
    [16, 64, 256, 1024, 4096].into_iter().find(|&width| features <= width)
}

/// Bits of a narrow node that are left for the left child, when rows are padded to `width` columns.
pub(super) const fn left_bits(width: usize) -> u32 {
    u32::BITS - 1 - width.trailing_zeros()
}

/// The same with room for any number of features and nodes.
#[derive(Clone, Copy)]
pub(super) struct Wide<K> {
    pub(super) threshold: K,
    /// Feature in the low 31 bits, whether a missing value goes left in the top one.
    pub(super) feature: u32,
    pub(super) left: u32,
}

/// A node of any kind, for the plain walk.
#[derive(Clone, Copy)]
pub(super) struct General<X> {
    pub(super) threshold: X,
    pub(super) feature: u32,
    pub(super) left: u32,
    pub(super) kind: Kind,
    pub(super) missing_left: bool,
    pub(super) zero_is_missing: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
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
            Nodes::Small(nodes) => size_of_val(nodes.as_slice()),
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
            + size_of_val(self.covers.as_slice())
            + size_of_val(self.trees.as_slice())
            + 2 * size_of_val(self.by_depth.as_slice())
    }
}

impl<X: Scalar, V> fmt::Debug for Forest<X, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.nodes {
            Nodes::Small(_) => "small",
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
