//! LightGBM's text models: all objectives, categories, kinds of missing values, linear leaves.
//!
//! LightGBM computes in `f64`, and so does this.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};

use crate::input::Input;
use crate::tree::{CategorySet, Forest, NodeSpec, Split, Test, TreeSpec};
use crate::{Error, Prediction, Predictor, Result};

/// LightGBM takes values up to this size for zero before it looks at any tree.
const ZERO: f64 = 1e-35_f32 as f64;

/// Classes of one model.
const MAX_OUTPUTS: usize = 100_000;

/// A booster.
#[derive(Debug)]
pub(crate) struct Booster {
    forest: Forest<f64, f64>,
    /// For linear trees: what each leaf adds, by the number that the forest holds as its value.
    linear: Option<LinearLeaves>,
    objective: Objective,
    /// Sums are divided by this (random forests).
    divide: f64,
    features: usize,
    outputs: usize,
}

#[derive(Debug, Default)]
struct LinearLeaves {
    targets: Vec<usize>,
    leaves: Vec<LinearLeaf>,
}

#[derive(Debug)]
struct LinearLeaf {
    /// The answer where a feature is missing.
    plain: f64,
    constant: f64,
    terms: Vec<(usize, f64)>,
}

#[derive(Debug, Clone, Copy)]
enum Objective {
    Identity,
    /// `1 / (1 + exp(-s x))`
    Sigmoid(f64),
    Softmax,
    Exp,
    /// The target was its root.
    Square,
    /// `log(1 + exp(x))`
    Softplus,
}

fn malformed(reason: impl std::fmt::Display) -> Error {
    Error::Malformed { file: "the LightGBM model".to_owned(), reason: reason.to_string() }
}

impl Objective {
    fn read(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let sigmoid = || {
            words.iter().find_map(|word| word.strip_prefix("sigmoid:")?.parse().ok()).unwrap_or(1.0)
        };
        Ok(match name {
            // Of these all but huber take `reg_sqrt`, and say so.
            "regression" | "regression_l1" | "regression_l2" | "fair" | "quantile" | "mape"
                if words.contains(&"sqrt") =>
            {
                Self::Square
            }
            "" | "custom" | "none" | "regression" | "regression_l1" | "regression_l2" | "huber"
            | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg" => Self::Identity,
            "binary" | "multiclassova" => Self::Sigmoid(sigmoid()),
            "cross_entropy" => Self::Sigmoid(1.0),
            "cross_entropy_lambda" => Self::Softplus,
            "multiclass" => Self::Softmax,
            "poisson" | "gamma" | "tweedie" => Self::Exp,
            other => {
                return Err(Error::Unsupported {
                    what: format!("LightGBM's objective {other:?}"),
                    hint: "the built-in objectives are; serve the model with Python workers"
                        .to_owned(),
                });
            }
        })
    }

    fn apply(self, sums: &mut [f64], outputs: usize) {
        let each: &dyn Fn(f64) -> f64 = match self {
            Self::Identity => return,
            Self::Sigmoid(s) => &move |x| 1.0 / (1.0 + (-s * x).exp()),
            Self::Exp => &f64::exp,
            Self::Square => &|x| x.signum() * x * x,
            Self::Softplus => &|x| x.exp().ln_1p(),
            Self::Softmax => {
                for row in sums.chunks_exact_mut(outputs.max(1)) {
                    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let mut sum = 0.0;
                    for x in row.iter_mut() {
                        *x = (*x - max).exp();
                        sum += *x;
                    }
                    for x in row.iter_mut() {
                        *x /= sum;
                    }
                }
                return;
            }
        };
        for x in sums.iter_mut() {
            *x = each(*x);
        }
    }
}

/// `key=value` lines of one section.
struct Section<'a>(HashMap<&'a str, &'a str>);

impl<'a> Section<'a> {
    fn new(lines: impl Iterator<Item = &'a str>) -> Self {
        Self(
            lines
                .map(|line| line.split_once('=').unwrap_or((line, "")))
                .map(|(key, value)| (key.trim(), value.trim()))
                .collect(),
        )
    }

    fn text(&self, key: &str) -> Result<&'a str> {
        self.0.get(key).copied().ok_or_else(|| malformed(format!("{key} is missing")))
    }

    fn count(&self, key: &str) -> Result<usize> {
        self.text(key)?.parse().map_err(|_| malformed(format!("{key} is no count")))
    }

    fn numbers<T: std::str::FromStr>(&self, key: &str) -> Result<Vec<T>> {
        let words = self.0.get(key).copied().unwrap_or_default().split_whitespace();
        words
            .map(|word| {
                word.parse().map_err(|_| malformed(format!("{key}: {word:?} is no number")))
            })
            .collect()
    }
}

