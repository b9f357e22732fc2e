//! A model folder of the `xgboost` flavor.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch};

use super::booster::{Best, Booster};
use crate::input::{Input, rows_f32};
use crate::{Error, Explanation, Prediction, Predictor, Result};

/// A model folder of the `xgboost` flavor.
#[derive(Debug)]
pub(crate) struct XgboostModel {
    booster: Booster,
    answers: Answers,
}

/// What a model makes of its booster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// Its predictions.
    Predictions,
    /// The classes that they are of, as `XGBClassifier` does.
    Classes,
    /// How probable each class is, as `XGBClassifier.predict_proba` says it.
    Probabilities,
}

impl XgboostModel {
    pub(crate) fn new(bytes: &[u8], model_class: &str) -> Result<Self> {
        let wrapped = model_class.contains(".sklearn.");
        let is_classifier = wrapped && model_class.ends_with("Classifier");
        Ok(Self {
            booster: Booster::parse(bytes, if wrapped { Best::OfFile } else { Best::All })?,
            answers: if is_classifier { Answers::Classes } else { Answers::Predictions },
        })
    }

    /// The same model, asked how probable each class is.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it knows no classes, or not how probable they are.
    pub(crate) fn probabilities(bytes: &[u8], model_class: &str) -> Result<Self> {
        let model = Self::new(bytes, model_class)?;
        let is_other = ["Regressor", "Ranker"].into_iter().any(|end| model_class.ends_with(end));
        if is_other || !model.booster.has_probabilities() {
            return Err(Error::Unsupported {
                what: "the probability of an XGBoost model of this class and objective".to_owned(),
                hint: "classifiers of logistic and multi-class objectives are asked for it"
                    .to_owned(),
            });
        }
        Ok(Self { answers: Answers::Probabilities, ..model })
    }

    fn probable(&self, rows: &[f32], width: usize) -> Result<Prediction> {
        let (probabilities, width) = self.booster.probabilities(rows, width)?;
        let (values, width) = if width == 1 {
            let both = probabilities.into_iter().flat_map(|p| [1.0 - p, p]);
            (both.collect::<Vec<f32>>(), 2)
        } else {
            (probabilities, width)
        };
        Ok(Prediction::Matrix { values: Arc::new(Float32Array::from(values)), width })
    }

    /// Rows as the booster takes them, and how wide they are; NaN where what stands for a missing value is.
    fn rows(&self, input: &RecordBatch) -> Result<(Vec<f32>, usize)> {
        let (mut rows, width) = rows_f32(input)?;
        let missing = self.booster.wrapper().missing;
        if !missing.is_nan() {
            rows.iter_mut().filter(|x| **x == missing).for_each(|x| *x = f32::NAN);
        }
        Ok((rows, width))
    }

    /// The columns in the order that the booster was trained with, categories as their numbers.
    fn arranged<'b>(&self, input: &'b RecordBatch) -> Result<Cow<'b, RecordBatch>> {
        self.booster.categories().numbered(self.booster.names().arrange(input)?)
    }
}

#[cfg(test)]
impl XgboostModel {
    /// A booster as it is, without a class of scikit-learn around it.
    pub(crate) fn plain(booster: Booster) -> Self {
        Self { booster, answers: Answers::Predictions }
    }
}

impl Predictor for XgboostModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let (rows, width) = self.rows(self.arranged(input)?.as_ref())?;
        if self.answers == Answers::Probabilities {
            return self.probable(&rows, width);
        }
        let (predictions, width) = self.booster.predict_rows(&rows, width)?;
        let is_classifier = self.answers == Answers::Classes;
        if is_classifier && self.booster.is_multilabel() {
            // XGBoost marks the labels in a table of doubles.
            let present = predictions.iter().map(|&x| f64::from(u8::from(x > 0.5)));
            let values: ArrayRef = Arc::new(Float64Array::from_iter_values(present));
            return Ok(Prediction::Matrix { values, width });
        }
        if is_classifier {
            let chosen = self.booster.classes(&predictions, width);
            if let Some(labels) = &self.booster.wrapper().labels {
                return Ok(Prediction::Column(labels.pick(&chosen)));
            }
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

    fn explain(
        &self,
        input: &RecordBatch,
        background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        let arranged = self.arranged(input)?;
        let background = match background {
            Some(rows) => Some(self.rows(self.arranged(rows)?.as_ref())?.0),
            None => None,
        };
        let (rows, width) = self.rows(&arranged)?;
        let contributions = self.booster.explain(&rows, background.as_deref(), width)?;
        Ok(contributions.named(arranged.num_rows(), Input::new(&arranged).names(), &[]))
    }

    fn knows_names(&self) -> bool {
        self.booster.names().are_known()
    }

    fn size_bytes(&self) -> usize {
        self.booster.size_bytes()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float32Type;

    use super::*;

    /// `XGBClassifier(booster="gblinear")` of XGBoost 3.2 for two classes.
    const TWO: &str = r#"{"learner":{"feature_names":[],"feature_types":[],"gradient_booster":{"model":{"boosted_rounds":2,"weights":[5.051615E-1,-2.2042528E-1]},"name":"gblinear"},"learner_model_param":{"base_score":"[5E-1]","boost_from_average":"1","num_class":"0","num_feature":"1","num_target":"1"},"objective":{"name":"binary:logistic","reg_loss_param":{"scale_pos_weight":"1"}}},"version":[3,2,0]}"#;

    #[test]
    fn each_of_two_classes_has_its_probability() {
        let model =
            XgboostModel::probabilities(TWO.as_bytes(), "xgboost.sklearn.XGBClassifier").unwrap();
        let x: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 2.0]));
        let input = RecordBatch::try_from_iter([("x", x)]).unwrap();
        let Prediction::Matrix { values, width } = model.predict(&input).unwrap() else {
            panic!("no table")
        };
        let values = values.as_primitive::<Float32Type>().values().to_vec();
        // What `predict_proba` answers.
        let expected = [0.491_961_84, 0.508_038_16, 0.312_190_6, 0.687_809_4];
        assert_eq!(width, 2);
        for (value, expected) in values.into_iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        }
    }

    #[test]
    fn what_knows_no_probabilities_is_not_asked_for_them() {
        let refused = |text: &str, class: &str| {
            let error = XgboostModel::probabilities(text.as_bytes(), class).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        };
        refused(TWO, "xgboost.sklearn.XGBRegressor");
        let squares = TWO.replace("binary:logistic", "reg:squarederror");
        refused(&squares, "xgboost.core.Booster");
        refused(&TWO.replace("binary:logistic", "binary:hinge"), "xgboost.sklearn.XGBClassifier");
    }
}
