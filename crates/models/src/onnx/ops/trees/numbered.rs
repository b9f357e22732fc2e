//! Version 5: inner nodes and leaves numbered apart, sets of categories among the tests.

use std::collections::HashMap;

use super::ensemble::{Aggregate, Branch, Ensemble, LEAF_VALUES_MAX, Regressor};
use crate::onnx::attributes::Attributes;
use crate::onnx::kernel::Kernel;
use crate::onnx::ops::scores::PostTransform;
use crate::onnx::tensor::Outcome;
use crate::tree::{CategorySet, NODES_MAX, NodeSpec, Test, TreeSpec};

/// Reads `TreeEnsemble` of version 5, where leaves are numbered apart from the inner nodes.
pub(crate) fn ensemble(attributes: Attributes<'_>, double: bool) -> Outcome<Box<dyn Kernel>> {
    let outputs =
        usize::try_from(attributes.int("n_targets", 1)).map_err(|_| "negative n_targets")?.max(1);
    let aggregate = match attributes.int("aggregate_function", 1) {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => return Err(format!("aggregate_function {other}")),
    };
    let post = match attributes.int("post_transform", 0) {
        0 => PostTransform::None,
        1 => PostTransform::Softmax,
        2 => PostTransform::Logistic,
        3 => PostTransform::SoftmaxZero,
        4 => PostTransform::Probit,
        other => return Err(format!("post_transform {other}")),
    };
    let nodes = NumberedNodes::read(attributes)?;
    let mut trees = Vec::new();
    let (mut total, mut used) = (0, 0);
    for &root in attributes.ints("tree_roots") {
        let tree = nodes.tree(root, outputs)?;
        total += tree.values.len();
        used += tree.nodes.iter().filter(|node| matches!(node, NodeSpec::Split(_))).count();
        if total > LEAF_VALUES_MAX {
            return Err(format!("leaf values exceed the limit of {LEAF_VALUES_MAX}"));
        }
        trees.push(tree);
    }
    if used != nodes.modes.len() {
        return Err(format!("{used} of {} nodes belong to a tree", nodes.modes.len()));
    }
    Ok(Box::new(Regressor {
        ensemble: Ensemble::build(trees, outputs, outputs, Vec::new(), aggregate, double)?,
        post,
    }))
}

struct NumberedNodes<'a> {
    features: &'a [i64],
    splits: Vec<f64>,
    modes: Vec<i64>,
    yes: &'a [i64],
    no: &'a [i64],
    yes_is_leaf: &'a [i64],
    no_is_leaf: &'a [i64],
    missing_yes: &'a [i64],
    leaf_targets: &'a [i64],
    leaf_weights: Vec<f64>,
    /// Sets of the MEMBER nodes, by node.
    members: HashMap<usize, CategorySet>,
}

impl<'a> NumberedNodes<'a> {
    fn read(attributes: Attributes<'a>) -> Outcome<Self> {
        let tensor =
            |name: &str| attributes.tensor(name)?.ok_or_else(|| format!("{name} is missing"));
        let modes = tensor("nodes_modes")?.data.to_i64()?;
        let mut members = HashMap::new();
        if let Some(values) = attributes.tensor("membership_values")? {
            // One list for each MEMBER node in order, with NaN between the lists; one may end them.
            let values = values.data.to_f64()?;
            let lists = match values.split_last() {
                Some((last, before)) if last.is_nan() => before,
                _ => values.as_slice(),
            };
            let sets = lists.split(|x| x.is_nan());
            let nodes = modes.iter().enumerate().filter(|(_, mode)| **mode == 6).map(|(at, _)| at);
            let (wanted, given) = (nodes.clone().count(), sets.clone().count());
            if wanted != given && !(wanted == 0 && lists.is_empty()) {
                return Err(format!("membership_values hold {given} lists for {wanted} nodes"));
            }
            for (node, set) in nodes.zip(sets) {
                let categories = set.iter().map(|&x| {
                    if (0.0..65_536.0).contains(&x) && x.fract() == 0.0 {
                        Ok(x as u32)
                    } else {
                        Err(format!("member {x}: only integers up to 65535 are evaluated"))
                    }
                });
                members.insert(
                    node,
                    CategorySet::from_categories(categories.collect::<Outcome<Vec<_>>>()?),
                );
            }
        }
        let nodes = Self {
            features: attributes.ints("nodes_featureids"),
            splits: tensor("nodes_splits")?.data.to_f64()?,
            modes,
            yes: attributes.ints("nodes_truenodeids"),
            no: attributes.ints("nodes_falsenodeids"),
            yes_is_leaf: attributes.ints("nodes_trueleafs"),
            no_is_leaf: attributes.ints("nodes_falseleafs"),
            missing_yes: attributes.ints("nodes_missing_value_tracks_true"),
            leaf_targets: attributes.ints("leaf_targetids"),
            leaf_weights: tensor("leaf_weights")?.data.to_f64()?,
            members,
        };
        nodes.check_lengths(attributes)?;
        Ok(nodes)
    }

