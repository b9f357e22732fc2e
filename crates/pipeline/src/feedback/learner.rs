//! Who learns from feedback.

use crate::config::Train;

/// Who learns: which model's requests count, and what of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learner<'a> {
    pub(crate) model: &'a str,
    pub(crate) train: &'a Train,
}

impl Learner<'_> {
    pub(super) fn target(&self) -> &str {
        self.train.target.as_deref().unwrap_or_default()
    }

    /// Whether a column of the training data is one that the model learns from.
    pub(super) fn learns_from(&self, column: &str) -> bool {
        let is = |name: &String| name == column;
        match &self.train.features {
            Some(features) => features.iter().any(is),
            None => column != self.target() && !self.train.exclude.iter().any(is),
        }
    }
}
