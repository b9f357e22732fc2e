//! What was found out about a model in production.

use trainyard_drift::DatasetVerdict;
use trainyard_quality::estimate::Estimate;
use trainyard_quality::multivariate::{Domain, ReconstructionError};
use trainyard_quality::{Quality, Standing};

/// All that is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityReport {
    pub title: String,
    /// Where predictions, labels and the reference come from.
    pub predictions: String,
    pub labels: Option<String>,
    pub reference: Option<String>,
    /// When it was made, for people.
    pub time: String,
    pub counts: Labels,
    /// All predictions together, then segments and versions.
    pub parts: Vec<Part>,
    /// How inputs changed; none without a reference.
    pub change: Option<Change>,
    pub verdict: DatasetVerdict,
    /// Why the verdict is what it is, the worst first.
    pub reasons: Vec<String>,
    /// What could not be told, and why.
    pub notes: Vec<String>,
}

/// How predictions and labels go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels {
    pub predictions: u64,
    /// Predictions that have a label.
    pub labelled: u64,
    /// Labels that were read.
    pub labels: u64,
    /// Labels that a later one of the same prediction replaced.
    pub superseded: u64,
    /// Predictions with an id that another one had before: they have no label.
    pub repeated: u64,
}

impl Labels {
    /// The share of the predictions that has a label; 0 without any.
    pub fn share(&self) -> f64 {
        if self.predictions == 0 { 0.0 } else { self.labelled as f64 / self.predictions as f64 }
    }
}

/// Some of the predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Empty for all of them.
    pub name: String,
    pub predictions: u64,
    pub labelled: u64,
    /// What the labels say; none without any.
    pub quality: Option<Quality>,
    /// Metrics that are compared with what they were.
    pub stands: Vec<Stand>,
    /// What was expected before there were labels.
    pub expected: Vec<Expected>,
}

/// A metric beside what it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stand {
    pub metric: &'static str,
    pub before: Option<f64>,
    pub standing: Standing,
}

/// An estimate beside what came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub estimate: Estimate,
    /// What the metric was on the reference.
    pub before: Option<f64>,
    /// What the labels of the same rows say, and whether chance cannot explain the difference.
    pub realised: Option<f64>,
    pub is_contradicted: bool,
}

/// How the inputs of the model changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Reconstruction error of the reference and of the predictions.
    pub reconstruction: Option<(ReconstructionError, ReconstructionError)>,
    pub domain: Option<Domain>,
    /// By how much they explain that the loss is expected to change, the most first.
    pub columns: Vec<ColumnChange>,
}

/// A column of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnChange {
    pub name: String,
    /// By how much the expected loss is larger because of it.
    pub explained: Option<f64>,
    /// Its share in what tells predictions from the reference.
    pub share: Option<f64>,
}
