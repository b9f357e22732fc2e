//! Versions 1 and 3: the nodes of all trees in one list each of attributes, leaves among them.

use std::collections::HashMap;

use super::ensemble::{Aggregate, Branch, Classifier, Ensemble, LEAF_VALUES_MAX, Regressor};
use crate::onnx::attributes::Attributes;
use crate::onnx::kernel::Kernel;
use crate::onnx::ops::scores::{Labels, PostTransform};
use crate::onnx::tensor::Outcome;
use crate::tree::{NODES_MAX, NodeSpec, Test, TreeSpec};

/// Reads `TreeEnsembleRegressor`, versions 1 and 3.
pub(crate) fn regressor(attributes: Attributes<'_>, double: bool) -> Outcome<Box<dyn Kernel>> {
    let outputs =
        usize::try_from(attributes.int("n_targets", 1)).map_err(|_| "negative n_targets")?.max(1);
    let aggregate = match attributes.string("aggregate_function", "SUM")?.as_str() {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => return Err(format!("aggregate_function {other:?}")),
    };
    let weights = Weights::read(attributes, "target", outputs)?;
    let (trees, leaf_width) = weights.trees(attributes, outputs, aggregate)?;
    let base_values = attributes.numbers("base_values")?;
    Ok(Box::new(Regressor {
        ensemble: Ensemble::build(trees, leaf_width, outputs, base_values, aggregate, double)?,
        post: PostTransform::read(attributes)?,
    }))
}

/// Reads `TreeEnsembleClassifier`, versions 1 and 3.
pub(crate) fn classifier(attributes: Attributes<'_>, double: bool) -> Outcome<Box<dyn Kernel>> {
    let labels = Labels::read(attributes)?;
    let outputs = labels.len();
    if outputs == 0 {
        return Err("no class labels".into());
    }
    let weights = Weights::read(attributes, "class", outputs)?;
    let (trees, leaf_width) = weights.trees(attributes, outputs, Aggregate::Sum)?;
    let first_id = weights.ids.first().copied();
    Ok(Box::new(Classifier {
        one_score: outputs == 2 && weights.ids.iter().all(|&id| Some(id) == first_id),
        second_has_weights: weights.ids.contains(&1),
        all_positive: weights.values.iter().all(|&x| x >= 0.0),
        ensemble: Ensemble::build(
            trees,
            leaf_width,
            outputs,
            attributes.numbers("base_values")?,
            Aggregate::Sum,
            double,
        )?,
        labels,
        post: PostTransform::read(attributes)?,
    }))
}

/// Weights of leaves: which tree and node, which output, how much.
struct Weights<'a> {
    trees: &'a [i64],
    nodes: &'a [i64],
    ids: Vec<usize>,
    values: Vec<f64>,
    /// Their places, by tree and node, and of one node as they are in the file: a forest has millions.
    order: Vec<u32>,
}

impl<'a> Weights<'a> {
    fn read(attributes: Attributes<'a>, prefix: &str, outputs: usize) -> Outcome<Self> {
        let trees = attributes.ints(&format!("{prefix}_treeids"));
        let nodes = attributes.ints(&format!("{prefix}_nodeids"));
        let values = attributes.numbers(&format!("{prefix}_weights"))?;
        let ids = attributes
            .ints(&format!("{prefix}_ids"))
            .iter()
            .map(|&id| {
                usize::try_from(id)
                    .ok()
                    .filter(|&id| id < outputs)
                    .ok_or_else(|| format!("{prefix} {id} of {outputs}"))
            })
            .collect::<Outcome<Vec<_>>>()?;
        if trees.len() != nodes.len() || trees.len() != values.len() || trees.len() != ids.len() {
            return Err(format!("{prefix}_* attributes differ in length"));
        }
        let count = u32::try_from(ids.len()).map_err(|_| format!("{} weights", ids.len()))?;
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by_key(|&at| Some((trees.get(at as usize)?, nodes.get(at as usize)?)));
        Ok(Self { trees, nodes, ids, values, order })
    }

    /// Tree and node of one.
    fn key(&self, at: usize) -> (i64, i64) {
        let of = |list: &[i64]| list.get(at).copied().unwrap_or_default();
        (of(self.trees), of(self.nodes))
    }

    /// Places of all, those of a node one after the other.
    fn places(&self) -> impl Iterator<Item = usize> {
        self.order.iter().map(|&at| at as usize)
    }

