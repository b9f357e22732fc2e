//! A tree of `sklearn.tree` taken apart, and what its ensembles share on the way to the one tree engine.
//!
//! These trees see their input as `f32` and compare with `f64` thresholds.

use super::super::data::Matrix;
use super::super::estimator::Fields;
use crate::python::{Elements, Value};
use crate::tree::{Forest, NodeSpec, Split, Test, TreeSpec};
use crate::{Error, Result};

/// One `sklearn.tree._tree.Tree`, taken apart.
pub(in super::super) struct RawTree {
    pub(in super::super) left: Vec<i64>,
    pub(in super::super) right: Vec<i64>,
    pub(in super::super) features: Vec<i64>,
    thresholds: Vec<f64>,
    missing_left: Option<Vec<i64>>,
    pub(super) samples: Vec<f64>,
    /// Samples by weight, and how mixed they are; only importances ask for them.
    pub(in super::super) weights: Vec<f64>,
    pub(in super::super) impurities: Vec<f64>,
    /// nodes x outputs x classes
    values: Vec<f64>,
    pub(super) per_node: usize,
    pub(super) outputs: usize,
    /// Whether values of classes are counts, which they were before scikit-learn 1.4; none if the file does not say
    /// who wrote it.
    are_counts: Option<bool>,
}

impl RawTree {
    pub(in super::super) fn read(fields: Fields<'_>) -> Result<Self> {
        let tree = fields.value("tree_")?;
        let nodes = tree.get("nodes").and_then(Value::array);
        let Some(Elements::Struct(columns)) = nodes.map(|array| &array.elements) else {
            return Err(fields.malformed("tree_ has no nodes"));
        };
        let column = |name: &str| {
            columns
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, elements)| elements)
                .ok_or_else(|| fields.malformed(format!("tree_ has no {name}")))
        };
        let integers = |name: &str| {
            column(name)?
                .to_i64()
                .ok_or_else(|| fields.malformed(format!("{name} of tree_ are no integers")))
        };
        let values = tree
            .get("values")
            .and_then(Value::array)
            .ok_or_else(|| fields.malformed("tree_ has no values"))?;
        let [count, outputs, classes] = values.shape.as_slice() else {
            return Err(fields.malformed("values of tree_ are odd"));
        };
        let doubles = |name: &str| {
            column(name)?
                .to_f64()
                .ok_or_else(|| fields.malformed(format!("{name} of tree_ are no numbers")))
        };
        if tree.get("node_count").is_some() && Fields(tree).count("node_count")? != *count {
            return Err(fields.malformed(format!("tree_ holds not node_count, but {count} nodes")));
        }
        let raw = Self {
            left: integers("left_child")?,
            right: integers("right_child")?,
            features: integers("feature")?,
            thresholds: doubles("threshold")?,
            missing_left: column("missing_go_to_left").ok().and_then(Elements::to_i64),
            samples: doubles("n_node_samples")?,
            weights: doubles("weighted_n_node_samples")?,
            impurities: doubles("impurity")?,
            values: values
                .elements
                .to_f64()
                .ok_or_else(|| fields.malformed("values of tree_ are no numbers"))?,
            per_node: outputs.saturating_mul(*classes),
            outputs: *outputs,
            are_counts: match fields.version() {
                (0, 0) => None,
                version => Some(version < (1, 4)),
            },
        };
        if raw.left.len() != *count
            || raw.values.len() != count.saturating_mul(raw.per_node)
            || raw.per_node == 0
        {
            return Err(fields.malformed(format!(
                "tree_ has {} nodes and values of shape {:?}",
                raw.left.len(),
                values.shape
            )));
        }
        Ok(raw)
    }

    /// The tree with the values that `leaf` gives for each leaf's node.
    pub(super) fn spec(
        &self,
        fields: Fields<'_>,
        mut leaf: impl FnMut(usize) -> Vec<f64>,
    ) -> Result<TreeSpec<f64>> {
        let mut spec = TreeSpec {
            nodes: Vec::with_capacity(self.left.len()),
            covers: self.weights.clone(),
            ..TreeSpec::default()
        };
        let mut leaves = 0;
        for (at, ((&left, &right), (&feature, &threshold))) in self
            .left
            .iter()
            .zip(&self.right)
            .zip(self.features.iter().zip(&self.thresholds))
            .enumerate()
        {
            if left < 0 {
                if right >= 0 {
                    return Err(fields.malformed(format!("node {at} of tree_ has one child only")));
                }
                spec.values.extend(leaf(at));
                spec.nodes.push(NodeSpec::Leaf(leaves));
                leaves += 1;
                continue;
            }
            let index = |value: i64| {
                u32::try_from(value)
                    .map_err(|_| fields.malformed(format!("node {at} of tree_ leads to {value}")))
            };
            spec.nodes.push(NodeSpec::Split(Split {
                feature: index(feature)?,
                test: Test::AtMost(threshold),
                left: index(left)?,
                right: index(right)?,
                missing_left: self
                    .missing_left
                    .as_ref()
                    .and_then(|column| column.get(at))
                    .is_some_and(|&x| x != 0),
                zero_is_missing: false,
            }));
        }
        Ok(spec)
    }

    pub(super) fn value(&self, node: usize) -> &[f64] {
        self.values.get(node * self.per_node..(node + 1) * self.per_node).unwrap_or_default()
    }

    /// Class shares of a node for each output; before 1.4 the values were counts.
    pub(super) fn shares(&self, node: usize) -> Vec<f64> {
        let classes = (self.per_node / self.outputs.max(1)).max(1);
        // Shares of the root add up to 1 but for rounding. So do the weights of AdaBoost's samples.
        let root: f64 = self.value(0).iter().take(classes).sum();
        let are_shares = !self.are_counts.unwrap_or((root - 1.0).abs() >= 1e-9);
        let mut shares = self.value(node).to_vec();
        for output in shares.chunks_exact_mut(classes).filter(|_| !are_shares) {
            let sum: f64 = output.iter().sum();
            if sum != 0.0 {
                for x in output {
                    *x /= sum;
                }
            }
        }
        shares
    }
}

