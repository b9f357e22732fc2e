//! XGBoost models: UBJSON and JSON, trees (also with dropout, categories, vectors at the leaves) and
//! linear boosters.
//!
//! XGBoost computes in `f32`: inputs, thresholds, leaf values and their sums, which start from the base
//! score. So does this.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch};

use crate::document::{Document, parse_json, parse_ubjson};
use crate::input::Input;
use crate::tree::{CategorySet, Forest, NodeSpec, Split, Test, TreeSpec};
use crate::{Error, Prediction, Predictor, Result};

/// Outputs of one model: classes times targets.
const MAX_OUTPUTS: usize = 100_000;

/// A booster.
#[derive(Debug)]
pub(crate) struct Booster {
    learner: Learner,
    base: Vec<f32>,
    objective: Objective,
    features: usize,
    /// Names of the features; none if training had none.
    names: Vec<String>,
    outputs: usize,
}

#[derive(Debug)]
enum Learner {
    Trees(Forest<f32, f32>),
    /// (features + 1) x outputs; the last row is the bias.
    Linear(Vec<f32>),
}

/// How sums become predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Objective {
    Identity,
    Logistic,
    Hinge,
    Exp,
    SoftProb,
    SoftMax,
}

impl Objective {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:absoluteerror"
            | "reg:quantileerror"
            | "reg:pseudohubererror"
            | "reg:expectileerror"
            | "binary:logitraw"
            | "rank:pairwise"
            | "rank:ndcg"
            | "rank:map" => Self::Identity,
            "reg:logistic" | "binary:logistic" => Self::Logistic,
            "binary:hinge" => Self::Hinge,
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => {
                Self::Exp
            }
            "multi:softprob" => Self::SoftProb,
            "multi:softmax" => Self::SoftMax,
            _ => return None,
        })
    }

    /// What the sums start from, for a base score as users give it.
    fn margin(self, base: f32) -> f32 {
        match self {
            Self::Logistic => -(1.0 / base - 1.0).ln(),
            Self::Exp => base.ln(),
            _ => base,
        }
    }

    fn apply(self, sums: &mut [f32], outputs: usize) {
        match self {
            Self::Identity | Self::SoftMax => {}
            Self::Logistic => {
                for x in sums.iter_mut() {
                    *x = 1.0 / ((-*x).min(88.7).exp() + 1.0);
                }
            }
            Self::Hinge => sums.iter_mut().for_each(|x| *x = if *x > 0.0 { 1.0 } else { 0.0 }),
            Self::Exp => sums.iter_mut().for_each(|x| *x = x.exp()),
            Self::SoftProb => {
                for row in sums.chunks_exact_mut(outputs.max(1)) {
                    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let mut sum = 0.0_f64;
                    for x in row.iter_mut() {
                        *x = (*x - max).exp();
                        sum += f64::from(*x);
                    }
                    for x in row.iter_mut() {
                        *x /= sum as f32;
                    }
                }
            }
        }
    }
}

fn malformed(reason: impl std::fmt::Display) -> Error {
    Error::Malformed { file: "the XGBoost model".to_owned(), reason: reason.to_string() }
}

fn missing(name: &str) -> Error {
    malformed(format!("{name} is missing"))
}

impl Booster {
    /// Reads a model file or the buffer of a pickle. `best_only` keeps the rounds up to the best one, if
    /// training stopped early.
    pub(crate) fn parse(bytes: &[u8], best_only: bool) -> Result<Self> {
        // JSON begins with a brace and a quote or space, UBJSON with a brace and a length.
        let json = matches!(bytes, [b'{', b'"' | b' ' | b'\n' | b'\r' | b'\t' | b'}', ..]);
        let document = if json {
            parse_json(std::str::from_utf8(bytes).map_err(malformed)?).map_err(malformed)?
        } else if bytes.first() == Some(&b'{') {
            parse_ubjson(bytes).map_err(malformed)?
        } else {
            return Err(Error::Unsupported {
                what: "XGBoost's old binary format".to_owned(),
                hint: "save the model again as UBJSON (model.save_model(\"model.ubj\"))".to_owned(),
            });
        };
        // Pickles hold the model beside its configuration.
        let document = document.get("Model").unwrap_or(&document);
        let learner = document.get("learner").ok_or_else(|| missing("learner"))?;
        Self::read(learner, best_only)
    }