    /// Lists of nodes have one value a node, those of leaves one a leaf.
    fn check_lengths(&self, attributes: Attributes<'_>) -> Outcome<()> {
        let nodes = self.modes.len();
        let lists = [self.features.len(), self.splits.len(), self.yes.len(), self.no.len()];
        let flags = [self.yes_is_leaf.len(), self.no_is_leaf.len()];
        let rates = attributes.tensor("nodes_hitrates")?.map_or(0, |rates| rates.data.len());
        let of_nodes = lists.into_iter().chain(flags).all(|len| len == nodes);
        // These may be left out.
        let optional =
            [self.missing_yes.len(), rates].into_iter().all(|len| len == 0 || len == nodes);
        if !of_nodes || !optional {
            return Err(format!(
                "nodes_* attributes differ in length: {nodes}, {lists:?}, {flags:?}"
            ));
        }
        if self.leaf_targets.len() != self.leaf_weights.len() {
            return Err("leaf_* attributes differ in length".into());
        }
        Ok(())
    }

    /// Copies one tree out, depth first.
    fn tree(&self, root: i64, outputs: usize) -> Outcome<TreeSpec<f64>> {
        let mut tree = TreeSpec { nodes: vec![NodeSpec::Leaf(0)], ..TreeSpec::default() };
        let mut open = vec![(root, false, 0_usize)];
        while let Some((id, is_leaf, place)) = open.pop() {
            let at = usize::try_from(id).map_err(|_| format!("node {id}"))?;
            let node = if is_leaf {
                self.leaf(at, outputs, &mut tree.values)?
            } else {
                let get = |from: &[i64], what: &str| {
                    from.get(at).copied().ok_or_else(|| format!("node {at} has no {what}"))
                };
                let left = tree.nodes.len();
                if left + 2 > NODES_MAX.min(2 * self.modes.len() + 2) {
                    return Err("nodes are shared or in a circle; this is not a tree".into());
                }
                tree.nodes.extend([NodeSpec::Leaf(0), NodeSpec::Leaf(0)]);
                open.push((
                    get(self.yes, "true branch")?,
                    get(self.yes_is_leaf, "leaf flag")? != 0,
                    left,
                ));
                open.push((
                    get(self.no, "false branch")?,
                    get(self.no_is_leaf, "leaf flag")? != 0,
                    left + 1,
                ));
                let branch = Branch {
                    feature: u32::try_from(get(self.features, "feature")?)
                        .map_err(|_| "negative feature")?,
                    yes: left as u32,
                    no: left as u32 + 1,
                    missing_yes: self.missing_yes.get(at).is_some_and(|&x| x != 0),
                };
                let split = self.splits.get(at).copied().ok_or("too few splits")?;
                let (test, swap) = match get(&self.modes, "mode")? {
                    0 => (Test::AtMost(split), false),
                    1 => (Test::Below(split), false),
                    2 => (Test::Below(split), true),
                    3 => (Test::AtMost(split), true),
                    4 => (Test::Equals(split), false),
                    5 => (Test::Equals(split), true),
                    6 => (
                        Test::Member(
                            self.members
                                .get(&at)
                                .cloned()
                                .ok_or("membership_values are missing")?,
                        ),
                        false,
                    ),
                    other => return Err(format!("node mode {other}")),
                };
                branch.split(test, swap)
            };
            if let Some(slot) = tree.nodes.get_mut(place) {
                *slot = node;
            }
        }
        Ok(tree)
    }

    fn leaf(&self, at: usize, outputs: usize, values: &mut Vec<f64>) -> Outcome<NodeSpec> {
        let (Some(&target), Some(&weight)) = (self.leaf_targets.get(at), self.leaf_weights.get(at))
        else {
            return Err(format!("leaf {at} does not exist"));
        };
        let start = values.len();
        values.resize(start + outputs, 0.0);
        let place = usize::try_from(target)
            .ok()
            .filter(|&target| target < outputs)
            .ok_or_else(|| format!("target {target}"))?;
        if let Some(slot) = values.get_mut(start + place) {
            *slot = weight;
        }
        Ok(NodeSpec::Leaf((start / outputs) as u32))
    }
}
