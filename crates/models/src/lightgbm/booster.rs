//! The booster: a forest, and what its sums mean.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};

use super::categories;
use super::linear::LinearLeaves;
use super::objective::Objective;
use super::text::{Text, malformed};
use super::tree;
use crate::categories::TextCategories;
use crate::contributions::{Contributions, check_cells};
use crate::explanation::Explained;
use crate::input::{Input, check_width, rows_f64};
use crate::predictor::unexplained;
use crate::tree::{ExplainedRows, Forest, LazyExplainer};
use crate::{Error, Explanation, Prediction, Predictor, Result};

/// LightGBM takes values up to this size for zero before it looks at any tree.
const ZERO: f64 = 1e-35_f32 as f64;

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
    /// Texts of the features that were categories of pandas.
    categories: TextCategories,
    explainer: LazyExplainer<f64>,
}

impl Booster {
    /// Reads the text. `rounds` keeps only the first boosting rounds.
    pub(crate) fn parse(text: &str, rounds: Option<usize>) -> Result<Self> {
        let text = Text::read(text)?;
        let (outputs, features) = (text.outputs, text.features);
        let objective =
            Objective::read(text.header.text("objective").unwrap_or_default(), outputs)?;
        let mut linear = None;
        for tree in &text.trees {
            if tree.is_linear()? {
                linear = Some(LinearLeaves::default());
            }
        }
        let mut specs = Vec::with_capacity(text.trees.len());
        for (number, tree) in text.trees.iter().enumerate() {
            let in_tree = |error: Error| malformed(format!("tree {number}: {error}"));
            let mut spec = tree::read(tree).map_err(in_tree)?;
            spec.target = (number % outputs) as u32;
            if let Some(linear) = &mut linear {
                linear.take_over(tree, &mut spec, features).map_err(in_tree)?;
            }
            specs.push(spec);
        }
        specs.truncate(rounds.map_or(usize::MAX, |rounds| rounds.saturating_mul(outputs)));
        let forest = Forest::build(&specs, features, 1, outputs).map_err(malformed)?;
        let averaged = text.header.has("average_output");
        let divide = if averaged { (specs.len() / outputs).max(1) as f64 } else { 1.0 };
        let categories = categories::read(&text);
        let explainer = LazyExplainer::default();
        Ok(Self { forest, linear, objective, divide, features, outputs, categories, explainer })
    }

    /// Texts of the features that were categories of pandas.
    pub(crate) fn categories(&self) -> &TextCategories {
        &self.categories
    }

    /// Predictions of all rows and how many each row has.
    pub(crate) fn predict_rows(&self, rows: &[f64], width: usize) -> Result<(Vec<f64>, usize)> {
        let (mut sums, outputs) = self.raw_rows(rows, width)?;
        self.objective.apply(&mut sums, outputs);
        Ok((sums, outputs))
    }

    /// The same before the objective makes predictions of the sums.
    pub(crate) fn raw_rows(&self, rows: &[f64], width: usize) -> Result<(Vec<f64>, usize)> {
        check_width(width, self.features)?;
        let rows = cleaned(rows);
        let rows = &*rows;
        let mut sums = vec![0.0; rows.len() / width.max(1) * self.outputs];
        match &self.linear {
            None => self.forest.add_to(rows, width, &mut sums),
            Some(linear) => {
                for (row, sums) in
                    rows.chunks_exact(width.max(1)).zip(sums.chunks_exact_mut(self.outputs))
                {
                    self.forest.for_each_leaf(row, |tree, leaf| {
                        let value = leaf.first().and_then(|&leaf| linear.value(tree, leaf, row));
                        if let Some((target, value)) = value
                            && let Some(sum) = sums.get_mut(target)
                        {
                            *sum += value;
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

    /// What each column gives to the raw sums.
    pub(crate) fn explain(
        &self,
        rows: &[f64],
        background: Option<&[f64]>,
        width: usize,
    ) -> Result<Contributions> {
        check_width(width, self.features)?;
        if self.linear.is_some() {
            return Err(unexplained("LightGBM's linear trees"));
        }
        check_cells(rows.len() / width.max(1), self.outputs, width)?;
        let explained = match self.objective {
            Objective::Identity => Explained::Prediction,
            _ => Explained::Margin,
        };
        let (rows, background) = (cleaned(rows), background.map(cleaned));
        let rows = ExplainedRows { rows: &rows, background: background.as_deref(), width };
        let answer = self.explainer.explain(&self.forest, rows);
        let contributions = Contributions::of_forest(explained, width, answer, "LightGBM's trees")?;
        Ok(contributions.times(1.0 / self.divide))
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.forest.size_bytes() + self.explainer.size_bytes()
    }
}

/// The values with those that LightGBM takes for zero set to it.
fn cleaned(rows: &[f64]) -> Cow<'_, [f64]> {
    let is_tiny = |x: f64| x != 0.0 && x.abs() <= ZERO;
    if rows.iter().any(|&x| is_tiny(x)) {
        Cow::Owned(rows.iter().map(|&x| if is_tiny(x) { 0.0 } else { x }).collect())
    } else {
        Cow::Borrowed(rows)
    }
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
        let numbered = self.0.categories.numbered(Cow::Borrowed(input))?;
        let (rows, width) = rows_f64(&numbered)?;
        let (predictions, width) = self.0.predict_rows(&rows, width)?;
        let values: ArrayRef = Arc::new(Float64Array::from(predictions));
        Ok(if width == 1 {
            Prediction::Column(values)
        } else {
            Prediction::Matrix { values, width }
        })
    }

    fn explain(
        &self,
        input: &RecordBatch,
        background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        let rows = input.num_rows();
        let numbered = self.0.categories.numbered(Cow::Borrowed(input))?;
        let background = match background {
            Some(rows) => {
                Some(rows_f64(self.0.categories.numbered(Cow::Borrowed(rows))?.as_ref())?.0)
            }
            None => None,
        };
        let (values, width) = rows_f64(&numbered)?;
        let contributions = self.0.explain(&values, background.as_deref(), width)?;
        Ok(contributions.named(rows, Input::new(&numbered).names(), &[]))
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}