    fn read(learner: &Document, best_only: bool) -> Result<Self> {
        let parameters =
            learner.get("learner_model_param").ok_or_else(|| missing("learner_model_param"))?;
        let count = |name: &str| {
            let value = parameters.get(name).and_then(Document::number).unwrap_or(0.0);
            if (0.0..1e9).contains(&value) {
                Ok(value as usize)
            } else {
                Err(malformed(format!("{name} is {value}")))
            }
        };
        let name = learner
            .get("objective")
            .and_then(|objective| objective.get("name"))
            .and_then(Document::text)
            .unwrap_or_default();
        let objective = Objective::read(name).ok_or_else(|| Error::Unsupported {
            what: format!("XGBoost's objective {name:?}"),
            hint: "the built-in objectives are; serve the model with Python workers".to_owned(),
        })?;
        let (classes, targets) = (count("num_class")?.max(1), count("num_target")?.max(1));
        let outputs = classes
            .checked_mul(targets)
            .filter(|&outputs| outputs <= MAX_OUTPUTS)
            .ok_or_else(|| malformed("too many outputs"))?;
        let base = parameters.get("base_score").ok_or_else(|| missing("base_score"))?;
        let mut base: Vec<f32> =
            base_scores(base, outputs)?.into_iter().map(|x| objective.margin(x)).collect();
        let features = count("num_feature")?;
        let names = learner.get("feature_names").and_then(Document::list).unwrap_or_default();
        let names: Option<Vec<String>> =
            names.iter().map(|name| name.text().map(str::to_owned)).collect();
        let names = names.filter(|names| names.len() == features).unwrap_or_default();
        let booster = learner.get("gradient_booster").ok_or_else(|| missing("gradient_booster"))?;
        let best = learner
            .get("attributes")
            .and_then(|attributes| attributes.get("best_iteration"))
            .and_then(Document::number);
        let rounds = best.filter(|_| best_only).map(|best| best as usize + 1);
        let learner = match booster.get("name").and_then(Document::text) {
            Some("gblinear") => {
                let weights = booster
                    .get("model")
                    .and_then(|model| model.get("weights"))
                    .and_then(Document::numbers);
                let weights = weights.ok_or_else(|| missing("weights"))?;
                if weights.len() != (features + 1) * outputs {
                    return Err(malformed(format!(
                        "{} weights for {features} features and {outputs} outputs",
                        weights.len()
                    )));
                }
                // Linear boosters start every output from the first score.
                base = vec![base.first().copied().unwrap_or(0.0); outputs];
                Learner::Linear(weights.into_iter().map(|x| x as f32).collect())
            }
            Some("dart") => {
                let inner = booster
                    .get("gbtree")
                    .and_then(|inner| inner.get("model"))
                    .ok_or_else(|| missing("gbtree"))?;
                let drop = booster
                    .get("weight_drop")
                    .and_then(Document::numbers)
                    .ok_or_else(|| missing("weight_drop"))?;
                Learner::Trees(forest(inner, Some(&drop), features, outputs, rounds)?)
            }
            Some("gbtree") => {
                let inner = booster.get("model").ok_or_else(|| missing("model"))?;
                Learner::Trees(forest(inner, None, features, outputs, rounds)?)
            }
            other => {
                return Err(Error::Unsupported {
                    what: format!("XGBoost's booster {other:?}"),
                    hint: "gbtree, dart and gblinear are".to_owned(),
                });
            }
        };
        Ok(Self { learner, base, objective, features, names, outputs })
    }

