//! The booster: trees over bytes or numbers, and what their sums mean.

use std::sync::OnceLock;

use super::answer::{Answer, Class, Purpose};
use super::binary;
use super::bins::{Asked, Bins, Split};
use super::file::{File, Shape, Trees, malformed, unsupported};
use super::forest::{self, Question};
use super::json;
use super::rows::{BLOCK, Columns, Given, Rows};
use super::symmetric::Symmetric;
use crate::contributions::{Contributions, check_cells};
use crate::document::parse_json;
use crate::explanation::Explained;
use crate::labels::Labels;
use crate::predictor::unexplained;
use crate::tree::{ExplainedRows, Forest, LazyExplainer, Test};
use crate::{Error, Result};

/// A booster.
#[derive(Debug)]
pub(crate) struct Booster {
    columns: Columns,
    bins: Bins,
    walk: Walk,
    scale: f64,
    bias: Vec<f64>,
    purpose: Purpose,
    explainer: LazyExplainer<f32>,
}

/// How trees are walked.
#[derive(Debug)]
enum Walk {
    /// Symmetric ones, with what explains them: made when it is asked for first, of splits of numbers.
    Symmetric {
        symmetric: Symmetric,
        trees: Trees,
        asked: Option<Vec<Question>>,
        forest: OnceLock<Result<Forest<f32, f64>, String>>,
    },
    /// Others that ask for numbers alone.
    Numbers(Forest<f32, f64>),
    /// Others that ask for categories, of which there are bytes.
    Bytes(Forest<f32, f64>),
}

