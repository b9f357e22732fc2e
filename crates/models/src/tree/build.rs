//! From trees as libraries describe them to the form that is walked, with everything checked once.

use std::collections::VecDeque;

use super::forest::{
    Forest, General, Kind, Leaves, Narrow, Nodes, SMALL_LANES, SMALL_NODES_MAX, SMALL_WIDTH_MAX,
    Small, TreeHead, WINDOW, Wide, left_bits, padded_width,
};
use super::scalar::Scalar;
use super::spec::{NodeSpec, Split, Test, TreeSpec};
use super::walk::{SHALLOW, lanes};

/// Nodes of one ensemble. A forest of this size holds about 200 MB; larger ones are taken for damage.
pub const NODES_MAX: usize = 10_000_000;

/// Depth of one tree. Leaf-wise growers can make chains, but none this long on data that fits a machine.
pub(super) const DEPTH_MAX: u32 = 10_000;

/// Why an ensemble was refused; the numbers are those of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// More nodes than any real model has.
    #[error("{count} nodes are more than the limit of {NODES_MAX}")]
    TooManyNodes {
        /// Nodes of the file.
        count: usize,
    },
    /// A chain of splits that no learner makes.
    #[error("tree {tree} is deeper than the limit of {DEPTH_MAX}")]
    TooDeep {
        /// Tree of the file.
        tree: usize,
    },
    /// A child, feature, leaf or output that does not exist.
    #[error("tree {tree}, node {node}: {what} {index} is out of range")]
    OutOfRange {
        /// Tree of the file.
        tree: usize,
        /// Node of the tree.
        node: usize,
        /// What the index is for.
        what: &'static str,
        /// The index.
        index: u64,
    },
    /// A node that is its own ancestor or has two parents.
    #[error("tree {tree}: node {node} is reached twice; this is not a tree")]
    NotATree {
        /// Tree of the file.
        tree: usize,
        /// Node of the tree.
        node: usize,
    },
    /// Nodes that no other leads to: a child was lost.
    #[error("tree {tree}: {count} nodes are reached from nowhere")]
    Unreached {
        /// Tree of the file.
        tree: usize,
        /// Nodes beyond those that the file itself says are unused.
        count: usize,
    },
    /// A tree without nodes.
    #[error("tree {tree} has no nodes")]
    Empty {
        /// Tree of the file.
        tree: usize,
    },
}

/// What the nodes of the whole ensemble ask for.
struct Needs {
    general: bool,
    features: usize,
}

impl<X: Scalar, V: Scalar> Forest<X, V> {
    /// Checks the trees and lays them out. Inputs have at most `feature_count` columns; each leaf has
    /// `leaf_width` values, which are added to the outputs from the tree's target on.
    pub fn build(
        specs: &[TreeSpec<V>],
        feature_count: usize,
        leaf_width: usize,
        outputs: usize,
    ) -> Result<Self, BuildError> {
        let node_count = specs.iter().map(|spec| spec.nodes.len()).fold(0, usize::saturating_add);
        if node_count > NODES_MAX {
            return Err(BuildError::TooManyNodes { count: node_count });
        }
        let needs = needs(specs, feature_count)?;
        let left_bits = padded_width(needs.features).map_or(0, left_bits);
        let is_small = !needs.general && needs.features <= SMALL_WIDTH_MAX && are_small(specs);
        let beyond = if is_small { WINDOW } else { 0 };
        let padded_count = (node_count + beyond).next_power_of_two();
        let mut nodes = if needs.general {
            Nodes::General { nodes: Vec::with_capacity(node_count), sets: Vec::new() }
        } else if is_small {
            Nodes::Small(Vec::with_capacity(padded_count))
        } else if size_of::<X>() == 4 && padded_count <= 1 << left_bits {
            Nodes::Narrow(Vec::with_capacity(padded_count))
        } else {
            Nodes::Wide(Vec::with_capacity(padded_count))
        };
        let mut forest_leaves = Vec::with_capacity(node_count);
        let has_covers = specs.iter().all(|spec| spec.covers.len() == spec.nodes.len());
        let mut covers = Vec::with_capacity(if has_covers { node_count } else { 0 });
        let mut values = Vec::new();
        let mut trees = Vec::with_capacity(specs.len());
        for (tree, spec) in specs.iter().enumerate() {
            let target_end = (spec.target as usize).saturating_add(leaf_width);
            if target_end > outputs {
                return Err(BuildError::OutOfRange {
                    tree,
                    node: 0,
                    what: "output",
                    index: target_end as u64,
                });
            }
            let root = forest_leaves.len() as u32;
            let order = breadth_first(tree, spec, leaf_width)?;
            let first_value = (values.len() / leaf_width.max(1)) as u32;
            values.extend_from_slice(&spec.values);
            for placed in &order {
                nodes.push(placed, root, left_bits);
                covers.extend(spec.covers.get(placed.number).filter(|_| has_covers));
                forest_leaves.push(match placed.node {
                    NodeSpec::Leaf(leaf) => Some(first_value + leaf),
                    NodeSpec::Split(_) => None,
                });
            }
            let depth = order.last().map_or(0, |placed| placed.depth);
            trees.push(TreeHead { root, depth, target: spec.target });
        }
        nodes.pad(padded_count);
        let leaves = if leaf_width == 1 {
            let value = |leaf: &Option<u32>| {
                leaf.and_then(|leaf| values.get(leaf as usize)).copied().unwrap_or_default()
            };
            let beyond = std::iter::repeat_n(V::default(), beyond);
            Leaves::Single(forest_leaves.iter().map(value).chain(beyond).collect())
        } else {
            let places = forest_leaves.iter().map(|leaf| leaf.unwrap_or(0)).collect();
            Leaves::Vectors { places, values, width: leaf_width }
        };
        let lanes = if is_small {
            SMALL_LANES
        } else {
            lanes(trees.iter().map(|tree| tree.depth).max().unwrap_or(0))
        };
        let by_depth = by_depth(&trees, lanes);
        let root = |&tree: &u32| trees.get(tree as usize).map_or(0, |head: &TreeHead| head.root);
        let roots_by_depth = by_depth.iter().map(root).collect();
        let features = needs.features;
        Ok(Self {
            nodes,
            trees,
            by_depth,
            roots_by_depth,
            lanes,
            leaves,
            covers,
            outputs,
            features,
        })
    }
}