    /// Predictions of all rows and how many each row has.
    pub(crate) fn predict_rows(&self, rows: &[f32], width: usize) -> Result<(Vec<f32>, usize)> {
        let mut sums = self.sums(rows, width)?;
        self.objective.apply(&mut sums, self.outputs);
        if self.objective == Objective::SoftMax {
            let best = sums.chunks_exact(self.outputs).map(|row| largest(row) as f32);
            return Ok((best.collect(), 1));
        }
        Ok((sums, self.outputs))
    }

    /// The same, but probabilities where `multi:softmax` predicts the class.
    pub(crate) fn probabilities(&self, rows: &[f32], width: usize) -> Result<(Vec<f32>, usize)> {
        if self.objective != Objective::SoftMax {
            return self.predict_rows(rows, width);
        }
        let mut sums = self.sums(rows, width)?;
        Objective::SoftProb.apply(&mut sums, self.outputs);
        Ok((sums, self.outputs))
    }

    /// What the trees or weights add up to, before the objective makes predictions of it.
    fn sums(&self, rows: &[f32], width: usize) -> Result<Vec<f32>> {
        if width != self.features {
            return Err(Error::Input(format!(
                "the model takes {} columns, the input has {width}",
                self.features
            )));
        }
        let mut sums: Vec<f32> =
            std::iter::repeat_n(&self.base, rows.len() / width.max(1)).flatten().copied().collect();
        match &self.learner {
            Learner::Trees(forest) => forest.add_to(rows, width, &mut sums),
            Learner::Linear(weights) => {
                let (weights, bias) = weights.split_at(width * self.outputs);
                for (row, sums) in
                    rows.chunks_exact(width.max(1)).zip(sums.chunks_exact_mut(self.outputs))
                {
                    sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
                    for (&x, weights) in row
                        .iter()
                        .zip(weights.chunks_exact(self.outputs))
                        .filter(|(x, _)| !x.is_nan())
                    {
                        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
                    }
                }
            }
        }
        Ok(sums)
    }

    /// Whether each output is a label of its own, present or not.
    pub(crate) fn is_multilabel(&self) -> bool {
        self.objective == Objective::Logistic && self.outputs > 1
    }

    /// The class of each row, as `XGBClassifier` chooses it.
    pub(crate) fn classes(&self, predictions: &[f32], width: usize) -> Vec<usize> {
        if width == 1 {
            // `multi:softmax` has chosen already.
            let chosen = |x: f32| {
                if self.objective == Objective::SoftMax { x as usize } else { usize::from(x > 0.5) }
            };
            return predictions.iter().map(|&x| chosen(x)).collect();
        }
        predictions.chunks_exact(width).map(largest).collect()
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match &self.learner {
            Learner::Trees(forest) => forest.size_bytes(),
            Learner::Linear(weights) => size_of_val(weights.as_slice()),
        }
    }
}

/// Place of the largest number, of equals the first.
fn largest(row: &[f32]) -> usize {
    let larger =
        |best: (usize, f32), (at, &x): (usize, &f32)| if x > best.1 { (at, x) } else { best };
    row.iter().enumerate().fold((0, f32::NEG_INFINITY), larger).0
}

/// One number (old), a number in brackets or one for each output.
fn base_scores(base: &Document, outputs: usize) -> Result<Vec<f32>> {
    let text = match base {
        Document::Text(text) => {
            text.trim().trim_start_matches('[').trim_end_matches(']').to_owned()
        }
        other => other.number().map(|x| x.to_string()).unwrap_or_default(),
    };
    let scores: Vec<f32> = text
        .split(',')
        .map(|score| score.trim().parse().map_err(|_| malformed(format!("base_score {text:?}"))))
        .collect::<Result<_>>()?;
    match scores.as_slice() {
        [one] => Ok(vec![*one; outputs]),
        all if all.len() == outputs => Ok(scores),
        all => Err(malformed(format!("{} base scores for {outputs} outputs", all.len()))),
    }
}