    /// Outputs and weights of a leaf.
    fn of_leaf(&self, tree: i64, node: i64) -> impl Iterator<Item = (usize, f64)> {
        let first = self.order.partition_point(|&at| self.key(at as usize) < (tree, node));
        let rest = self.order.get(first..).unwrap_or_default().iter().map(|&at| at as usize);
        rest.take_while(move |&at| self.key(at) == (tree, node))
            .filter_map(|at| Some((*self.ids.get(at)?, *self.values.get(at)?)))
    }

    /// Groups the flat attributes by tree. Leaves hold one value when each tree has weights for one
    /// output only (boosting), else a value for every output (forests).
    fn trees(
        &self,
        attributes: Attributes<'_>,
        outputs: usize,
        aggregate: Aggregate,
    ) -> Outcome<(Vec<TreeSpec<f64>>, usize)> {
        let nodes = FlatNodes::read(attributes)?;
        let mut target_of_tree: HashMap<i64, usize> = HashMap::new();
        let mut one_target = !matches!(aggregate, Aggregate::Min | Aggregate::Max) || outputs == 1;
        let mut before = None;
        for at in self.places() {
            let (key, id) = (self.key(at), self.ids.get(at).copied().unwrap_or_default());
            one_target &= *target_of_tree.entry(key.0).or_insert(id) == id;
            if before != Some(key) && !nodes.has(key) {
                return Err("weights of leaves that no tree has".into());
            }
            before = Some(key);
        }
        let leaf_width = if one_target { 1 } else { outputs };
        let mut leaf_values = 0_usize;
        let mut trees = Vec::with_capacity(nodes.trees.len());
        for tree in &nodes.trees {
            let mut spec =
                TreeSpec { nodes: Vec::with_capacity(tree.nodes.len()), ..TreeSpec::default() };
            if one_target {
                spec.target = target_of_tree.get(&tree.id).copied().unwrap_or(0) as u32;
            }
            for at in tree.nodes.iter().map(|&at| at as usize) {
                let node = nodes.spec(at, tree, || {
                    let start = spec.values.len();
                    spec.values.resize(start + leaf_width, 0.0);
                    let node = nodes.node_ids.get(at).copied().unwrap_or_default();
                    for (id, value) in self.of_leaf(tree.id, node) {
                        let place = start + if one_target { 0 } else { id };
                        if let Some(slot) = spec.values.get_mut(place) {
                            *slot += value;
                        }
                    }
                    (start / leaf_width) as u32
                })?;
                spec.nodes.push(node);
                spec.covers.extend(nodes.rates.get(at));
            }
            leaf_values = leaf_values.saturating_add(spec.values.len());
            if leaf_values > LEAF_VALUES_MAX {
                return Err(format!("leaf values exceed the limit of {LEAF_VALUES_MAX}"));
            }
            trees.push(spec);
        }
        Ok((trees, leaf_width))
    }
}

/// The `nodes_*` attributes of versions 1 and 3.
struct FlatNodes<'a> {
    node_ids: &'a [i64],
    features: &'a [i64],
    thresholds: Vec<f64>,
    modes: &'a [Vec<u8>],
    yes: &'a [i64],
    no: &'a [i64],
    missing_yes: &'a [i64],
    /// How many training rows came by, where the file says it.
    rates: Vec<f64>,
    /// In the order of the file.
    trees: Vec<FlatTree>,
    place_of_tree: HashMap<i64, usize>,
}

struct FlatTree {
    id: i64,
    /// Places in the attributes, in their order.
    nodes: Vec<u32>,
    /// Number within the tree by node id; none where the ids are these numbers, as all writers have them.
    numbers: Option<HashMap<i64, u32>>,
}

impl FlatTree {
    /// Learns the numbers of its nodes.
    fn count(&mut self, node_ids: &[i64]) -> Outcome<()> {
        let ids = self.nodes.iter().map(|&at| node_ids.get(at as usize).copied().unwrap_or(-1));
        if ids.clone().eq(0..self.nodes.len() as i64) {
            return Ok(());
        }
        let mut numbers = HashMap::with_capacity(self.nodes.len());
        for (number, node) in (0..).zip(ids) {
            if numbers.insert(node, number).is_some() {
                return Err(format!("tree {} has node {node} twice", self.id));
            }
        }
        self.numbers = Some(numbers);
        Ok(())
    }

