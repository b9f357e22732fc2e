//! One tree of a file, every list of which is as long as the tree has nodes.

use super::fields::count;
use crate::document::Document;
use crate::refusal::{Refusal, Result};
use crate::tree::{CategorySet, NodeSpec, Split, Test, TreeSpec};

/// The column that XGBoost gives to a node that it took out again: such a node keeps its place.
const DELETED: i64 = i32::MAX as i64;

/// Lists that do not predict, one value a node where they are there.
const OF_NODES: [&str; 3] = ["base_weights", "loss_changes", "sum_hessian"];

/// The lists that predict.
struct Nodes {
    left: Vec<i64>,
    right: Vec<i64>,
    parents: Vec<i64>,
    features: Vec<i64>,
    conditions: Vec<f64>,
    default_left: Vec<i64>,
    /// 1 for a split by category; empty where no version knew these.
    kinds: Vec<i64>,
}

fn numbers(tree: &Document, name: &str) -> Result<Vec<f64>> {
    tree.get(name).and_then(Document::numbers).ok_or_else(|| format!("{name} is missing").into())
}

fn integers(tree: &Document, name: &str) -> Result<Vec<i64>> {
    let whole = |x: f64| {
        let is_whole = x.fract() == 0.0 && x.abs() < 9e15;
        is_whole.then_some(x as i64).ok_or_else(|| format!("{name} holds {x}").into())
    };
    numbers(tree, name)?.into_iter().map(whole).collect()
}

impl Nodes {
    fn read(tree: &Document, nodes: usize, width: usize) -> Result<Self> {
        let list = |name: &str| {
            let values = integers(tree, name)?;
            check_length(name, values.len(), nodes)?;
            Ok::<_, Refusal>(values)
        };
        let conditions = numbers(tree, "split_conditions")?;
        check_length("split_conditions", conditions.len(), nodes)?;
        for name in OF_NODES.into_iter().filter(|_| width == 1) {
            if let Some(list) = tree.get(name) {
                check_length(name, list.length().unwrap_or(0), nodes)?;
            }
        }
        let kinds = match tree.get("split_type") {
            Some(_) => integers(tree, "split_type")?,
            None => Vec::new(),
        };
        if !kinds.is_empty() {
            check_length("split_type", kinds.len(), nodes)?;
        }
        Ok(Self {
            left: list("left_children")?,
            right: list("right_children")?,
            parents: list("parents")?,
            features: list("split_indices")?,
            conditions,
            default_left: list("default_left")?,
            kinds,
        })
    }

    /// The number of a child that says so itself.
    fn child(&self, at: usize, child: i64) -> Result<u32> {
        let place = usize::try_from(child).ok();
        let parent = place.and_then(|place| self.parents.get(place));
        if parent.is_none_or(|&parent| parent != at as i64) {
            return Err(format!("node {at} has the child {child}, which has another parent").into());
        }
        u32::try_from(child).map_err(|_| format!("node {at} has the child {child}").into())
    }
}

fn check_length(name: &str, found: usize, nodes: usize) -> Result<()> {
    if found == nodes {
        return Ok(());
    }
    Err(format!("{name} holds {found} values where there must be {nodes}").into())
}