fn forest(
    model: &Document,
    weights: Option<&[f64]>,
    features: usize,
    outputs: usize,
    rounds: Option<usize>,
) -> Result<Forest<f32, f32>> {
    let trees = model.get("trees").and_then(Document::list).ok_or_else(|| missing("trees"))?;
    let targets =
        model.get("tree_info").and_then(Document::numbers).ok_or_else(|| missing("tree_info"))?;
    let mut keep = trees.len();
    if let Some(rounds) = rounds {
        let parallel = model
            .get("gbtree_model_param")
            .and_then(|p| p.get("num_parallel_tree"))
            .and_then(Document::number)
            .unwrap_or(1.0);
        let starts = model.get("iteration_indptr").and_then(Document::numbers);
        let by_start = starts.and_then(|starts| starts.get(rounds).map(|&start| start as usize));
        keep = keep.min(by_start.unwrap_or_else(|| {
            rounds.saturating_mul(outputs).saturating_mul(parallel.max(1.0) as usize)
        }));
    }
    let mut leaf_width = 1;
    let mut specs = Vec::with_capacity(keep);
    for (number, tree) in trees.iter().take(keep).enumerate() {
        let weight =
            weights.map_or(1.0, |weights| weights.get(number).copied().unwrap_or(1.0)) as f32;
        let (mut spec, width) = tree_spec(tree, weight)
            .map_err(|reason| malformed(format!("tree {number}: {reason}")))?;
        leaf_width = width;
        if width == 1 {
            spec.target = targets.get(number).copied().unwrap_or(0.0) as u32;
        }
        specs.push(spec);
    }
    Forest::build(&specs, features, leaf_width, outputs).map_err(malformed)
}

/// A tree and the length of its leaf vectors.
fn tree_spec(tree: &Document, weight: f32) -> Result<(TreeSpec<f32>, usize), String> {
    let numbers = |name: &str| {
        tree.get(name).and_then(Document::numbers).ok_or_else(|| format!("{name} is missing"))
    };
    let (left, right) = (numbers("left_children")?, numbers("right_children")?);
    let (features, conditions) = (numbers("split_indices")?, numbers("split_conditions")?);
    let default_left = numbers("default_left")?;
    let kinds = numbers("split_type").unwrap_or_default();
    let sets = categories(tree)?;
    let width = tree
        .get("tree_param")
        .and_then(|p| p.get("size_leaf_vector"))
        .and_then(Document::number)
        .unwrap_or(1.0)
        .max(1.0) as usize;
    let vectors = if width > 1 {
        Some((numbers("leaf_weights").ok(), numbers("base_weights")?))
    } else {
        None
    };
    let mut spec =
        TreeSpec { nodes: Vec::with_capacity(left.len()), values: Vec::new(), target: 0 };
    let mut leaves = 0_u32;
    for (at, &left) in left.iter().enumerate() {
        let get = |values: &[f64]| {
            values.get(at).copied().ok_or_else(|| format!("node {at} is incomplete"))
        };
        if left < 0.0 {
            match &vectors {
                None => spec.values.push(get(&conditions)? as f32 * weight),
                Some((leaf_weights, base_weights)) => {
                    // Newer files number the leaves where the right child would be.
                    let (from, number) =
                        leaf_weights.as_ref().map_or((base_weights, at), |weights| {
                            (weights, get(&right).unwrap_or(0.0).max(0.0) as usize)
                        });
                    let start = number.saturating_mul(width);
                    let vector = from
                        .get(start..start.saturating_add(width))
                        .ok_or("a leaf without its vector")?;
                    spec.values.extend(vector.iter().map(|&x| x as f32 * weight));
                }
            }
            spec.nodes.push(NodeSpec::Leaf(leaves));
            leaves += 1;
            continue;
        }
        let (left, right) = (left as u32, get(&right)? as u32);
        let default_left = get(&default_left)? != 0.0;
        let feature = get(&features)? as u32;
        let split = if kinds.get(at).is_some_and(|&kind| kind == 1.0) {
            // The categories of a split are those that go right.
            let set = sets
                .iter()
                .find(|(node, _)| *node == at)
                .map(|(_, set)| set.clone())
                .unwrap_or_default();
            Split {
                feature,
                test: Test::Member(set),
                left: right,
                right: left,
                missing_left: !default_left,
                zero_is_missing: false,
            }
        } else {
            Split {
                feature,
                test: Test::Below(f64::from(get(&conditions)? as f32)),
                left,
                right,
                missing_left: default_left,
                zero_is_missing: false,
            }
        };
        spec.nodes.push(NodeSpec::Split(split));
    }
    Ok((spec, width))
}

