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
        ensemble: Ensemble::build(&trees, leaf_width, outputs, base_values, aggregate, double)?,
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
            &trees,
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
struct Weights {
    ids: Vec<usize>,
    values: Vec<f64>,
    by_node: HashMap<(i64, i64), Vec<usize>>,
}

impl Weights {
    fn read(attributes: Attributes<'_>, prefix: &str, outputs: usize) -> Outcome<Self> {
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
        let mut by_node: HashMap<_, Vec<usize>> = HashMap::with_capacity(nodes.len());
        for (at, (&tree, &node)) in trees.iter().zip(nodes).enumerate() {
            by_node.entry((tree, node)).or_default().push(at);
        }
        Ok(Self { ids, values, by_node })
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
        for (&(tree, _), weights) in sorted(&self.by_node) {
            for id in weights.iter().filter_map(|&at| self.ids.get(at)) {
                one_target &= *target_of_tree.entry(tree).or_insert(*id) == *id;
            }
        }
        let places: usize = nodes.tree_order.iter().map(|tree| tree.places_of(&self.by_node)).sum();
        if places != self.by_node.len() {
            return Err("weights of leaves that no tree has".into());
        }
        let leaf_width = if one_target { 1 } else { outputs };
        let mut leaf_values = 0_usize;
        let mut trees = Vec::new();
        for tree in &nodes.tree_order {
            let mut spec = TreeSpec::default();
            if one_target {
                spec.target = target_of_tree.get(&tree.id).copied().unwrap_or(0) as u32;
            }
            for &at in &tree.nodes {
                let node = nodes.spec(at, tree, || {
                    let start = spec.values.len();
                    spec.values.resize(start + leaf_width, 0.0);
                    let weights =
                        nodes.node_ids.get(at).and_then(|&node| self.by_node.get(&(tree.id, node)));
                    for &weight in weights.into_iter().flatten() {
                        let (Some(&id), Some(&value)) =
                            (self.ids.get(weight), self.values.get(weight))
                        else {
                            continue;
                        };
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

fn sorted<K: Ord, V>(map: &HashMap<K, V>) -> Vec<(&K, &V)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    entries
}

/// The `nodes_*` attributes of versions 1 and 3.
struct FlatNodes<'a> {
    node_ids: &'a [i64],
    features: &'a [i64],
    thresholds: Vec<f64>,
    modes: Vec<String>,
    yes: &'a [i64],
    no: &'a [i64],
    missing_yes: &'a [i64],
    /// How many training rows came by, where the file says it.
    rates: Vec<f64>,
    tree_order: Vec<FlatTree>,
}

struct FlatTree {
    id: i64,
    /// Places in the attributes, in their order.
    nodes: Vec<usize>,
    /// Number within the tree by node id.
    number: HashMap<i64, u32>,
}

impl FlatTree {
    /// Nodes of this tree that the map has something for.
    fn places_of<T>(&self, by_node: &HashMap<(i64, i64), T>) -> usize {
        self.number.keys().filter(|&&node| by_node.contains_key(&(self.id, node))).count()
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
            modes: attributes.strings("nodes_modes")?,
            yes: attributes.ints("nodes_truenodeids"),
            no: attributes.ints("nodes_falsenodeids"),
            missing_yes: attributes.ints("nodes_missing_value_tracks_true"),
            rates: attributes.numbers("nodes_hitrates")?,
            tree_order: Vec::new(),
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
        let mut order: Vec<FlatTree> = Vec::new();
        let mut place_of_tree: HashMap<i64, usize> = HashMap::new();
        for (at, (&tree, &node)) in tree_ids.iter().zip(node_ids).enumerate() {
            let place = *place_of_tree.entry(tree).or_insert_with(|| {
                order.push(FlatTree { id: tree, nodes: Vec::new(), number: HashMap::new() });
                order.len() - 1
            });
            let Some(flat) = order.get_mut(place) else { continue };
            if flat.number.insert(node, flat.nodes.len() as u32).is_some() {
                return Err(format!("tree {tree} has node {node} twice"));
            }
            flat.nodes.push(at);
        }
        Ok(Self { tree_order: order, ..nodes })
    }

    /// The node at a place of the attributes; `leaf` makes the values of a leaf.
    fn spec(&self, at: usize, tree: &FlatTree, leaf: impl FnOnce() -> u32) -> Outcome<NodeSpec> {
        let mode = self.modes.get(at).map_or("", String::as_str);
        if mode == "LEAF" {
            return Ok(NodeSpec::Leaf(leaf()));
        }
        let get = |from: &[i64]| from.get(at).copied().unwrap_or(-1);
        let child = |id: i64| {
            tree.number
                .get(&id)
                .copied()
                .ok_or_else(|| format!("tree {} has no node {id}", tree.id))
        };
        let threshold = self.thresholds.get(at).copied().unwrap_or(f64::NAN);
        let branch = Branch {
            feature: u32::try_from(get(self.features))
                .map_err(|_| format!("feature {}", get(self.features)))?,
            yes: child(get(self.yes))?,
            no: child(get(self.no))?,
            missing_yes: self.missing_yes.get(at).is_some_and(|&x| x != 0),
        };
        let (test, swap) = match mode {
            "BRANCH_LEQ" => (Test::AtMost(threshold), false),
            "BRANCH_LT" => (Test::Below(threshold), false),
            "BRANCH_GTE" => (Test::Below(threshold), true),
            "BRANCH_GT" => (Test::AtMost(threshold), true),
            "BRANCH_EQ" => (Test::Equals(threshold), false),
            "BRANCH_NEQ" => (Test::Equals(threshold), true),
            other => return Err(format!("node mode {other:?}")),
        };
        Ok(branch.split(test, swap))
    }
}
