//! All that a job reads, of which the whole, parts and windows are judged.

use trainyard_report::quality::Labels;

use super::found::Rows;
use super::part::{Before, Judge};

/// Tables as they were read.
pub(super) struct Known {
    pub(super) before: Before,
    /// Predictions with labels; none where there are no labels.
    pub(super) labelled: Option<Rows>,
    /// Predictions as they came.
    pub(super) sample: Rows,
    pub(super) counts: Labels,
    /// What the verdict looks at.
    pub(super) metrics: Vec<String>,
    /// What a metric may lose.
    pub(super) margin: f64,
    /// Columns of parts, that of versions first where there is one.
    pub(super) parts: Vec<String>,
    /// Columns of what the model saw.
    pub(super) inputs: Vec<String>,
    /// What could not be told, and why.
    pub(super) notes: Vec<String>,
}

impl Known {
    /// How rows are judged.
    pub(super) fn judge(&self) -> Judge<'_> {
        Judge { before: &self.before, metrics: &self.metrics, margin: self.margin }
    }
}
