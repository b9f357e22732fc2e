//! `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble` on the one tree engine.
//!
//! The file's nodes become [`TreeSpec`]s: every mode is one of `<=`, `<`, `==` and set membership,
//! with the branches swapped for the opposites.

use std::collections::HashMap;

use super::scores::{Labels, PostTransform, arg_max, logistic};
use crate::onnx::attributes::Attributes;
use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor};
use crate::tree::{CategorySet, Forest, MAX_NODES, NodeSpec, Scalar, Split, Test, TreeSpec};

/// Numbers a row of inputs may have; wide enough for one-hot text.
const MAX_FEATURES: usize = 1 << 24;

/// Leaf vectors of one ensemble, in elements.
const MAX_LEAF_VALUES: usize = 1 << 27;

/// An ensemble for inputs of `f32` and, where the graph has doubles, of `f64`.
#[derive(Debug)]
struct Ensemble {
    single: Forest<f32, f32>,
    double: Option<Forest<f64, f64>>,
    aggregate: Aggregate,
    base_values: Vec<f64>,
    outputs: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

impl Ensemble {
    fn build(
        trees: &[TreeSpec<f64>],
        leaf_width: usize,
        outputs: usize,
        base_values: Vec<f64>,
        aggregate: Aggregate,
        double: bool,
    ) -> Outcome<Self> {
        let single: Vec<TreeSpec<f32>> = trees
            .iter()
            .map(|tree| TreeSpec {
                nodes: tree.nodes.clone(),
                values: tree.values.iter().map(|&x| x as f32).collect(),
                target: tree.target,
            })
            .collect();
        Ok(Self {
            single: Forest::build(&single, MAX_FEATURES, leaf_width, outputs)
                .map_err(|error| error.to_string())?,
            double: if double {
                Some(
                    Forest::build(trees, MAX_FEATURES, leaf_width, outputs)
                        .map_err(|error| error.to_string())?,
                )
            } else {
                None
            },
            aggregate,
            base_values,
            outputs,
        })
    }

    /// Scores of all rows, with base values added where `with_base` asks for it, and the number of rows.
    /// Sums of doubles keep their digits: labels are chosen before the scores are cut to `f32`.
    fn scores(&self, input: &Tensor, with_base: bool) -> Outcome<(usize, Vec<f64>)> {
        let (rows, width) = input.rows_and_columns()?;
        let scores = match (&input.data, &self.double) {
            (Data::F64(values), Some(forest)) => self.sums(forest, values, rows, width, with_base),
            (Data::F64(_), None) => return Err("doubles in a graph without doubles".into()),
            (Data::F32(values), _) => {
                widened(self.sums(&self.single, values, rows, width, with_base))
            }
            (other, _) => {
                widened(self.sums(&self.single, &other.to_f32()?, rows, width, with_base))
            }
        };
        Ok((rows, scores))
    }

    fn sums<X: Scalar>(
        &self,
        forest: &Forest<X, X>,
        values: &[X],
        rows: usize,
        width: usize,
        with_base: bool,
    ) -> Vec<X> {
        let outputs = self.outputs.max(1);
        let mut sums = vec![X::default(); rows * outputs];
        match self.aggregate {
            Aggregate::Sum | Aggregate::Average => forest.add_to(values, width, &mut sums),
            Aggregate::Min | Aggregate::Max => {
                for (row, sums) in
                    values.chunks_exact(width.max(1)).zip(sums.chunks_exact_mut(outputs))
                {
                    forest.for_each_leaf(row, |tree, values| {
                        for (sum, &x) in sums.iter_mut().zip(values) {
                            let better =
                                if self.aggregate == Aggregate::Min { x < *sum } else { x > *sum };
                            if tree == 0 || better {
                                *sum = x;
                            }
                        }
                    });
                }
            }
        }
        for row in sums.chunks_exact_mut(outputs) {
            for (at, sum) in row.iter_mut().enumerate() {
                if self.aggregate == Aggregate::Average {
                    *sum = X::nearest(sum.to_f64() / forest.len().max(1) as f64);
                }
                if with_base && let Some(&base) = self.base_values.get(at) {
                    *sum += X::nearest(base);
                }
            }
        }
        sums
    }

