//! XGBoost's and LightGBM's scikit-learn classes.

use std::borrow::Cow;
use std::sync::Arc;

use super::data::{Classes, Column, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, both};
use super::reader::{Boxed, Reader};
use crate::categories::TextCategories;
use crate::contributions::Contributions;
use crate::python::{Node, Value};
use crate::{Error, Result, lightgbm, xgboost};

pub(super) const READERS: &[Reader] = &[
    Reader::new(
        "XGBModel XGBClassifier XGBRegressor XGBRanker XGBRFClassifier XGBRFRegressor \
         LGBMModel LGBMClassifier LGBMRegressor LGBMRanker",
        |fields, _| load(fields, fields.value("_Booster")?),
    ),
    // `Booster` without a class of scikit-learn around it, which its package pickles as well.
    Reader::new(PLAIN, |fields, _| load(fields, fields.0)).note("of XGBoost and LightGBM"),
];

const PLAIN: &str = "Booster";

#[derive(Debug)]
struct Boosted {
    booster: Booster,
    /// Names that its columns must have; LightGBM goes by place.
    names: Vec<String>,
    classes: Option<Arc<Classes>>,
    /// LightGBM has `decision_function` since 4.7; what is stacked on a model was fitted to what it has.
    has_decision: bool,
}

#[derive(Debug)]
enum Booster {
    Xgboost {
        booster: xgboost::Booster,
        /// What stands for a missing value, beside NaN.
        missing: f32,
    },
    Lightgbm(lightgbm::Booster),
}

fn load(fields: Fields<'_>, own: Value<'_>) -> Result<Boxed> {
    let classifier = fields.name().ends_with("Classifier");
    let handle = own
        .get("handle")
        .or_else(|| own.get("_handle"))
        .ok_or_else(|| fields.malformed("the booster is empty"))?;
    if fields.0.class().is_some_and(|class| class.starts_with("xgboost.")) {
        let Some(bytes) = bytes(handle) else {
            return Err(fields.malformed("the booster holds no bytes"));
        };
        let trees = fields.optional("best_ntree_limit").and_then(Value::int);
        let trees = trees.and_then(|trees| usize::try_from(trees).ok()).filter(|&trees| trees > 0);
        let is_plain = fields.name() == PLAIN;
        let best = if is_plain { xgboost::Best::All } else { xgboost::Best::OfPickle(trees) };
        let booster = xgboost::Booster::parse(bytes, best)?;
        let numbers = || {
            let count = fields.count("n_classes_").unwrap_or(2).max(2);
            Arc::new(Classes::Integers((0..count as i64).collect(), 64))
        };
        // Before 1.6 an encoder knew the labels, unless it was told not to.
        let classes = match fields.optional("_le").filter(|_| classifier) {
            Some(encoder) => Some(Fields(encoder).classes("classes_")?),
            None => classifier.then(numbers),
        };
        let names = booster.names().names();
        let names = match own.get("feature_names").and_then(Value::items) {
            // Before 1.4 Python alone knew them.
            Some(items) if names.is_empty() => {
                items.iter().filter_map(|name| name.text().map(str::to_owned)).collect()
            }
            _ => names.to_vec(),
        };
        let missing = fields.optional("missing").and_then(Value::float).unwrap_or(f64::NAN);
        let booster = Booster::Xgboost { booster, missing: missing as f32 };
        return Ok(Box::new(Boosted { booster, names, classes, has_decision: false }));
    }
    let text = handle.text().ok_or_else(|| fields.malformed("the booster holds no text"))?;
    let best = own.get("best_iteration").and_then(Value::int).filter(|&best| best > 0);
    let booster = lightgbm::Booster::parse(text, best.map(|best| best as usize))?;
    let classes = if classifier { Some(fields.classes("_classes")?) } else { None };
    if let (Some(classes), Some(_)) = (&classes, fields.optional("_n_classes")) {
        fields.check_length("_classes", classes.len(), fields.count("_n_classes")?)?;
    }
    // The attribute came with the same version as the method.
    let has_decision = classifier && fields.0.get("_fitted_with_feature_names").is_some();
    let booster = Booster::Lightgbm(booster);
    Ok(Box::new(Boosted { booster, names: Vec::new(), classes, has_decision }))
}

/// The bytes of a `bytearray` or `bytes`.
pub(super) fn bytes(value: Value<'_>) -> Option<&[u8]> {
    match value.node() {
        Node::Bytes(bytes) => Some(bytes),
        _ => value.arguments().first().copied().and_then(bytes),
    }
}

impl Boosted {
    fn categories(&self) -> &TextCategories {
        match &self.booster {
            Booster::Xgboost { booster, .. } => booster.categories(),
            Booster::Lightgbm(booster) => booster.categories(),
        }
    }

