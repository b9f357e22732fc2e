//! Predictions against the truth: all metrics of a task.

use std::collections::BTreeMap;

use arrow_array::{Array as _, ArrayRef};

use super::classification::Confusion;
use super::predictions::Predictions;
use super::{ranking, regression};
use crate::column::Column;
use crate::config::Task;
use crate::{Error, Result};

/// Metrics by name. Classification: `accuracy`, `precision_macro`, `precision_weighted`,
/// `recall_macro`, `recall_weighted`, `f1_macro`, `f1_weighted`, and with probabilities `log_loss`
/// and `roc_auc` (one against the rest, macro average, for more than two classes). Regression:
/// `rmse`, `mae`, `r2`, `mape`. A metric that is not defined on the rows given is left out.
pub type Metrics = BTreeMap<String, f64>;

/// Whether a larger value of this metric is better.
pub fn greater_is_better(metric: &str) -> bool {
    !matches!(metric, "log_loss" | "rmse" | "mae" | "mape")
}

/// Compares predictions with the truth. `task` is not [`Task::Auto`].
pub fn evaluate(task: Task, truth: &ArrayRef, predictions: &Predictions) -> Result<Metrics> {
    if truth.len() != predictions.values.len() || truth.is_empty() {
        return Err(Error::Evaluation(format!(
            "{} true values, {} predictions",
            truth.len(),
            predictions.values.len()
        )));
    }
    let truth = Column::read("truth", truth)?;
    let predicted = Column::read("prediction", &predictions.values)?;
    if let Some(row) = truth.missing().chain(predicted.missing()).next() {
        return Err(Error::Evaluation(format!("row {} has no value", row + 1)));
    }
    let metrics = match task {
        Task::Regression => regression::evaluate(&numbers(&truth)?, &numbers(&predicted)?),
        Task::Classification | Task::Auto => {
            let truth: Vec<String> = (0..truth.len()).map(|row| truth.text(row)).collect();
            let predicted: Vec<String> =
                (0..predicted.len()).map(|row| predicted.text(row)).collect();
            let mut metrics = Confusion::new(&truth, &predicted).metrics();
            if let Some(probabilities) = &predictions.probabilities {
                metrics.extend(ranking::evaluate(&truth, probabilities)?);
            }
            metrics
        }
    };
    Ok(metrics
        .into_iter()
        .filter(|(_, value)| value.is_finite())
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

fn numbers(column: &Column) -> Result<Vec<f64>> {
    (0..column.len())
        .map(|row| {
            column.number(row).ok_or_else(|| {
                Error::Evaluation(format!(
                    "row {}: {:?} is not a number",
                    row + 1,
                    column.text(row)
                ))
            })
        })
        .collect()
}
