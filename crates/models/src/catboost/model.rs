//! A model folder of the `catboost` flavor.

use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch};

use super::answer::{Answer, Class};
use super::booster::Booster;
use crate::input::Input;
use crate::labels::Labels;
use crate::{Error, Explanation, Prediction, Predictor, Result};

/// A model folder of the `catboost` flavor.
#[derive(Debug)]
pub(crate) struct CatboostModel {
    booster: Booster,
    class: Class,
    /// Whether it is asked how probable each class is.
    is_asked_probabilities: bool,
}

/// The class that a file without a folder is of: that of its loss.
///
/// # Errors
///
/// If the file is damaged, or not evaluated here.
pub(crate) fn class_of(bytes: &[u8]) -> Result<&'static str> {
    Ok(Booster::parse(bytes)?.class().name())
}

impl CatboostModel {
    /// Reads a file; without a class it is that of the loss.
    pub(crate) fn new(bytes: &[u8], class: Option<&str>) -> Result<Self> {
        Self::of(Booster::parse(bytes)?, class)
    }

    pub(super) fn of(booster: Booster, class: Option<&str>) -> Result<Self> {
        let class = class.map_or_else(|| Ok(booster.class()), Class::named)?;
        booster.check_class(class)?;
        Ok(Self { booster, class, is_asked_probabilities: false })
    }

    /// The same model, asked how probable each class is.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it knows no classes.
    pub(crate) fn probabilities(bytes: &[u8], class: Option<&str>) -> Result<Self> {
        let model = Self::new(bytes, class)?;
        if model.class != Class::Classifier {
            return Err(Error::Unsupported {
                what: format!("the probability of a {}", model.class.name()),
                hint: "a CatBoostClassifier is asked for it".to_owned(),
            });
        }
        model.booster.check_probabilities()?;
        Ok(Self { is_asked_probabilities: true, ..model })
    }
}

#[cfg(test)]
impl CatboostModel {
    /// What a document of JSON holds, of the class of its loss.
    pub(crate) fn from_document(document: &crate::document::Document) -> Result<Self> {
        Self::of(Booster::new(super::json::read(document)?)?, None)
    }
}

fn table(values: Vec<f64>, width: usize) -> Prediction {
    Prediction::Matrix { values: Arc::new(Float64Array::from(values)), width }
}

impl Predictor for CatboostModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let rows = self.booster.columns().of_batch(input)?;
        if self.is_asked_probabilities {
            let (values, width) = self.booster.probabilities(&rows);
            return Ok(table(values, width));
        }
        Ok(match self.booster.predict(self.class, &rows) {
            Answer::Values(values, 1) => Prediction::Column(Arc::new(Float64Array::from(values))),
            Answer::Values(values, width) => table(values, width),
            Answer::Present(values, width) => {
                Prediction::Matrix { values: Arc::new(Int64Array::from(values)), width }
            }
            Answer::Chosen { classes, is_table } => {
                let labels = self.booster.labels();
                let values = labels.map(|labels| labels.pick(&classes));
                let values =
                    values.ok_or_else(|| Error::Input("the model has no classes".into()))?;
                if is_table {
                    Prediction::Matrix { values, width: 1 }
                } else {
                    Prediction::Column(values)
                }
            }
        })
    }

    fn explain(
        &self,
        input: &RecordBatch,
        background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        let columns = self.booster.columns();
        let rows = columns.of_batch(input)?;
        let background = background.map(|rows| columns.of_batch(rows)).transpose()?;
        let input = Input::new(input);
        let own = self.booster.explain(self.class, (&rows, input.width()), background.as_ref())?;
        let names = self.booster.labels().map(Labels::names).unwrap_or_default();
        Ok(own.named(rows.count, input.names(), &names))
    }

    fn takes_text(&self) -> bool {
        self.booster.takes_text()
    }

    fn classes(&self) -> Option<Vec<String>> {
        let is_of_classes = self.is_asked_probabilities && !self.booster.is_several();
        let labels = self.booster.labels().filter(|_| is_of_classes);
        labels.map(Labels::names)
    }

    fn size_bytes(&self) -> usize {
        self.booster.size_bytes()
    }
}
