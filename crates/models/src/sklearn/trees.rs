//! Trees and their ensembles on the one tree engine: decision trees, forests, boosting, histogram
//! boosting, isolation forests.
//!
//! Trees of `sklearn.tree` see their input as `f32` and compare with `f64` thresholds; histogram boosting
//! sees `f64`. Sums are `f64` in the order of the trees.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, both, expit, labels_of_scores, numbers, softmax};
use crate::python::{Elements, Value};
use crate::tree::{CategorySet, Forest, NodeSpec, Split, Test, TreeSpec};
use crate::{Error, Result};

/// Columns that splits may look at; the check against real inputs comes when predicting.
const MAX_FEATURES: usize = 1 << 24;

/// One `sklearn.tree._tree.Tree`, taken apart.
struct RawTree {
    left: Vec<i64>,
    right: Vec<i64>,
    features: Vec<i64>,
    thresholds: Vec<f64>,
    missing_left: Option<Vec<i64>>,
    samples: Vec<f64>,
    /// nodes x outputs x classes
    values: Vec<f64>,
    per_node: usize,
    outputs: usize,
}

impl RawTree {
    fn read(fields: Fields<'_>) -> Result<Self> {
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
        let raw = Self {
            left: integers("left_child")?,
            right: integers("right_child")?,
            features: integers("feature")?,
            thresholds: column("threshold")?.to_f64().unwrap_or_default(),
            missing_left: column("missing_go_to_left").ok().and_then(Elements::to_i64),
            samples: column("n_node_samples")?.to_f64().unwrap_or_default(),
            values: values.elements.to_f64().unwrap_or_default(),
            per_node: outputs.saturating_mul(*classes),
            outputs: *outputs,
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
    fn spec(
        &self,
        fields: Fields<'_>,
        mut leaf: impl FnMut(usize) -> Vec<f64>,
    ) -> Result<TreeSpec<f64>> {
        let mut spec =
            TreeSpec { nodes: Vec::with_capacity(self.left.len()), values: Vec::new(), target: 0 };
        let mut leaves = 0;
        for (at, ((&left, &right), (&feature, &threshold))) in self
            .left
            .iter()
            .zip(&self.right)
            .zip(self.features.iter().zip(&self.thresholds))
            .enumerate()
        {
            if left < 0 {
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

    fn value(&self, node: usize) -> &[f64] {
        self.values.get(node * self.per_node..(node + 1) * self.per_node).unwrap_or_default()
    }

    /// Class shares of a node; before 1.3 the values were counts.
    fn shares(&self, node: usize) -> Vec<f64> {
        let value = self.value(node);
        let sum: f64 = value.iter().sum();
        // Shares of the root add up to 1 but for rounding; weights of samples never come that close.
        let root: f64 = self.value(0).iter().sum();
        if (root - 1.0).abs() < 1e-9 || sum == 0.0 {
            value.to_vec()
        } else {
            value.iter().map(|x| x / sum).collect()
        }
    }
}

fn build<X: crate::tree::Scalar>(
    fields: Fields<'_>,
    specs: &[TreeSpec<f64>],
    width: usize,
    outputs: usize,
) -> Result<Forest<X, f64>> {
    Forest::build(specs, MAX_FEATURES, width, outputs).map_err(|error| fields.malformed(error))
}

/// Decision trees and forests: the mean of the trees' values.
#[derive(Debug)]
struct Averaged {
    forest: Forest<f32, f64>,
    features: usize,
    /// `None` for regression.
    classes: Option<Arc<Classes>>,
    /// A single tree is not divided by 1, so that values stay as they are.
    trees: f64,
}

pub(super) fn averaged(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let classes = if fields.name().ends_with("Classifier") {
        Some(fields.classes("classes_")?)
    } else {
        None
    };
    let members = match fields.optional("estimators_") {
        Some(_) => fields.items("estimators_")?,
        None => vec![fields.0],
    };
    let mut specs = Vec::with_capacity(members.len());
    let mut width = 0;
    for member in &members {
        let member = Fields(*member);
        let raw = RawTree::read(member)?;
        if classes.is_some() && raw.outputs > 1 {
            return Err(fields.unsupported("several outputs"));
        }
        width = raw.per_node;
        let spec = match &classes {
            Some(_) => raw.spec(member, |node| raw.shares(node))?,
            None => raw.spec(member, |node| raw.value(node).to_vec())?,
        };
        specs.push(spec);
    }
    if classes.as_ref().is_some_and(|classes| classes.len() != width) {
        return Err(fields.malformed(format!("{width} values for the classes")));
    }
    let features = fields.count("n_features_in_").or_else(|_| fields.count("n_features_"))?;
    Ok(Box::new(Averaged {
        forest: build(fields, &specs, width, width)?,
        features,
        classes,
        trees: members.len() as f64,
    }))
}

impl Averaged {
    fn means(&self, x: &Table) -> Result<Matrix> {
        let x = x.matrix()?;
        x.check_width(self.features)?;
        let mut sums = Matrix::zeros(x.rows, self.forest.outputs())?;
        self.forest.add_to(&x.to_f32(), x.columns, &mut sums.values);
        if self.trees > 1.0 {
            sums.values.iter_mut().for_each(|sum| *sum /= self.trees);
        }
        Ok(sums)
    }
}

impl Estimator for Averaged {
    fn predict(&self, x: &Table) -> Result<Output> {
        let means = self.means(x)?;
        Ok(match &self.classes {
            Some(classes) => Output::Labels(
                means.each_row().map(super::estimator::arg_max).collect(),
                Arc::clone(classes),
            ),
            None if means.columns == 1 => Output::Values(means.values),
            None => Output::Table(means),
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        if self.classes.is_none() {
            return Err(Error::Input("a regressor has no predict_proba".into()));
        }
        self.means(x)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes()
    }
}

/// How the raw sums of a boosted model become answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Identity,
    Exp,
    /// Two classes, one sum.
    Logit,
    /// Two classes, exponential loss: half a logit.
    HalfLogit,
    Softmax,
}

impl Link {
    fn probabilities(self, mut raw: Matrix) -> Result<Matrix> {
        let rows = raw.rows;
        Ok(match self {
            Self::Logit => both(raw.values.iter().map(|&x| expit(x)), rows),
            Self::HalfLogit => both(raw.values.iter().map(|&x| expit(2.0 * x)), rows),
            Self::Softmax => {
                softmax(&mut raw);
                raw
            }
            Self::Identity | Self::Exp => {
                return Err(Error::Input("a regressor has no predict_proba".into()));
            }
        })
    }

    fn answer(self, mut raw: Matrix, classes: Option<&Arc<Classes>>) -> Output {
        match classes {
            // Of equals the second class: `raw >= 0`.
            Some(classes) if raw.columns == 1 => Output::Labels(
                raw.values.iter().map(|&x| usize::from(x >= 0.0)).collect(),
                Arc::clone(classes),
            ),
            Some(classes) => Output::Labels(labels_of_scores(&raw, 0.0), Arc::clone(classes)),
            None => {
                if self == Self::Exp {
                    raw.values.iter_mut().for_each(|x| *x = x.exp());
                }
                Output::Values(raw.values)
            }
        }
    }
}

/// `GradientBoosting*`
#[derive(Debug)]
struct Boosted {
    forest: Forest<f32, f64>,
    features: usize,
    start: Start,
    link: Link,
    classes: Option<Arc<Classes>>,
}

/// What the sums start from.
#[derive(Debug)]
enum Start {
    Zero,
    Model(Box<dyn Estimator>),
}

pub(super) fn boosted(fields: Fields<'_>, depth: usize) -> Result<Box<dyn Estimator>> {
    let classes = if fields.name().ends_with("Classifier") {
        Some(fields.classes("classes_")?)
    } else {
        None
    };
    let link = match &classes {
        None => Link::Identity,
        Some(classes) if classes.len() > 2 => Link::Softmax,
        Some(_) if fields.text("loss", "log_loss") == "exponential" => Link::HalfLogit,
        Some(_) => Link::Logit,
    };
    let rate = fields.float("learning_rate")?;
    let members = fields.items("estimators_")?;
    let shape = &fields.array("estimators_")?.shape;
    let outputs = match shape.as_slice() {
        [_, outputs] => *outputs,
        _ => return Err(fields.malformed("estimators_ is no matrix")),
    };
    // skops keeps a matrix of estimators as rows; pickles keep it flat.
    let flat: Vec<Value<'_>> =
        members.iter().flat_map(|member| member.items().unwrap_or_else(|| vec![*member])).collect();
    let mut specs = Vec::with_capacity(flat.len());
    for (number, member) in flat.iter().enumerate() {
        let member = Fields(*member);
        let raw = RawTree::read(member)?;
        let mut spec =
            raw.spec(member, |node| raw.value(node).iter().take(1).map(|x| x * rate).collect())?;
        spec.target = (number % outputs.max(1)) as u32;
        specs.push(spec);
    }
    let start = match fields.optional("init_") {
        None => Start::Zero,
        Some(init) if init.text() == Some("zero") => Start::Zero,
        Some(init) => Start::Model(super::load(init, depth + 1)?),
    };
    Ok(Box::new(Boosted {
        forest: build(fields, &specs, 1, outputs)?,
        features: fields.count("n_features_in_")?,
        start,
        link,
        classes,
    }))
}

impl Boosted {
    fn raw(&self, x: &Table) -> Result<Matrix> {
        // Probabilities of the first model are kept this far from 0 and 1.
        const EPSILON: f64 = f32::EPSILON as f64;
        let matrix = x.matrix()?;
        matrix.check_width(self.features)?;
        let outputs = self.forest.outputs();
        let mut raw = Matrix::zeros(matrix.rows, outputs)?;
        if let Start::Model(model) = &self.start {
            // The first model sees the values as the trees do.
            let seen = matrix.values.iter().map(|&x| f64::from(x as f32)).collect();
            let x = &Table::Matrix(Matrix::new(matrix.rows, matrix.columns, seen));
            let start = if self.classes.is_some() {
                model.predict_proba(x)?
            } else {
                model.predict(x)?.numbers()?
            };
            for (raw, start) in raw.each_row_mut().zip(start.each_row()) {
                let clipped =
                    |at: usize| start.get(at).copied().unwrap_or(0.5).clamp(EPSILON, 1.0 - EPSILON);
                match (self.link, raw) {
                    (Link::Logit, [raw]) => *raw = logit(clipped(1)),
                    (Link::HalfLogit, [raw]) => *raw = 0.5 * logit(clipped(1)),
                    (Link::Softmax, raw) => {
                        let logs: Vec<f64> = (0..outputs).map(|at| clipped(at).ln()).collect();
                        let mean = logs.iter().sum::<f64>() / outputs as f64;
                        for (raw, at) in raw.iter_mut().zip(0..) {
                            *raw = (clipped(at) / mean.exp()).ln();
                        }
                    }
                    (_, raw) => raw.iter_mut().zip(start).for_each(|(raw, start)| *raw = *start),
                }
            }
        }
        self.forest.add_to(&matrix.to_f32(), matrix.columns, &mut raw.values);
        Ok(raw)
    }
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

impl Estimator for Boosted {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(self.link.answer(self.raw(x)?, self.classes.as_ref()))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.link.probabilities(self.raw(x)?)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.raw(x)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn has_decision(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes()
    }
}

/// `HistGradientBoosting*`
#[derive(Debug)]
struct HistBoosted {
    forest: Forest<f64, f64>,
    features: usize,
    baseline: Vec<f64>,
    preprocessor: Option<Box<dyn Estimator>>,
    link: Link,
    classes: Option<Arc<Classes>>,
}

pub(super) fn hist_boosted(fields: Fields<'_>, depth: usize) -> Result<Box<dyn Estimator>> {
    let classes = if fields.name().ends_with("Classifier") {
        Some(fields.classes("classes_")?)
    } else {
        None
    };
    let link = match &classes {
        Some(classes) if classes.len() > 2 => Link::Softmax,
        Some(_) => Link::Logit,
        None if matches!(fields.text("loss", "squared_error"), "poisson" | "gamma") => Link::Exp,
        None => Link::Identity,
    };
    let baseline = fields.numbers("_baseline_prediction")?;
    let known = known_categories(fields)?;
    let mut specs = Vec::new();
    for iteration in fields.items("_predictors")? {
        for (target, predictor) in iteration.items().unwrap_or_default().into_iter().enumerate() {
            let mut spec = predictor_tree(fields, predictor, &known)?;
            spec.target = target as u32;
            specs.push(spec);
        }
    }
    let preprocessor =
        fields.optional("_preprocessor").map(|value| super::load(value, depth + 1)).transpose()?;
    Ok(Box::new(HistBoosted {
        forest: build(fields, &specs, 1, baseline.len())?,
        features: fields.count("n_features_in_").or_else(|_| fields.count("_n_features"))?,
        baseline,
        preprocessor,
        link,
        classes,
    }))
}

/// The categories of each feature that were seen in training; none for numeric features.
fn known_categories(fields: Fields<'_>) -> Result<Vec<Option<Vec<u32>>>> {
    let Some(mapper) = fields.optional("_bin_mapper").map(Fields) else { return Ok(Vec::new()) };
    let categorical = mapper.optional_numbers("is_categorical_")?.unwrap_or_default();
    let thresholds = mapper.items("bin_thresholds_")?;
    Ok(thresholds
        .iter()
        .enumerate()
        .map(|(at, thresholds)| {
            let is_categorical = categorical.get(at).is_some_and(|&x| x != 0.0);
            let categories = is_categorical.then(|| numbers(*thresholds)).flatten()?;
            Some(
                CategorySet::from_categories(
                    categories
                        .into_iter()
                        .filter(|x| (0.0..65_536.0).contains(x))
                        .map(|x| x as u32),
                )
                .words,
            )
        })
        .collect())
}

fn predictor_tree(
    fields: Fields<'_>,
    predictor: Value<'_>,
    known: &[Option<Vec<u32>>],
) -> Result<TreeSpec<f64>> {
    let nodes = predictor.get("nodes").and_then(Value::array);
    let Some(Elements::Struct(columns)) = nodes.map(|array| &array.elements) else {
        return Err(fields.malformed("a predictor has no nodes"));
    };
    let column = |name: &str| {
        let elements =
            columns.iter().find(|(field, _)| field == name).map(|(_, elements)| elements);
        elements
            .and_then(Elements::to_f64)
            .ok_or_else(|| fields.malformed(format!("a predictor has no {name}")))
    };
    let (value, feature, threshold) = (
        column("value")?,
        column("feature_idx")?,
        column("num_threshold").or_else(|_| column("threshold"))?,
    );
    let (left, right, missing_left, is_leaf) =
        (column("left")?, column("right")?, column("missing_go_to_left")?, column("is_leaf")?);
    let (is_categorical, bitset) =
        (column("is_categorical").unwrap_or_default(), column("bitset_idx").unwrap_or_default());
    let bitsets = predictor
        .get("raw_left_cat_bitsets")
        .and_then(Value::array)
        .and_then(|array| array.elements.to_i64())
        .unwrap_or_default();
    let mut spec = TreeSpec::default();
    for at in 0..value.len() {
        let get = |column: &[f64]| column.get(at).copied().unwrap_or(0.0);
        if get(&is_leaf) != 0.0 {
            spec.nodes.push(NodeSpec::Leaf(spec.values.len() as u32));
            spec.values.push(get(&value));
            continue;
        }
        let feature = get(&feature) as u32;
        let by_category = get(&is_categorical) > 0.0;
        let test = if by_category {
            // Eight words for each categorical split.
            let start = (get(&bitset) as usize).saturating_mul(8);
            let words: Vec<u32> = bitsets
                .get(start..start.saturating_add(8))
                .unwrap_or_default()
                .iter()
                .map(|&word| word as u32)
                .collect();
            let seen = known.get(feature as usize).cloned().flatten().unwrap_or_default();
            let known = (0..8)
                .map(|word| {
                    words.get(word).copied().unwrap_or(0) | seen.get(word).copied().unwrap_or(0)
                })
                .collect();
            Test::Member(CategorySet { words, known: Some(known) })
        } else {
            Test::AtMost(get(&threshold))
        };
        spec.nodes.push(NodeSpec::Split(Split {
            feature,
            test,
            left: get(&left) as u32,
            right: get(&right) as u32,
            missing_left: get(&missing_left) != 0.0,
            zero_is_missing: false,
        }));
    }
    Ok(spec)
}

impl HistBoosted {
    fn raw(&self, x: &Table) -> Result<Matrix> {
        if x.width() != self.features {
            return Err(Error::Input(format!(
                "the model takes {} columns, the input has {}",
                self.features,
                x.width()
            )));
        }
        let prepared;
        let x = match &self.preprocessor {
            Some(preprocessor) => {
                prepared = preprocessor.transform(x.clone())?;
                &prepared
            }
            None => x,
        };
        let x = x.matrix()?;
        let mut raw = Matrix::zeros(x.rows, self.baseline.len())?;
        raw.each_row_mut().for_each(|row| row.copy_from_slice(&self.baseline));
        self.forest.add_to(&x.values, x.columns, &mut raw.values);
        Ok(raw)
    }
}

impl Estimator for HistBoosted {
    fn predict(&self, x: &Table) -> Result<Output> {
        let raw = self.raw(x)?;
        // The label is that of the larger probability: exactly 0 is the first class here.
        if let (Some(classes), 1) = (&self.classes, raw.columns) {
            return Ok(Output::Labels(labels_of_scores(&raw, 0.0), Arc::clone(classes)));
        }
        Ok(self.link.answer(raw, self.classes.as_ref()))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.link.probabilities(self.raw(x)?)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.raw(x)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn has_decision(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes()
    }
}

/// `IsolationForest`: 1 for inliers, -1 for outliers.
#[derive(Debug)]
struct Isolation {
    forest: Forest<f32, f64>,
    features: usize,
    offset: f64,
    denominator: f64,
}

/// Mean length of a path in a tree of `n` samples (Liu, Ting, Zhou 2008).
fn average_path_length(n: f64) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    if n <= 1.0 {
        0.0
    } else if n <= 2.0 {
        1.0
    } else {
        2.0 * ((n - 1.0).ln() + EULER_GAMMA) - 2.0 * (n - 1.0) / n
    }
}

pub(super) fn isolation(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let members = fields.items("estimators_")?;
    let features = fields.count("n_features_in_").or_else(|_| fields.count("n_features_"))?;
    let mut columns: Vec<Vec<usize>> = Vec::new();
    for chosen in fields.optional("estimators_features_").and_then(Value::items).unwrap_or_default()
    {
        let chosen = numbers(chosen)
            .ok_or_else(|| fields.malformed("estimators_features_ are no numbers"))?;
        columns.push(chosen.into_iter().map(|x| x as usize).collect());
    }
    let mut specs = Vec::with_capacity(members.len());
    for (number, member) in members.iter().enumerate() {
        let member = Fields(*member);
        let raw = RawTree::read(member)?;
        let depths = depths(&raw);
        let mut spec = raw.spec(member, |node| {
            let (depth, samples) = (
                depths.get(node).copied().unwrap_or(0.0),
                raw.samples.get(node).copied().unwrap_or(1.0),
            );
            vec![depth + average_path_length(samples)]
        })?;
        // Splits count within the columns of their tree; here they count within the input.
        for node in &mut spec.nodes {
            if let (NodeSpec::Split(split), Some(columns)) = (node, columns.get(number)) {
                split.feature =
                    columns.get(split.feature as usize).map_or(u32::MAX, |&column| column as u32);
            }
        }
        specs.push(spec);
    }
    let max_samples = fields.float("max_samples_").or_else(|_| fields.float("_max_samples"))?;
    Ok(Box::new(Isolation {
        forest: build(fields, &specs, 1, 1)?,
        features,
        offset: fields.float("offset_")?,
        denominator: members.len() as f64 * average_path_length(max_samples),
    }))
}

/// Depth of each node that the root leads to; bounded because each node is entered once at most.
fn depths(raw: &RawTree) -> Vec<f64> {
    let mut depths = vec![f64::NAN; raw.left.len()];
    let mut open = vec![(0_usize, 0.0)];
    while let Some((node, depth)) = open.pop() {
        let Some(slot) = depths.get_mut(node).filter(|slot| slot.is_nan()) else { continue };
        *slot = depth;
        for children in [&raw.left, &raw.right] {
            if let Some(child) = children.get(node).and_then(|&child| usize::try_from(child).ok()) {
                open.push((child, depth + 1.0));
            }
        }
    }
    depths
}

impl Estimator for Isolation {
    fn predict(&self, x: &Table) -> Result<Output> {
        let scores = self.decision_function(x)?;
        Ok(Output::Integers(
            scores.values.iter().map(|&score| if score < 0.0 { -1 } else { 1 }).collect(),
        ))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let x = x.matrix()?;
        x.check_width(self.features)?;
        let mut depths = Matrix::zeros(x.rows, 1)?;
        self.forest.add_to(&x.to_f32(), x.columns, &mut depths.values);
        for depth in &mut depths.values {
            let share = if self.denominator == 0.0 { 1.0 } else { *depth / self.denominator };
            *depth = -(2.0_f64.powf(-share)) - self.offset;
        }
        Ok(depths)
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes()
    }
}