fn needs<V>(specs: &[TreeSpec<V>], feature_count: usize) -> Result<Needs, BuildError> {
    let mut needs = Needs { general: false, features: 0 };
    for (tree, spec) in specs.iter().enumerate() {
        for (node, spec) in spec.nodes.iter().enumerate() {
            let NodeSpec::Split(split) = spec else { continue };
            let feature = split.feature as usize;
            if feature >= feature_count || feature >= 1 << 31 {
                return Err(BuildError::OutOfRange {
                    tree,
                    node,
                    what: "feature",
                    index: feature as u64,
                });
            }
            needs.features = needs.features.max(feature + 1);
            needs.general |=
                split.zero_is_missing || matches!(split.test, Test::Equals(_) | Test::Member(_));
        }
    }
    Ok(needs)
}

/// Whether bytes count the nodes of each tree, and none is so deep that its walks should look whether they have arrived.
/// What is no tree is not small.
fn are_small<V>(specs: &[TreeSpec<V>]) -> bool {
    specs.iter().enumerate().all(|(tree, spec)| {
        spec.nodes.len() <= SMALL_NODES_MAX
            && breadth_first(tree, spec, 1)
                .is_ok_and(|order| order.last().is_none_or(|placed| placed.depth <= SHALLOW))
    })
}

/// Tree numbers, shallowest first, in whole groups.
fn by_depth(trees: &[TreeHead], lanes: usize) -> Vec<u32> {
    let mut by_depth: Vec<u32> = (0..trees.len() as u32).collect();
    by_depth.sort_by_key(|&tree| trees.get(tree as usize).map_or(0, |head| head.depth));
    let missing = trees.len().next_multiple_of(lanes) - trees.len();
    let shallowest = by_depth.first().copied().unwrap_or(0);
    by_depth.splice(0..0, std::iter::repeat_n(shallowest, missing));
    by_depth
}

/// A node at its place in breadth-first order.
struct Placed<'a> {
    node: &'a NodeSpec,
    /// Its number in the tree as the file has it.
    number: usize,
    depth: u32,
    /// Place in the tree of the left child, with the right one beside it; of a leaf, its own place.
    left: u32,
}