    fn number(&self, node: i64) -> Option<u32> {
        match &self.numbers {
            Some(numbers) => numbers.get(&node).copied(),
            None => u32::try_from(node).ok().filter(|&node| (node as usize) < self.nodes.len()),
        }
    }
}

impl<'a> FlatNodes<'a> {
    fn read(attributes: Attributes<'a>) -> Outcome<Self> {
        let tree_ids = attributes.ints("nodes_treeids");
        let node_ids = attributes.ints("nodes_nodeids");
        let nodes = Self {
            node_ids,
            features: attributes.ints("nodes_featureids"),
            thresholds: attributes.numbers("nodes_values")?,
            modes: attributes.texts("nodes_modes"),
            yes: attributes.ints("nodes_truenodeids"),
            no: attributes.ints("nodes_falsenodeids"),
            missing_yes: attributes.ints("nodes_missing_value_tracks_true"),
            rates: attributes.numbers("nodes_hitrates")?,
            trees: Vec::new(),
            place_of_tree: HashMap::new(),
        };
        let count = tree_ids.len();
        if count > NODES_MAX {
            return Err(format!("{count} nodes are more than the limit of {NODES_MAX}"));
        }
        let lengths = [
            node_ids.len(),
            nodes.features.len(),
            nodes.thresholds.len(),
            nodes.modes.len(),
            nodes.yes.len(),
            nodes.no.len(),
        ];
        // These may be left out.
        let optional = [nodes.missing_yes.len(), nodes.rates.len()];
        if lengths.iter().any(|&len| len != count)
            || optional.iter().any(|&len| len != 0 && len != count)
        {
            return Err(format!(
                "nodes_* attributes differ in length: {count}, {lengths:?}, {optional:?}"
            ));
        }
        let mut trees: Vec<FlatTree> = Vec::new();
        let mut place_of_tree: HashMap<i64, usize> = HashMap::new();
        for (at, &tree) in (0..).zip(tree_ids) {
            let place = *place_of_tree.entry(tree).or_insert_with(|| {
                trees.push(FlatTree { id: tree, nodes: Vec::new(), numbers: None });
                trees.len() - 1
            });
            if let Some(flat) = trees.get_mut(place) {
                flat.nodes.push(at);
            }
        }
        trees.iter_mut().try_for_each(|tree| tree.count(node_ids))?;
        Ok(Self { trees, place_of_tree, ..nodes })
    }

    /// Whether there is this node of this tree.
    fn has(&self, (tree, node): (i64, i64)) -> bool {
        let tree = self.place_of_tree.get(&tree).and_then(|&place| self.trees.get(place));
        tree.is_some_and(|tree| tree.number(node).is_some())
    }

    /// The node at a place of the attributes; `leaf` makes the values of a leaf.
    fn spec(&self, at: usize, tree: &FlatTree, leaf: impl FnOnce() -> u32) -> Outcome<NodeSpec> {
        let mode = self.modes.get(at).map_or(&[][..], Vec::as_slice);
        if mode == b"LEAF" {
            return Ok(NodeSpec::Leaf(leaf()));
        }
        let get = |from: &[i64]| from.get(at).copied().unwrap_or(-1);
        let child =
            |id: i64| tree.number(id).ok_or_else(|| format!("tree {} has no node {id}", tree.id));
        let threshold = self.thresholds.get(at).copied().unwrap_or(f64::NAN);
        let branch = Branch {
            feature: u32::try_from(get(self.features))
                .map_err(|_| format!("feature {}", get(self.features)))?,
            yes: child(get(self.yes))?,
            no: child(get(self.no))?,
            missing_yes: self.missing_yes.get(at).is_some_and(|&x| x != 0),
        };
        let (test, swap) = match mode {
            b"BRANCH_LEQ" => (Test::AtMost(threshold), false),
            b"BRANCH_LT" => (Test::Below(threshold), false),
            b"BRANCH_GTE" => (Test::Below(threshold), true),
            b"BRANCH_GT" => (Test::AtMost(threshold), true),
            b"BRANCH_EQ" => (Test::Equals(threshold), false),
            b"BRANCH_NEQ" => (Test::Equals(threshold), true),
            other => return Err(format!("node mode {:?}", String::from_utf8_lossy(other))),
        };
        Ok(branch.split(test, swap))
    }
}