/// Sets of the categorical splits by node, in ascending order of the nodes.
fn categories(tree: &Document) -> Result<Vec<(usize, CategorySet)>, String> {
    /// Categories are numbered from 0; XGBoost itself goes no further.
    const MAX_CATEGORY: f64 = 16_777_216.0;
    let numbers = |name: &str| tree.get(name).and_then(Document::numbers).unwrap_or_default();
    let (nodes, starts, sizes, all) = (
        numbers("categories_nodes"),
        numbers("categories_segments"),
        numbers("categories_sizes"),
        numbers("categories"),
    );
    nodes
        .iter()
        .zip(starts.iter().zip(&sizes))
        .map(|(&node, (&start, &size))| {
            let set = all
                .get(start as usize..(start as usize).saturating_add(size as usize))
                .ok_or("categories of a split are missing")?;
            if set.iter().any(|category| !(0.0..MAX_CATEGORY).contains(category)) {
                return Err("a category out of range".to_owned());
            }
            Ok((
                node as usize,
                CategorySet::from_categories(set.iter().map(|&category| category as u32)),
            ))
        })
        .collect()
}

/// A model folder of the `xgboost` flavor.
#[derive(Debug)]
pub(crate) struct XgboostModel {
    booster: Booster,
    /// `XGBClassifier` answers classes, all others what the booster predicts.
    classifier: bool,
}

impl XgboostModel {
    pub(crate) fn new(bytes: &[u8], model_class: &str) -> Result<Self> {
        let wrapped = model_class.contains(".sklearn.");
        Ok(Self {
            booster: Booster::parse(bytes, wrapped)?,
            classifier: wrapped && model_class.ends_with("Classifier"),
        })
    }
}

impl Predictor for XgboostModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let arranged = match self.booster.names.as_slice() {
            [] => Cow::Borrowed(input),
            names => Input::arranged(input, names)?,
        };
        let input = Input::new(&arranged);
        let (predictions, width) = self.booster.predict_rows(&input.rows_f32()?, input.width())?;
        if self.classifier && self.booster.is_multilabel() {
            // XGBoost marks the labels in a table of doubles.
            let present = predictions.iter().map(|&x| f64::from(u8::from(x > 0.5)));
            let values: ArrayRef = Arc::new(Float64Array::from_iter_values(present));
            return Ok(Prediction::Matrix { values, width });
        }
        if self.classifier {
            let chosen = self.booster.classes(&predictions, width);
            return Ok(Prediction::Column(Arc::new(Int64Array::from_iter_values(
                chosen.into_iter().map(|at| at as i64),
            ))));
        }
        let values: ArrayRef = Arc::new(Float32Array::from(predictions));
        Ok(if width == 1 {
            Prediction::Column(values)
        } else {
            Prediction::Matrix { values, width }
        })
    }

    fn size_bytes(&self) -> usize {
        self.booster.size_bytes()
    }
}