/// A matrix as the trees of `sklearn.tree` see it.
pub(super) fn singles(x: &Matrix) -> Result<Vec<f32>> {
    let values = x.to_f32();
    if let Some(at) = values.iter().position(|x| x.is_infinite()) {
        let width = x.columns.max(1);
        return Err(Error::Input(format!(
            "column {}, row {}: {} where the model takes finite numbers of 32 bits",
            at % width,
            at / width,
            x.values.get(at).copied().unwrap_or(f64::NAN)
        )));
    }
    Ok(values)
}

pub(super) fn build<X: crate::tree::Scalar>(
    fields: Fields<'_>,
    specs: &[TreeSpec<f64>],
    features: usize,
    width: usize,
    outputs: usize,
) -> Result<Forest<X, f64>> {
    Forest::build(specs, features, width, outputs).map_err(|error| fields.malformed(error))
}

/// Columns that an ensemble was fitted to.
pub(super) fn feature_count(fields: Fields<'_>) -> Result<usize> {
    let names = ["n_features_in_", "n_features_", "_n_features"];
    let known = names.into_iter().find(|name| fields.optional(name).is_some());
    fields.count(known.unwrap_or("n_features_in_"))
}

/// Refuses an ensemble that holds not as many members as the parameter says it was fitted with.
pub(super) fn check_members(fields: Fields<'_>, parameter: &str, members: usize) -> Result<()> {
    match fields.optional(parameter) {
        Some(_) if fields.count(parameter)? != members => Err(fields.malformed(format!(
            "{members} members where {parameter} says {}",
            fields.count(parameter)?
        ))),
        _ => Ok(()),
    }
}