/// Orders the nodes from the root on, children of one node side by side; all must be reached.
fn breadth_first<V>(
    tree: usize,
    spec: &TreeSpec<V>,
    leaf_width: usize,
) -> Result<Vec<Placed<'_>>, BuildError> {
    if spec.nodes.is_empty() {
        return Err(BuildError::Empty { tree });
    }
    let leaf_count = spec.values.len() / leaf_width.max(1);
    let mut reached = vec![false; spec.nodes.len()];
    let mut queue = VecDeque::from([(0_u32, 0_u32)]);
    let mut order = Vec::with_capacity(spec.nodes.len());
    let mut next_place = 1_u32;
    while let Some((index, depth)) = queue.pop_front() {
        let number = index as usize;
        let (Some(node), Some(reached)) = (spec.nodes.get(number), reached.get_mut(number)) else {
            return Err(BuildError::OutOfRange {
                tree,
                node: number,
                what: "child",
                index: u64::from(index),
            });
        };
        if std::mem::replace(reached, true) {
            return Err(BuildError::NotATree { tree, node: number });
        }
        if depth > DEPTH_MAX {
            return Err(BuildError::TooDeep { tree });
        }
        match node {
            NodeSpec::Split(split) => {
                order.push(Placed { node, number, depth, left: next_place });
                next_place += 2;
                queue.push_back((split.left, depth + 1));
                queue.push_back((split.right, depth + 1));
            }
            NodeSpec::Leaf(leaf) => {
                if *leaf as usize >= leaf_count {
                    return Err(BuildError::OutOfRange {
                        tree,
                        node: number,
                        what: "leaf",
                        index: u64::from(*leaf),
                    });
                }
                let place = order.len() as u32;
                order.push(Placed { node, number, depth, left: place });
            }
        }
    }
    match spec.nodes.len().checked_sub(order.len() + spec.unused) {
        Some(0) => Ok(order),
        count => Err(BuildError::Unreached { tree, count: count.unwrap_or(0) }),
    }
}

impl<X: Scalar> Nodes<X> {
    /// Fills up to so many with nodes that nothing leads to.
    fn pad(&mut self, count: usize) {
        match self {
            Self::Small(nodes) => {
                let (threshold, missing_left) = (X::MISSING, true);
                nodes.resize(
                    count,
                    Small { threshold, left: 0, ahead: 0, feature: 0, missing_left },
                );
            }
            Self::Narrow(nodes) => nodes.resize(count, Narrow { threshold: X::MISSING, packed: 0 }),
            Self::Wide(nodes) => {
                nodes.resize(count, Wide { threshold: X::MISSING, feature: 0, left: 0 });
            }
            Self::General { .. } => {}
        }
    }

    /// Adds a node of the tree whose first node is `root`.
    fn push(&mut self, placed: &Placed<'_>, root: u32, left_bits: u32) {
        let (threshold, feature, missing_left) = comparison::<X>(placed.node);
        let left = root + placed.left;
        let key = match placed.node {
            NodeSpec::Leaf(_) => X::MISSING,
            // No value has a key so low: a comparison that is never true.
            NodeSpec::Split(_) if threshold.is_nan() => X::Key::default(),
            NodeSpec::Split(_) => threshold.key(),
        };
        match self {
            Self::Small(nodes) => {
                let at = nodes.len() as u32 - root;
                nodes.push(Small {
                    threshold: key,
                    left: placed.left as u8,
                    ahead: (placed.left - at) as u8,
                    feature: feature as u8,
                    missing_left,
                });
            }
            Self::Narrow(nodes) => nodes.push(Narrow {
                threshold: key,
                packed: left | feature << left_bits | u32::from(missing_left) << 31,
            }),
            Self::Wide(nodes) => nodes.push(Wide {
                threshold: key,
                feature: feature | u32::from(missing_left) << 31,
                left,
            }),
            Self::General { nodes, sets } => {
                let (kind, zero_is_missing) = match placed.node {
                    NodeSpec::Leaf(_) => (Kind::Leaf, false),
                    NodeSpec::Split(Split { test, zero_is_missing, .. }) => {
                        let kind = match test {
                            Test::AtMost(_) | Test::Below(_) => Kind::AtMost,
                            Test::Equals(_) => Kind::Equals,
                            Test::Member(set) => {
                                sets.push(set.clone());
                                Kind::Member(sets.len() as u32 - 1)
                            }
                        };
                        (kind, *zero_is_missing)
                    }
                };
                nodes.push(General {
                    threshold,
                    feature,
                    left,
                    kind,
                    missing_left,
                    zero_is_missing,
                });
            }
        }
    }
}

/// Threshold, feature and missing direction of a node. A leaf is a comparison that always leads to
/// itself: `x <= inf`, and missing values go left as well.
fn comparison<X: Scalar>(node: &NodeSpec) -> (X, u32, bool) {
    match node {
        NodeSpec::Leaf(_) => (X::INFINITY, 0, true),
        NodeSpec::Split(split) => {
            let threshold = match split.test {
                Test::AtMost(value) => X::at_most(value),
                Test::Below(value) => X::below(value),
                Test::Equals(value) if X::nearest(value).to_f64() == value => X::nearest(value),
                Test::Equals(_) | Test::Member(_) => X::NAN,
            };
            (threshold, split.feature, split.missing_left)
        }
    }
}
