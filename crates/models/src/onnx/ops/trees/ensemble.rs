//! An ensemble of ONNX as it is evaluated, with the rules that ONNX Runtime has for its scores.

use super::super::scores::{Labels, PostTransform, arg_max, logistic};
use crate::contributions::{Contributions, check_cells};
use crate::explanation::Explained;
use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor};
use crate::predictor::unexplained;
use crate::tree::{ExplainedRows, Forest, LazyExplainer, NodeSpec, Scalar, Split, Test, TreeSpec};
use crate::{Error, Result};

/// Numbers a row of inputs may have; wide enough for one-hot text.
const FEATURES_MAX: usize = 1 << 24;

/// Leaf vectors of one ensemble, in elements.
pub(super) const LEAF_VALUES_MAX: usize = 1 << 27;

/// An ensemble for inputs of `f32` and, where the graph has doubles, of `f64`.
#[derive(Debug)]
pub(super) struct Ensemble {
    single: Forest<f32, f32>,
    double: Option<Forest<f64, f64>>,
    aggregate: Aggregate,
    base_values: Vec<f64>,
    outputs: usize,
    explainer: LazyExplainer<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

impl Ensemble {
    pub(super) fn build(
        trees: Vec<TreeSpec<f64>>,
        leaf_width: usize,
        outputs: usize,
        base_values: Vec<f64>,
        aggregate: Aggregate,
        double: bool,
    ) -> Outcome<Self> {
        let double = if double {
            let forest = Forest::build(&trees, FEATURES_MAX, leaf_width, outputs);
            Some(forest.map_err(|error| error.to_string())?)
        } else {
            None
        };
        let single: Vec<TreeSpec<f32>> = trees
            .into_iter()
            .map(|tree| TreeSpec {
                nodes: tree.nodes,
                values: tree.values.into_iter().map(|x| x as f32).collect(),
                target: tree.target,
                unused: tree.unused,
                covers: tree.covers,
            })
            .collect();
        let single = Forest::build(&single, FEATURES_MAX, leaf_width, outputs)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            single,
            double,
            aggregate,
            base_values,
            outputs,
            explainer: LazyExplainer::default(),
        })
    }

    /// What each column gives to the scores, base values and all.
    fn explain(&self, inputs: &Inputs<'_>, explained: Explained) -> Result<Contributions> {
        let input = inputs.tensor(0).map_err(Error::Input)?;
        let (rows, width) = input.rows_and_columns().map_err(Error::Input)?;
        if matches!(self.aggregate, Aggregate::Min | Aggregate::Max) {
            return Err(unexplained("an ONNX graph's trees of which the least or most counts"));
        }
        if matches!(input.data, Data::F64(_)) {
            return Err(unexplained("an ONNX graph's trees for doubles"));
        }
        check_cells(rows, self.outputs, width)?;
        let values = input.data.to_f32().map_err(Error::Input)?;
        let rows = ExplainedRows { rows: &values, background: None, width };
        let answer = self.explainer.explain(&self.single, rows);
        let sums = Contributions::of_forest(explained, width, answer, "an ONNX graph's trees")?;
        let sums = match self.aggregate {
            Aggregate::Average => sums.times(1.0 / self.single.len().max(1) as f64),
            _ => sums,
        };
        Ok(sums.on(&self.base_values))
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
        self.single.size_bytes()
            + self.double.as_ref().map_or(0, Forest::size_bytes)
            + self.explainer.size_bytes()
    }
}

fn widened(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

fn narrowed(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

#[derive(Debug)]
pub(super) struct Regressor {
    pub(super) ensemble: Ensemble,
    pub(super) post: PostTransform,
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

    fn explain(&self, inputs: &Inputs<'_>) -> Option<Result<Contributions>> {
        let explained = match self.post {
            PostTransform::None => Explained::Prediction,
            _ => Explained::Margin,
        };
        Some(self.ensemble.explain(inputs, explained))
    }

    fn size_bytes(&self) -> usize {
        self.ensemble.size_bytes()
    }
}

#[derive(Debug)]
pub(super) struct Classifier {
    pub(super) ensemble: Ensemble,
    pub(super) labels: Labels,
    pub(super) post: PostTransform,
    /// Two classes of which only one has weights: the other's score follows.
    pub(super) one_score: bool,
    /// Whether class 1 of two has weights.
    pub(super) second_has_weights: bool,
    pub(super) all_positive: bool,
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

    fn explain(&self, inputs: &Inputs<'_>) -> Option<Result<Contributions>> {
        let explained = match self.post {
            PostTransform::None if self.all_positive => Explained::Probability,
            _ => Explained::Margin,
        };
        if self.labels.len() == 2 && self.ensemble.base_values.len() == 2 {
            return Some(Err(unexplained("an ONNX graph's trees with two base values")));
        }
        // Of two classes the score of the second says it all, wherever it stands.
        let second = usize::from(self.second_has_weights);
        let sums = self.ensemble.explain(inputs, explained);
        Some(sums.map(|sums| if self.one_score { sums.only(second) } else { sums }))
    }

    fn classes(&self) -> Vec<String> {
        self.labels.names()
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

/// A node with its two ways on, before opposites are swapped.
pub(super) struct Branch {
    pub(super) feature: u32,
    pub(super) yes: u32,
    pub(super) no: u32,
    pub(super) missing_yes: bool,
}

impl Branch {
    /// `swap` says that the test is the opposite of the file's. A missing value fails every comparison
    /// but `!=`, so without `missing_yes` it takes the way of the failed comparison.
    pub(super) fn split(self, test: Test, swap: bool) -> NodeSpec {
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
