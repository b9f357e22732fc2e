//! The operators of `ai.onnx.ml` that forests and linear models become.

use crate::forest::Forest;
use crate::linear::LinearModel;
use crate::model::{Fitted, FittedModel};
use crate::target::Classes;

use super::graph::{Attribute, Graph, ML};

/// Adds a regressor that writes `output`.
pub(super) fn quantity(graph: &mut Graph, model: &FittedModel, features: &str, output: &str) {
    match &model.fitted {
        Fitted::Forest(forest) => {
            let leaves = Leaves::of(forest);
            let mut attributes = nodes(forest);
            attributes.extend([
                Attribute::Ints("target_treeids", leaves.trees),
                Attribute::Ints("target_nodeids", leaves.nodes),
                Attribute::Ints("target_ids", leaves.outputs),
                Attribute::Floats("target_weights", leaves.values),
                Attribute::Int("n_targets", 1),
                Attribute::Text("aggregate_function", "AVERAGE"),
                Attribute::Text("post_transform", "NONE"),
            ]);
            graph.node("TreeEnsembleRegressor", ML, &[features], &[output], attributes);
        }
        Fitted::Linear(linear) => {
            let mut attributes = coefficients(linear);
            attributes
                .extend([Attribute::Int("targets", 1), Attribute::Text("post_transform", "NONE")]);
            graph.node("LinearRegressor", ML, &[features], &[output], attributes);
        }
    }
}

/// Adds a classifier that writes `label`; returns the name of its probabilities.
pub(super) fn classes(
    graph: &mut Graph,
    model: &FittedModel,
    classes: &Classes,
    features: &str,
    label: &str,
) -> String {
    let probabilities = graph.fresh("probabilities");
    let labels = match classes {
        Classes::Text(names) => Attribute::Strings("classlabels_strings", names.clone()),
        Classes::Whole(values) => Attribute::Ints("classlabels_int64s", values.clone()),
        Classes::Flag => Attribute::Ints("classlabels_int64s", vec![0, 1]),
    };
    let outputs = [label, probabilities.as_str()];
    match &model.fitted {
        Fitted::Forest(forest) => {
            let leaves = Leaves::of(forest);
            let mut attributes = nodes(forest);
            attributes.extend([
                Attribute::Ints("class_treeids", leaves.trees),
                Attribute::Ints("class_nodeids", leaves.nodes),
                Attribute::Ints("class_ids", leaves.outputs),
                Attribute::Floats("class_weights", leaves.values),
                labels,
                Attribute::Text("post_transform", "NONE"),
            ]);
            graph.node("TreeEnsembleClassifier", ML, &[features], &outputs, attributes);
        }
        Fitted::Linear(linear) => {
            let link = if classes.len() == 2 { "LOGISTIC" } else { "SOFTMAX" };
            let labels = match labels {
                // The same labels under the name that this operator has for integers.
                Attribute::Ints(_, values) => Attribute::Ints("classlabels_ints", values),
                other => other,
            };
            let mut attributes = coefficients(linear);
            attributes.extend([
                labels,
                Attribute::Int("multi_class", i64::from(classes.len() > 2)),
                Attribute::Text("post_transform", link),
            ]);
            graph.node("LinearClassifier", ML, &[features], &outputs, attributes);
        }
    }
    probabilities
}

fn coefficients(model: &LinearModel) -> Vec<Attribute> {
    let rows = model.coefficients.iter().flatten().map(|&value| value as f32).collect();
    let intercepts = model.intercepts.iter().map(|&value| value as f32).collect();
    vec![Attribute::Floats("coefficients", rows), Attribute::Floats("intercepts", intercepts)]
}

/// The nodes of all trees, one list an attribute.
fn nodes(forest: &Forest) -> Vec<Attribute> {
    let count = forest.trees.iter().map(|tree| tree.nodes.len()).sum();
    let ints = || Vec::with_capacity(count);
    let (mut trees, mut ids, mut features) = (ints(), ints(), ints());
    let (mut lefts, mut rights) = (ints(), ints());
    let mut modes = Vec::with_capacity(count);
    let mut thresholds = Vec::with_capacity(count);
    let mut rates = Vec::with_capacity(count);
    for (tree_id, tree) in forest.trees.iter().enumerate() {
        for (node_id, node) in tree.nodes.iter().enumerate() {
            let leaf = node.is_leaf();
            trees.push(tree_id as i64);
            ids.push(node_id as i64);
            features.push(i64::from(node.feature));
            thresholds.push(node.threshold);
            // Explanations need to know how many training rows came by.
            rates.push(node.weight as f32);
            modes.push(if leaf { "LEAF" } else { "BRANCH_LEQ" }.to_owned());
            lefts.push(if leaf { 0 } else { i64::from(node.left) });
            rights.push(if leaf { 0 } else { i64::from(node.right) });
        }
    }
    vec![
        Attribute::Ints("nodes_treeids", trees),
        Attribute::Ints("nodes_nodeids", ids),
        Attribute::Ints("nodes_featureids", features),
        Attribute::Floats("nodes_values", thresholds),
        Attribute::Floats("nodes_hitrates", rates),
        Attribute::Strings("nodes_modes", modes),
        Attribute::Ints("nodes_truenodeids", lefts),
        Attribute::Ints("nodes_falsenodeids", rights),
    ]
}

/// What each leaf adds to each output.
#[derive(Default)]
struct Leaves {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    outputs: Vec<i64>,
    values: Vec<f32>,
}

impl Leaves {
    fn of(forest: &Forest) -> Self {
        let mut leaves = Self::default();
        for (tree_id, (tree, values)) in forest.trees.iter().zip(&forest.leaf_values).enumerate() {
            for (node_id, node) in tree.nodes.iter().enumerate() {
                if node.is_leaf() {
                    let of_node = &values[node_id * forest.width..(node_id + 1) * forest.width];
                    leaves.add(tree_id, node_id, of_node, forest.classification);
                }
            }
        }
        leaves
    }

    fn add(&mut self, tree: usize, node: usize, values: &[f32], classification: bool) {
        let mut push = |output: usize, value: f32| {
            self.trees.push(tree as i64);
            self.nodes.push(node as i64);
            self.outputs.push(output as i64);
            self.values.push(value);
        };
        match values {
            // onnxruntime takes two scores a row for a margin, and answers the second class
            // whenever its score is above 0. One score it takes for the probability of the second
            // class, cuts it at one half, and adds the other itself.
            [_, second] if classification => push(0, *second),
            _ => {
                for (output, &value) in values.iter().enumerate() {
                    // Zeros of a class add nothing.
                    if value != 0.0 || !classification {
                        push(output, value);
                    }
                }
            }
        }
    }
}