impl Booster {
    /// Reads the text. `rounds` keeps only the first boosting rounds.
    pub(crate) fn parse(text: &str, rounds: Option<usize>) -> Result<Self> {
        if text.lines().next().map(str::trim) != Some("tree") {
            return Err(malformed("the text does not begin with \"tree\""));
        }
        let body = text.split("\nend of trees").next().unwrap_or_default();
        let mut sections = body.split("\nTree=");
        let header = Section::new(sections.next().unwrap_or_default().lines());
        let outputs =
            header.count("num_tree_per_iteration").or_else(|_| header.count("num_class"))?;
        if outputs == 0 || outputs > MAX_OUTPUTS {
            return Err(malformed(format!("{outputs} trees in a round")));
        }
        let features = header.count("max_feature_idx")?.saturating_add(1);
        let objective = Objective::read(header.0.get("objective").copied().unwrap_or_default())?;
        let keep = rounds.map_or(usize::MAX, |rounds| rounds.saturating_mul(outputs));
        let trees: Vec<Section<'_>> =
            sections.take(keep).map(|section| Section::new(section.lines().skip(1))).collect();
        let any_linear = trees.iter().any(|tree| tree.0.get("is_linear") == Some(&"1"));
        let mut linear = any_linear.then(LinearLeaves::default);
        let mut specs = Vec::with_capacity(trees.len());
        for (number, tree) in trees.iter().enumerate() {
            let mut spec =
                tree_spec(tree).map_err(|error| malformed(format!("tree {number}: {error}")))?;
            spec.target = (number % outputs) as u32;
            if let Some(linear) = &mut linear {
                linear.take_over(tree, &mut spec, features)?;
            }
            specs.push(spec);
        }
        let averaged = header.0.contains_key("average_output");
        let divide = if averaged { (trees.len() / outputs).max(1) as f64 } else { 1.0 };
        let forest = Forest::build(&specs, features, 1, outputs).map_err(malformed)?;
        Ok(Self { forest, linear, objective, divide, features, outputs })
    }

    /// Predictions of all rows and how many each row has.
    pub(crate) fn predict_rows(&self, rows: &[f64], width: usize) -> Result<(Vec<f64>, usize)> {
        let (mut sums, outputs) = self.raw_rows(rows, width)?;
        self.objective.apply(&mut sums, outputs);
        Ok((sums, outputs))
    }

    /// The same before the objective makes predictions of the sums.
    pub(crate) fn raw_rows(&self, rows: &[f64], width: usize) -> Result<(Vec<f64>, usize)> {
        if width != self.features {
            return Err(Error::Input(format!(
                "the model takes {} columns, the input has {width}",
                self.features
            )));
        }
        let is_tiny = |x: f64| x != 0.0 && x.abs() <= ZERO;
        let cleaned: Vec<f64>;
        let rows = if rows.iter().any(|&x| is_tiny(x)) {
            cleaned = rows.iter().map(|&x| if is_tiny(x) { 0.0 } else { x }).collect();
            &cleaned
        } else {
            rows
        };
        let mut sums = vec![0.0; rows.len() / width.max(1) * self.outputs];
        match &self.linear {
            None => self.forest.add_to(rows, width, &mut sums),
            Some(linear) => {
                for (row, sums) in
                    rows.chunks_exact(width.max(1)).zip(sums.chunks_exact_mut(self.outputs))
                {
                    self.forest.for_each_leaf(row, |tree, leaf| {
                        let leaf =
                            leaf.first().and_then(|&number| linear.leaves.get(number as usize));
                        let target =
                            linear.targets.get(tree).and_then(|&target| sums.get_mut(target));
                        if let (Some(leaf), Some(sum)) = (leaf, target) {
                            *sum += leaf.value(row);
                        }
                    });
                }
            }
        }
        if self.divide != 1.0 {
            for sum in &mut sums {
                *sum /= self.divide;
            }
        }
        Ok((sums, self.outputs))
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.forest.size_bytes()
    }
}

