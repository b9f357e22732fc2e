//! A model folder of the `xgboost` flavor.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch};

use super::booster::Booster;
use crate::input::Input;
use crate::{Explanation, Prediction, Predictor, Result};

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

    /// The columns in the order that the booster was trained with, categories as their numbers.
    fn arranged<'b>(&self, input: &'b RecordBatch) -> Result<Cow<'b, RecordBatch>> {
        let arranged = match self.booster.names() {
            [] => Cow::Borrowed(input),
            names => Input::arranged(input, names)?,
        };
        self.booster.categories().numbered(arranged)
    }
}

#[cfg(test)]
impl XgboostModel {
    /// A booster as it is, without a class of scikit-learn around it.
    pub(crate) fn plain(booster: Booster) -> Self {
        Self { booster, classifier: false }
    }
}

impl Predictor for XgboostModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let arranged = self.arranged(input)?;
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

    fn explain(
        &self,
        input: &RecordBatch,
        background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        let arranged = self.arranged(input)?;
        let input = Input::new(&arranged);
        let background = match background {
            Some(rows) => Some(Input::new(self.arranged(rows)?.as_ref()).rows_f32()?),
            None => None,
        };
        let (rows, width) = (input.rows_f32()?, input.width());
        let contributions = self.booster.explain(&rows, background.as_deref(), width)?;
        Ok(contributions.named(arranged.num_rows(), input.names(), &[]))
    }

    fn size_bytes(&self) -> usize {
        self.booster.size_bytes()
    }
}