    /// The table with the places of categories in place of them.
    fn numbered<'t>(&self, x: &'t Table) -> Result<Cow<'t, Table>> {
        let Table::Frame(frame) = x else { return Ok(Cow::Borrowed(x)) };
        if self.categories().is_empty() {
            return Ok(Cow::Borrowed(x));
        }
        let mut numbered = frame.clone();
        for (at, (column, name)) in numbered.columns.iter_mut().zip(&frame.names).enumerate() {
            let place = (at, name.as_str());
            let numbers = match column {
                Column::Text(texts) => {
                    self.categories().numbers(place, texts.iter().map(Option::as_deref))
                }
                Column::Numbers(values) => self.categories().places(place, values),
                Column::Mixed(_) | Column::Other(_) => None,
            };
            if let Some(numbers) = numbers {
                *column = Column::Numbers(numbers?);
            }
        }
        Ok(Cow::Owned(Table::Frame(numbered)))
    }

    fn answers(&self, x: &Table) -> Result<Matrix> {
        self.answers_by(x, xgboost::Booster::predict_rows)
    }

    /// What the booster answers; XGBoost's in one of its ways.
    fn answers_by(
        &self,
        x: &Table,
        way: impl Fn(&xgboost::Booster, &[f32], usize) -> Result<(Vec<f32>, usize)>,
    ) -> Result<Matrix> {
        let x = self.numbered(x)?;
        let x = &*x;
        let (values, width) = match &self.booster {
            Booster::Xgboost { booster, missing } => {
                let (rows, columns) = singles(x, *missing)?;
                let (values, width) = way(booster, &rows, columns)?;
                (values.into_iter().map(f64::from).collect(), width)
            }
            Booster::Lightgbm(booster) => {
                let x = x.matrix()?;
                booster.predict_rows(&x.values, x.columns)?
            }
        };
        Ok(Matrix::new(x.rows(), width, values))
    }

    fn explained(&self, x: &Table, background: Option<&Table>) -> Result<Contributions> {
        let x = self.numbered(x)?;
        let x = &*x;
        let background = background.map(|rows| self.numbered(rows)).transpose()?;
        let background = background.as_deref();
        match &self.booster {
            Booster::Xgboost { booster, missing } => {
                let (rows, columns) = singles(x, *missing)?;
                let background = background.map(|rows| singles(rows, *missing)).transpose()?;
                let background = background.as_ref().map(|(rows, _)| rows.as_slice());
                booster.explain(&rows, background, columns)
            }
            Booster::Lightgbm(booster) => {
                let x = x.matrix()?;
                let background = background.map(Table::matrix).transpose()?;
                let background = background.as_ref().map(|rows| rows.values.as_slice());
                booster.explain(&x.values, background, x.columns)
            }
        }
    }
}

/// Rows as XGBoost takes them, and how wide they are; NaN where `missing` or nothing is.
fn singles(x: &Table, missing: f32) -> Result<(Vec<f32>, usize)> {
    let x = match x {
        // XGBoost takes what is not there as missing, LightGBM as zero.
        Table::Sparse(sparse) => Cow::Owned(sparse.filled_with(f64::NAN)?),
        other => other.matrix()?,
    };
    let mut rows = x.to_f32();
    rows.iter_mut().filter(|x| **x == missing).for_each(|x| *x = f32::NAN);
    Ok((rows, x.columns))
}

impl Estimator for Boosted {
    fn fitted_names(&self) -> Option<Vec<String>> {
        Some(self.names.clone())
    }

    fn predict(&self, x: &Table) -> Result<Output> {
        let answers = self.answers(x)?;
        let Some(classes) = &self.classes else {
            return Ok(if answers.columns == 1 {
                Output::Values(answers.values)
            } else {
                Output::Table(answers)
            });
        };
        if let Booster::Xgboost { booster, .. } = &self.booster
            && booster.is_multilabel()
        {
            // XGBoost marks the labels in a table of doubles.
            let mut present = answers;
            present.values.iter_mut().for_each(|x| *x = f64::from(u8::from(*x > 0.5)));
            return Ok(Output::Table(present));
        }
        let chosen = match &self.booster {
            Booster::Xgboost { booster, .. } => booster.classes(
                &answers.values.iter().map(|&x| x as f32).collect::<Vec<_>>(),
                answers.columns,
            ),
            Booster::Lightgbm(_) => super::estimator::labels_of_scores(&answers, 0.5),
        };
        Ok(Output::Labels(chosen, Arc::clone(classes)))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let answers = self.answers_by(x, xgboost::Booster::probabilities)?;
        Ok(if answers.columns == 1 {
            both(answers.values.iter().copied(), answers.rows)
        } else {
            answers
        })
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let Booster::Lightgbm(booster) = &self.booster else {
            return Err(Error::Input("the model has no decision_function".into()));
        };
        let x = self.numbered(x)?;
        let matrix = x.matrix()?;
        let (values, width) = booster.raw_rows(&matrix.values, matrix.columns)?;
        Ok(Matrix::new(matrix.rows, width, values))
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        Some(self.explained(x, background))
    }

    fn has_decision(&self) -> bool {
        self.has_decision
    }

    fn takes_frame(&self) -> bool {
        !self.categories().is_empty()
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        match &self.booster {
            Booster::Xgboost { booster, .. } => booster.size_bytes(),
            Booster::Lightgbm(booster) => booster.size_bytes(),
        }
    }
}
