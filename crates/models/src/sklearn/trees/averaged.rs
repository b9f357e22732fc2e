//! Decision trees and forests: the mean of the trees' values.

use std::sync::Arc;

use super::super::data::{Classes, Matrix, Missing, Output, Table};
use super::super::estimator::{Estimator, Fields, arg_max, class_lists};
use super::super::reader::{Boxed, Reader};
use super::raw::{RawTree, build, check_members, feature_count, singles};
use crate::contributions::{Contributions, check_cells};
use crate::explanation::Explained;
use crate::tree::{ExplainedRows, Forest, LazyExplainer};
use crate::{Error, Result};

pub(in super::super) const READERS: &[Reader] = &[Reader::new(
    "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor \
         RandomForestClassifier RandomForestRegressor ExtraTreesClassifier \
         ExtraTreesRegressor",
    |fields, _| averaged(fields),
)
.note("several outputs")];

/// One output has one list of classes, several outputs have several.
#[derive(Debug)]
struct Averaged {
    forest: Forest<f32, f64>,
    features: usize,
    /// Empty for regression.
    classes: Vec<Arc<Classes>>,
    /// Values a tree has for each output: that of the output with the most classes.
    per_output: usize,
    /// A single tree is not divided by 1, so that values stay as they are.
    trees: f64,
    explainer: LazyExplainer<f32>,
}

fn averaged(fields: Fields<'_>) -> Result<Boxed> {
    let is_classifier = fields.name().ends_with("Classifier");
    let classes = if is_classifier { class_lists(fields)? } else { Vec::new() };
    let members = match fields.optional("estimators_") {
        Some(_) => fields.items("estimators_")?,
        None => vec![fields.0],
    };
    let mut specs = Vec::with_capacity(members.len());
    let (mut width, mut outputs) = (0, 1);
    for member in &members {
        let member = Fields(*member);
        let raw = RawTree::read(member)?;
        if !specs.is_empty() && (width, outputs) != (raw.per_node, raw.outputs) {
            return Err(fields.malformed("trees of different shapes"));
        }
        (width, outputs) = (raw.per_node, raw.outputs);
        specs.push(if is_classifier {
            raw.spec(member, |node| raw.shares(node))?
        } else {
            raw.spec(member, |node| raw.value(node).to_vec())?
        });
    }
    let per_output = width / outputs.max(1);
    let most = classes.iter().map(|classes| classes.len()).max().unwrap_or(0);
    if is_classifier && (classes.len() != outputs || most != per_output) {
        return Err(fields.malformed(format!(
            "{outputs} outputs of {per_output} values for {} lists of {most} classes at most",
            classes.len()
        )));
    }
    if fields.optional("estimators_").is_some() {
        check_members(fields, "n_estimators", members.len())?;
    }
    let features = feature_count(fields)?;
    Ok(Box::new(Averaged {
        forest: build(fields, &specs, features, width, width)?,
        features,
        classes,
        per_output,
        trees: members.len() as f64,
        explainer: LazyExplainer::default(),
    }))
}

/// Trees take missing numbers, but not in rows of mostly zeros.
fn check_sparse(x: &Table) -> Result<()> {
    if matches!(x, Table::Sparse(_)) { x.check_numbers(Missing::Refused) } else { Ok(()) }
}

impl Averaged {
    fn means(&self, x: &Table) -> Result<Matrix> {
        check_sparse(x)?;
        let width = self.forest.outputs();
        let mut sums = Matrix::zeros(x.rows(), width)?;
        for block in x.blocks() {
            let (first, x) = block?;
            x.check_width(self.features)?;
            let sums = sums.values.get_mut(first * width..(first + x.rows) * width);
            self.forest.add_to(&singles(&x)?, x.columns, sums.unwrap_or_default());
        }
        if self.trees > 1.0 {
            sums.values.iter_mut().for_each(|sum| *sum /= self.trees);
        }
        Ok(sums)
    }

    fn explained(&self, x: &Table, background: Option<&Table>) -> Result<Contributions> {
        let explained =
            if self.classes.is_empty() { Explained::Prediction } else { Explained::Probability };
        check_sparse(x)?;
        let matrix = x.matrix()?;
        matrix.check_width(self.features)?;
        check_cells(matrix.rows, self.forest.outputs(), matrix.columns)?;
        let background = background.map(|rows| singles(rows.matrix()?.as_ref())).transpose()?;
        let rows = singles(&matrix)?;
        let of =
            ExplainedRows { rows: &rows, background: background.as_deref(), width: matrix.columns };
        let answer = self.explainer.explain(&self.forest, of);
        let sums = Contributions::of_forest(explained, of.width, answer, "scikit-learn's trees")?;
        Ok(sums.times(1.0 / self.trees.max(1.0)))
    }
}

impl Estimator for Averaged {
    fn predict(&self, x: &Table) -> Result<Output> {
        let means = self.means(x)?;
        Ok(match self.classes.as_slice() {
            [] if means.columns == 1 => Output::Values(means.values),
            [] => Output::Table(means),
            [classes] => {
                Output::Labels(means.each_row().map(arg_max).collect(), Arc::clone(classes))
            }
            several => {
                let labels = several.iter().enumerate().map(|(output, classes)| {
                    let start = output * self.per_output;
                    let shares = |row: &[f64]| {
                        arg_max(row.get(start..start + classes.len()).unwrap_or_default())
                    };
                    (means.each_row().map(shares).collect(), Arc::clone(classes))
                });
                Output::ManyLabels(labels.collect())
            }
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        if self.classes.len() == 1 {
            return self.means(x);
        }
        Err(Error::Input(
            "a regressor or a model of several outputs has no table of probabilities".into(),
        ))
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        Some(self.explained(x, background))
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        match self.classes.as_slice() {
            [classes] => Some(classes),
            _ => None,
        }
    }

    fn has_proba(&self) -> bool {
        self.classes.len() == 1
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes() + self.explainer.size_bytes()
    }
}