impl LinearLeaves {
    /// Replaces the values of a tree by the numbers of its leaves here.
    fn take_over(
        &mut self,
        tree: &Section<'_>,
        spec: &mut TreeSpec<f64>,
        features: usize,
    ) -> Result<()> {
        self.targets.push(spec.target as usize);
        let constants: Vec<f64> = tree.numbers("leaf_const")?;
        let counts: Vec<usize> = tree.numbers("num_features")?;
        let mut columns = tree.numbers::<usize>("leaf_features")?.into_iter();
        let mut coefficients = tree.numbers::<f64>("leaf_coeff")?.into_iter();
        for (at, value) in spec.values.iter_mut().enumerate() {
            let terms: Vec<(usize, f64)> = columns
                .by_ref()
                .zip(coefficients.by_ref())
                .take(counts.get(at).copied().unwrap_or(0))
                .collect();
            if terms.iter().any(|(column, _)| *column >= features) {
                return Err(malformed("a linear leaf takes a column that does not exist"));
            }
            let constant = constants.get(at).copied().unwrap_or(*value);
            self.leaves.push(LinearLeaf { plain: *value, constant, terms });
            *value = (self.leaves.len() - 1) as f64;
        }
        Ok(())
    }
}

impl LinearLeaf {
    fn value(&self, row: &[f64]) -> f64 {
        let mut sum = self.constant;
        for &(column, coefficient) in &self.terms {
            let x = row.get(column).copied().unwrap_or(f64::NAN);
            if x.is_nan() {
                return self.plain;
            }
            sum += x * coefficient;
        }
        sum
    }
}

fn tree_spec(tree: &Section<'_>) -> Result<TreeSpec<f64>> {
    /// Bits of `decision_type`.
    const CATEGORICAL: u8 = 1;
    const DEFAULT_LEFT: u8 = 2;
    const MISSING_ZERO: u8 = 1;
    const MISSING_NAN: u8 = 2;

    let values: Vec<f64> = tree.numbers("leaf_value")?;
    let features: Vec<u32> = tree.numbers("split_feature")?;
    let thresholds: Vec<f64> = tree.numbers("threshold")?;
    let decisions: Vec<u8> = tree.numbers("decision_type")?;
    let (left, right): (Vec<i64>, Vec<i64>) =
        (tree.numbers("left_child")?, tree.numbers("right_child")?);
    let boundaries: Vec<usize> = tree.numbers("cat_boundaries")?;
    let words: Vec<u32> = tree.numbers("cat_threshold")?;
    let splits = features.len();
    if values.len() != splits + 1
        || [thresholds.len(), decisions.len(), left.len(), right.len()]
            .iter()
            .any(|&len| len != splits)
    {
        return Err(malformed(format!("{} leaves and {splits} splits do not fit", values.len())));
    }
    // Inner nodes first, then the leaves: child -1 is leaf 0.
    let child = |child: i64| {
        u32::try_from(if child >= 0 { child } else { splits as i64 - child - 1 })
            .unwrap_or(u32::MAX)
    };
    let mut nodes = Vec::with_capacity(splits * 2 + 1);
    let every = features.iter().zip(&thresholds).zip(decisions.iter().zip(left.iter().zip(&right)));
    for ((&feature, &threshold), (&decision, (&left, &right))) in every {
        let default_left = decision & DEFAULT_LEFT != 0;
        let missing = decision >> 2 & 3;
        let split = Split {
            feature,
            test: Test::AtMost(threshold),
            left: child(left),
            right: child(right),
            missing_left: default_left,
            zero_is_missing: false,
        };
        nodes.push(NodeSpec::Split(if decision & CATEGORICAL != 0 {
            let set = threshold as usize;
            let range = boundaries.get(set).copied().zip(boundaries.get(set + 1).copied());
            let words = range
                .and_then(|(start, end)| words.get(start..end))
                .ok_or_else(|| malformed("categories of a split are missing"))?;
            // What is missing is in no set.
            Split {
                test: Test::Member(CategorySet { words: words.to_vec(), known: None }),
                missing_left: false,
                ..split
            }
        } else if missing == MISSING_ZERO {
            Split { zero_is_missing: true, ..split }
        } else if missing == MISSING_NAN {
            split
        } else {
            // No missing values were seen: they count as zero.
            Split { missing_left: 0.0 <= threshold, ..split }
        }));
    }
    nodes.extend((0..values.len() as u32).map(NodeSpec::Leaf));
    Ok(TreeSpec { nodes, values, target: 0 })
}

/// A model folder of the `lightgbm` flavor with a plain booster.
#[derive(Debug)]
pub(crate) struct LightgbmModel(Booster);

impl LightgbmModel {
    pub(crate) fn new(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("the text is not UTF-8"))?;
        Booster::parse(text, None).map(Self)
    }
}

impl Predictor for LightgbmModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let input = Input::new(input);
        let (predictions, width) = self.0.predict_rows(&input.rows_f64()?, input.width())?;
        let values: ArrayRef = Arc::new(Float64Array::from(predictions));
        Ok(if width == 1 {
            Prediction::Column(values)
        } else {
            Prediction::Matrix { values, width }
        })
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}