    fn size_bytes(&self) -> usize {
        self.single.size_bytes() + self.double.as_ref().map_or(0, Forest::size_bytes)
    }
}

fn widened(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

fn narrowed(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

#[derive(Debug)]
pub(crate) struct Regressor {
    ensemble: Ensemble,
    post: PostTransform,
}

impl Kernel for Regressor {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let (rows, scores) = self.ensemble.scores(inputs.tensor(0)?, true)?;
        let mut scores = narrowed(&scores);
        if self.post != PostTransform::None {
            scores
                .chunks_exact_mut(self.ensemble.outputs.max(1))
                .for_each(|row| self.post.apply(row));
        }
        one(Tensor::new(vec![rows, self.ensemble.outputs], Data::F32(scores))?)
    }

    fn size_bytes(&self) -> usize {
        self.ensemble.size_bytes()
    }
}

#[derive(Debug)]
pub(crate) struct Classifier {
    ensemble: Ensemble,
    labels: Labels,
    post: PostTransform,
    /// Two classes of which only one has weights: the other's score follows.
    one_score: bool,
    /// Whether class 1 of two has weights.
    second_has_weights: bool,
    all_positive: bool,
}

impl Kernel for Classifier {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let classes = self.labels.len();
        let (rows, scores) = self.ensemble.scores(inputs.tensor(0)?, classes != 2)?;
        let mut chosen = Vec::with_capacity(rows);
        let mut answers = Vec::with_capacity(scores.len());
        for row in scores.chunks_exact(classes.max(1)) {
            if let &[first, second] = row {
                let (label, pair) = self.two_classes(first, second);
                chosen.push(label);
                answers.extend(pair);
            } else {
                let mut row = narrowed(row);
                chosen.push(arg_max(&row));
                self.post.apply(&mut row);
                answers.extend(row);
            }
        }
        self.labels.answer(&chosen, classes, answers)
    }

    fn size_bytes(&self) -> usize {
        self.ensemble.size_bytes()
    }
}

impl Classifier {
    /// The rules that ONNX Runtime has for two classes, which the specification leaves open.
    fn two_classes(&self, first: f64, second: f64) -> (usize, [f32; 2]) {
        let base = |at: usize| self.ensemble.base_values.get(at).copied().unwrap_or(0.0);
        let pair = match (self.ensemble.base_values.len(), self.second_has_weights) {
            (2, true) => Some([first + base(0), second + base(1)]),
            (2, false) => Some([-(base(1) + first), base(1) + first]),
            (_, true) => Some([first + base(0), second]),
            (_, false) => None,
        };
        let positive = pair.map_or(first + base(0), |pair| pair[1]);
        let threshold = if self.one_score && self.all_positive { 0.5 } else { 0.0 };
        let label = match pair {
            Some(pair) if !self.one_score => usize::from(pair[1] > pair[0]),
            _ => usize::from(positive > threshold),
        };
        let pair = pair.map(|pair| pair.map(|x| x as f32));
        let positive = positive as f32;
        let scores = match pair {
            Some(mut pair) => {
                self.post.apply(&mut pair);
                pair
            }
            None if self.all_positive => [1.0 - positive, positive],
            None if self.post == PostTransform::Logistic => {
                [logistic(-positive), logistic(positive)]
            }
            None => [-positive, positive],
        };
        (label, scores)
    }
}

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
        let leaf_width = if one_target { 1 } else { outputs };
        let mut leaf_values = 0_usize;
        let mut trees = Vec::new();
        for tree in &nodes.tree_order {
            let mut spec = TreeSpec { nodes: Vec::new(), values: Vec::new(), target: 0 };
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
            }
            leaf_values = leaf_values.saturating_add(spec.values.len());
            if leaf_values > MAX_LEAF_VALUES {
                return Err(format!("leaf values exceed the limit of {MAX_LEAF_VALUES}"));
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
    tree_order: Vec<FlatTree>,
}

struct FlatTree {
    id: i64,
    /// Places in the attributes, in their order.
    nodes: Vec<usize>,
    /// Number within the tree by node id.
    number: HashMap<i64, u32>,
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
            tree_order: Vec::new(),
        };
        let count = tree_ids.len();
        if count > MAX_NODES {
            return Err(format!("{count} nodes are more than the limit of {MAX_NODES}"));
        }
        let lengths = [
            node_ids.len(),
            nodes.features.len(),
            nodes.thresholds.len(),
            nodes.modes.len(),
            nodes.yes.len(),
            nodes.no.len(),
        ];
        if lengths.iter().any(|&len| len != count) {
            return Err(format!("nodes_* attributes differ in length: {count}, {lengths:?}"));
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

/// A node with its two ways on, before opposites are swapped.
struct Branch {
    feature: u32,
    yes: u32,
    no: u32,
    missing_yes: bool,
}

impl Branch {
    /// `swap` says that the test is the opposite of the file's. A missing value fails every comparison
    /// but `!=`, so without `missing_yes` it takes the way of the failed comparison.
    fn split(self, test: Test, swap: bool) -> NodeSpec {
        let passes_not_equal = swap && matches!(test, Test::Equals(_));
        let missing_yes = self.missing_yes || passes_not_equal;
        let (left, right) = if swap { (self.no, self.yes) } else { (self.yes, self.no) };
        NodeSpec::Split(Split {
            feature: self.feature,
            test,
            left,
            right,
            missing_left: missing_yes != swap,
            zero_is_missing: false,
        })
    }
}

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
    let mut total = 0;
    for &root in attributes.ints("tree_roots") {
        let tree = nodes.tree(root, outputs)?;
        total += tree.values.len();
        if total > MAX_LEAF_VALUES {
            return Err(format!("leaf values exceed the limit of {MAX_LEAF_VALUES}"));
        }
        trees.push(tree);
    }
    Ok(Box::new(Regressor {
        ensemble: Ensemble::build(&trees, outputs, outputs, Vec::new(), aggregate, double)?,
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
            // One list for each MEMBER node in order, with NaN between the lists.
            let values = values.data.to_f64()?;
            let sets = values.split(|x| x.is_nan());
            let nodes = modes.iter().enumerate().filter(|(_, mode)| **mode == 6).map(|(at, _)| at);
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
        Ok(Self {
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
        })
    }

    /// Copies one tree out, depth first.
    fn tree(&self, root: i64, outputs: usize) -> Outcome<TreeSpec<f64>> {
        let mut tree = TreeSpec { nodes: vec![NodeSpec::Leaf(0)], values: Vec::new(), target: 0 };
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
                if left + 2 > MAX_NODES.min(2 * self.modes.len() + 2) {
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
