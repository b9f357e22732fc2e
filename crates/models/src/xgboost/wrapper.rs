//! What XGBoost's scikit-learn classes write of themselves beside their booster: all of it in files of 1.0 to 1.7, which that
//! version reads back, and nothing that predicts since.

use super::fields::malformed;
use crate::Result;
use crate::document::{Document, parse_json};
use crate::labels::Labels;

/// What a class of scikit-learn adds to its booster.
#[derive(Debug, Clone)]
pub(crate) struct Wrapper {
    /// What stands for a missing value, beside NaN.
    pub(super) missing: f32,
    /// The labels of the classes, where training had others than their numbers.
    pub(super) labels: Option<Labels>,
    /// Trees of each output that answer, where training stopped early; of versions before 1.4.
    pub(super) trees: Option<usize>,
}

impl Wrapper {
    /// Reads the attributes of a learner.
    pub(super) fn read(attributes: Option<&Document>) -> Result<Self> {
        let said = attributes.and_then(|attributes| attributes.get("scikit_learn"));
        let Some(said) = said.and_then(Document::text) else {
            return Ok(Self { missing: f32::NAN, labels: None, trees: None });
        };
        let said = parse_json(said).map_err(malformed)?;
        let number = |name: &str| said.get(name).and_then(Document::number);
        let labels = said.get("_le").and_then(|encoder| encoder.get("classes_"));
        let labels = labels.and_then(Document::list);
        let labels =
            labels.map(|labels| Labels::of(labels, None)).transpose().map_err(malformed)?;
        Ok(Self {
            missing: number("missing").map_or(f32::NAN, |missing| missing as f32),
            labels,
            trees: number("best_ntree_limit").filter(|&trees| trees >= 1.0).map(|x| x as usize),
        })
    }
}
