//! What is compared, and what comes of it.

use arrow_array::ArrayRef;

use super::difference::Difference;
use crate::config::Task;
use crate::metrics::Predictions;

/// Predictions of two models for the same rows.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// Classification or regression, never [`Task::Auto`].
    pub task: Task,
    /// True values.
    pub truth: &'a ArrayRef,
    /// What the new model says.
    pub new: &'a Predictions,
    /// What the old one says.
    pub old: &'a Predictions,
    /// The class that metrics of one class are about.
    pub positive: Option<&'a str>,
}

/// What comparing gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// A difference.
    Made(Difference),
    /// The metric is not defined for the new model's predictions.
    NewLacks,
    /// The metric is not defined for the old model's predictions.
    OldLacks,
    /// The rows are too few, for this reason.
    TooFew(String),
}