impl Booster {
    /// Reads a file of either format.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(binary::MAGIC) {
            return Self::new(binary::read(bytes)?);
        }
        if bytes.is_empty() {
            return Err(malformed("it is empty"));
        }
        if bytes.first() != Some(&b'{') {
            return Err(Error::Unsupported {
                what: "a CatBoost model that is neither cbm nor JSON".to_owned(),
                hint: "save it again: model.save_model(FILE, format=\"cbm\")".to_owned(),
            });
        }
        let text = std::str::from_utf8(bytes).map_err(malformed)?;
        Self::new(json::read(&parse_json(text).map_err(malformed)?)?)
    }

    pub(super) fn new(mut file: File) -> Result<Self> {
        let (bins, asked) = Bins::new(&mut file)?;
        let purpose = Purpose::read(&file)?;
        let columns = Columns::new(&file);
        let trees = std::mem::take(&mut file.trees);
        let outputs = file.outputs();
        let of_numbers: Option<Vec<Question>> = asked.iter().map(number_question).collect();
        let walk = if matches!(trees.shape, Shape::Symmetric) {
            let split = |&number: &u32| asked.get(number as usize).map(|asked| asked.split);
            let splits: Option<Vec<Split>> = trees.splits.iter().map(split).collect();
            let splits = splits.ok_or_else(|| malformed("a split that does not exist"))?;
            let symmetric = Symmetric::new(splits);
            Walk::Symmetric { symmetric, trees, asked: of_numbers, forest: OnceLock::new() }
        } else if let Some(numbers) = of_numbers {
            let ask = |split: u32| numbers.get(split as usize).cloned();
            Walk::Numbers(forest::build(&trees, outputs, usize::MAX, ask)?)
        } else {
            let ask = |split: u32| asked.get(split as usize).map(byte_question);
            Walk::Bytes(forest::build(&trees, outputs, bins.buckets(), ask)?)
        };
        let File { scale, bias, .. } = file;
        let explainer = LazyExplainer::default();
        Ok(Self { columns, bins, walk, scale, bias, purpose, explainer })
    }

    /// The labels of classes; none of a model without them.
    pub(crate) fn labels(&self) -> Option<&Labels> {
        self.purpose.labels()
    }

    /// Whether each output is a label of its own, present or not.
    pub(crate) fn is_several(&self) -> bool {
        self.purpose.is_several()
    }

    /// The class that is trained with such a loss.
    pub(crate) fn class(&self) -> Class {
        self.purpose.class()
    }

    /// Refuses a class that cannot answer.
    pub(crate) fn check_class(&self, class: Class) -> Result<()> {
        if class == Class::Classifier && self.labels().is_none() {
            return Err(unsupported("a classifier without classes"));
        }
        Ok(())
    }

    /// Refuses a model that does not know how probable its classes are.
    pub(crate) fn check_probabilities(&self) -> Result<()> {
        self.purpose.check_probabilities()
    }

    /// Whether training had categories, which may be texts.
    pub(crate) fn takes_text(&self) -> bool {
        self.columns.take_text()
    }

    /// Whether it looks at more of a column than its numbers.
    pub(crate) fn takes_frame(&self) -> bool {
        self.columns.take_text() || self.columns.have_names()
    }

    /// Whether training had categories.
    pub(crate) fn takes_categories(&self) -> bool {
        self.columns.take_text()
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// What a class answers to rows.
    pub(super) fn predict(&self, class: Class, rows: &Rows<'_>) -> Answer {
        self.purpose.predict(class, self.sums(rows), self.outputs())
    }

    /// How probable each class is, and how many there are.
    pub(super) fn probabilities(&self, rows: &Rows<'_>) -> (Vec<f64>, usize) {
        self.purpose.probabilities(self.sums(rows), self.outputs())
    }

    /// What a class answers to the table of a pipeline.
    pub(crate) fn predict_given(&self, class: Class, given: Given<'_>) -> Result<Answer> {
        Ok(self.predict(class, &self.columns.of(given)?))
    }

    /// How probable the classes of the table of a pipeline are, and how many there are.
    pub(crate) fn probabilities_given(&self, given: Given<'_>) -> Result<(Vec<f64>, usize)> {
        Ok(self.probabilities(&self.columns.of(given)?))
    }

    /// What the columns of the table of a pipeline give to the sums.
    pub(crate) fn explain_given(
        &self,
        class: Class,
        (given, width): (Given<'_>, usize),
        background: Option<Given<'_>>,
    ) -> Result<Contributions> {
        let rows = self.columns.of(given)?;
        let background = background.map(|given| self.columns.of(given)).transpose()?;
        self.explain(class, (&rows, width), background.as_ref())
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The sums of trees with scale and bias.
    fn sums(&self, rows: &Rows<'_>) -> Vec<f64> {
        let outputs = self.outputs();
        let mut sums = vec![0.0; rows.count * outputs];
        match &self.walk {
            Walk::Numbers(forest) if rows.width == 0 => {
                // Trees of one leaf, which look at nothing.
                forest.add_to(&vec![0.0; rows.count], 1, &mut sums);
            }
            Walk::Numbers(forest) => forest.add_to(&rows.numbers, rows.width, &mut sums),
            Walk::Symmetric { symmetric, trees, .. } => {
                self.for_each_block(rows, &mut sums, |bins, _, sums| {
                    symmetric.add_to(trees, bins, outputs, sums);
                });
            }
            Walk::Bytes(forest) => {
                let mut numbers = Vec::new();
                self.for_each_block(rows, &mut sums, |bins, count, sums| {
                    numbers.clear();
                    for row in 0..count {
                        let bytes = bins.iter().skip(row).step_by(count);
                        numbers.extend(bytes.map(|&byte| f32::from(byte)));
                    }
                    forest.add_to(&numbers, self.bins.buckets(), sums);
                });
            }
        }
        if self.scale != 1.0 || self.bias.iter().any(|&bias| bias != 0.0) {
            for sums in sums.chunks_exact_mut(outputs) {
                for (sum, bias) in sums.iter_mut().zip(&self.bias) {
                    *sum = self.scale * *sum + bias;
                }
            }
        }
        sums
    }

    /// Calls `add(bytes, rows, sums)` for the rows in blocks.
    fn for_each_block(
        &self,
        rows: &Rows<'_>,
        sums: &mut [f64],
        mut add: impl FnMut(&[u8], usize, &mut [f64]),
    ) {
        let mut bins = Vec::new();
        let blocks = sums.chunks_mut(BLOCK * self.outputs()).zip((0..).step_by(BLOCK));
        for (sums, first) in blocks {
            let count = sums.len() / self.outputs();
            self.bins.fill(rows, first, count, &mut bins);
            add(&bins, count, sums);
        }
    }

    /// What each of `width` columns gives to the sums.
    pub(super) fn explain(
        &self,
        class: Class,
        (rows, width): (&Rows<'_>, usize),
        background: Option<&Rows<'_>>,
    ) -> Result<Contributions> {
        check_cells(rows.count, self.outputs(), width)?;
        let explained = if self.purpose.answers_sums(class) {
            Explained::Prediction
        } else {
            Explained::Margin
        };
        let forest = self.explained_forest()?;
        if rows.width == 0 {
            return Err(unexplained("CatBoost's trees that look at no column"));
        }
        let background = background.map(|rows| &*rows.numbers);
        let of = ExplainedRows { rows: &rows.numbers, background, width: rows.width };
        let answer = self.explainer.explain(forest, of);
        let own = Contributions::of_forest(explained, rows.width, answer, "CatBoost's trees")?;
        own.times(self.scale).on(&self.bias).by_origin(&rows.origins, width)
    }

    /// The trees over numbers, if they ask for nothing else.
    fn explained_forest(&self) -> Result<&Forest<f32, f64>> {
        let of_categories = || unexplained("CatBoost's trees over categories");
        match &self.walk {
            Walk::Numbers(forest) => Ok(forest),
            Walk::Bytes(_) => Err(of_categories()),
            Walk::Symmetric { trees, asked, forest, .. } => {
                let asked = asked.as_ref().ok_or_else(of_categories)?;
                let made = forest.get_or_init(|| {
                    let ask = |split: u32| asked.get(split as usize).cloned();
                    let made = forest::build(trees, self.outputs(), usize::MAX, ask);
                    made.map_err(|error| error.to_string())
                });
                made.as_ref().map_err(|reason| unexplained(&format!("CatBoost's trees: {reason}")))
            }
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let walk = match &self.walk {
            Walk::Numbers(forest) | Walk::Bytes(forest) => forest.size_bytes(),
            Walk::Symmetric { symmetric, trees, forest, .. } => {
                let explained = forest.get().and_then(|forest| forest.as_ref().ok());
                symmetric.size_bytes()
                    + size_of_val(trees.leaves.as_slice())
                    + size_of_val(trees.weights.as_slice())
                    + size_of_val(trees.splits.as_slice())
                    + explained.map_or(0, Forest::size_bytes)
            }
        };
        size_of::<Self>() + walk + self.bins.size_bytes() + self.explainer.size_bytes()
    }
}

/// A split of a number, as the engine asks it of the numbers of rows.
fn number_question(asked: &Asked) -> Option<Question> {
    let (column, border, missing_holds) = asked.float?;
    Some(Question {
        column: column as u32,
        test: Test::AtMost(f64::from(border)),
        passing_holds: false,
        missing_holds,
    })
}

/// A split as the engine asks it of the bytes of rows.
fn byte_question(asked: &Asked) -> Question {
    let Split { bucket, at_least, flip } = asked.split;
    let (test, passing_holds) = if flip == 0 {
        (Test::AtMost(f64::from(at_least) - 1.0), false)
    } else {
        (Test::Equals(f64::from(!flip)), true)
    };
    Question { column: bucket, test, passing_holds, missing_holds: false }
}