/// A tree and the length of its leaf vectors. Leaf values are multiplied by `weight`.
pub(super) fn read(
    tree: &Document,
    weight: f32,
    features: usize,
) -> Result<(TreeSpec<f32>, usize)> {
    let parameters = tree.get("tree_param").ok_or("tree_param is missing")?;
    let or_zero = |name: &str| match parameters.get(name) {
        Some(_) => count(parameters, name),
        None => Ok(0),
    };
    let width = or_zero("size_leaf_vector")?.max(1);
    let columns = or_zero("num_feature")?;
    if columns != 0 && columns != features {
        return Err(format!("it is of {columns} columns, the model of {features}").into());
    }
    let count = count(parameters, "num_nodes")?;
    let nodes = Nodes::read(tree, count, width)?;
    let sets = categories(tree)?;
    let vectors = if width > 1 { Some(Vectors::read(tree, &nodes, width)?) } else { None };
    let hessians = tree.get("sum_hessian").and_then(Document::numbers).unwrap_or_default();
    let mut spec = TreeSpec {
        nodes: Vec::with_capacity(count),
        covers: hessians.into_iter().map(|x| f64::from(x as f32)).collect(),
        ..TreeSpec::default()
    };
    let (mut leaves, mut used_sets) = (0_u32, 0);
    let every =
        nodes.left.iter().zip(&nodes.right).zip(nodes.features.iter().zip(&nodes.conditions));
    for (at, ((&left, &right), (&feature, &condition))) in every.enumerate() {
        if left == -1 && feature == DELETED {
            spec.unused += 1;
            spec.nodes.push(NodeSpec::Leaf(u32::MAX));
            continue;
        }
        if left == -1 {
            let first = spec.values.len();
            match &vectors {
                None if right != -1 => return Err(format!("node {at} has one child only").into()),
                None => spec.values.push(condition as f32 * weight),
                Some(vectors) => {
                    let vector = vectors.of(at, right)?;
                    spec.values.extend(vector.iter().map(|&x| x as f32 * weight));
                }
            }
            if spec.values.iter().skip(first).any(|value| !value.is_finite()) {
                return Err(format!("the value of leaf {at} is no finite number").into());
            }
            spec.nodes.push(NodeSpec::Leaf(leaves));
            leaves += 1;
            continue;
        }
        let (left, right) = (nodes.child(at, left)?, nodes.child(at, right)?);
        let default_left = match nodes.default_left.get(at) {
            Some(0) => false,
            Some(1) => true,
            other => return Err(format!("default_left of node {at} is {other:?}").into()),
        };
        let feature = u32::try_from(feature).map_err(|_| format!("column {feature}"))?;
        let zero_is_missing = false;
        spec.nodes.push(NodeSpec::Split(match nodes.kinds.get(at) {
            // The categories of a split are those that go right.
            Some(1) => {
                let set = sets.get(used_sets).filter(|(node, _)| *node == at);
                let set = set.ok_or_else(|| format!("the categories of node {at} are missing"))?;
                used_sets += 1;
                Split {
                    feature,
                    test: Test::Member(set.1.clone()),
                    left: right,
                    right: left,
                    missing_left: !default_left,
                    zero_is_missing,
                }
            }
            None | Some(0) if condition.is_nan() => {
                return Err(format!("the threshold of node {at} is not a number").into());
            }
            None | Some(0) => Split {
                feature,
                test: Test::Below(f64::from(condition as f32)),
                left,
                right,
                missing_left: default_left,
                zero_is_missing,
            },
            Some(other) => return Err(format!("split_type of node {at} is {other}").into()),
        }));
    }
    if used_sets != sets.len() {
        return Err(format!("{} sets of categories for {used_sets} splits", sets.len()).into());
    }
    if parameters.get("num_deleted").is_some() && or_zero("num_deleted")? != spec.unused {
        return Err(format!("num_deleted is not {}", spec.unused).into());
    }
    Ok((spec, width))
}

/// What leaves of several outputs add.
struct Vectors {
    values: Vec<f64>,
    width: usize,
    /// Newer files number the leaves where the right child would be; older ones have a vector a node.
    numbered: bool,
}

impl Vectors {
    fn read(tree: &Document, nodes: &Nodes, width: usize) -> Result<Self> {
        let numbered = tree.get("leaf_weights").is_some();
        let values = numbers(tree, if numbered { "leaf_weights" } else { "base_weights" })?;
        let leaves = nodes.left.iter().filter(|&&left| left == -1).count();
        let vectors = if numbered { leaves } else { nodes.left.len() };
        check_length("the leaf vectors", values.len(), vectors.saturating_mul(width))?;
        Ok(Self { values, width, numbered })
    }

    fn of(&self, node: usize, right: i64) -> Result<&[f64]> {
        let missing = || format!("leaf {node} has no vector");
        let number =
            if self.numbered { usize::try_from(right).map_err(|_| missing())? } else { node };
        let start = number.saturating_mul(self.width);
        self.values.get(start..start.saturating_add(self.width)).ok_or_else(|| missing().into())
    }
}

/// Sets of the categorical splits by node, in the order of the nodes. They stand one after the other.
fn categories(tree: &Document) -> Result<Vec<(usize, CategorySet)>> {
    /// Categories are numbered from 0; XGBoost itself goes no further.
    const CATEGORY_MAX: i64 = 16_777_216;
    let list = |name: &str| match tree.get(name) {
        Some(_) => integers(tree, name),
        None => Ok(Vec::new()),
    };
    let (nodes, starts) = (list("categories_nodes")?, list("categories_segments")?);
    let (sizes, all) = (list("categories_sizes")?, list("categories")?);
    if starts.len() != nodes.len() || sizes.len() != nodes.len() {
        return Err("the lists of categories differ in length".into());
    }
    let mut sets = Vec::with_capacity(nodes.len());
    let mut next = 0;
    for (node, (start, size)) in nodes.into_iter().zip(starts.into_iter().zip(sizes)) {
        let wrong = || format!("the categories of node {node} are not where they are said to be");
        let end = usize::try_from(size).ok().and_then(|size| size.checked_add(next));
        let set = end.and_then(|end| all.get(next..end)).filter(|_| start == next as i64);
        let set = set.ok_or_else(wrong)?;
        if let Some(category) = set.iter().find(|at| !(0..CATEGORY_MAX).contains(at)) {
            return Err(format!("category {category}").into());
        }
        next += set.len();
        let node = usize::try_from(node).map_err(|_| wrong())?;
        sets.push((node, CategorySet::from_categories(set.iter().map(|&at| at as u32))));
    }
    if next != all.len() {
        return Err(format!("{next} of {} categories belong to a split", all.len()).into());
    }
    Ok(sets)
}
