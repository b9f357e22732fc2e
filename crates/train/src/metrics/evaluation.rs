//! Predictions against the truth: all metrics of a task.

use std::collections::BTreeMap;

use arrow_array::{Array as _, ArrayRef};
use trainyard_quality::metrics::{Confusion, ranking, regression};

use super::predictions::Predictions;
use crate::column::Column;
use crate::config::Task;
use crate::{Error, Result};

/// Metrics by name. Classification: `accuracy`, `precision_macro`, `precision_weighted`,
/// `recall_macro`, `recall_weighted`, `f1_macro`, `f1_weighted`, and with probabilities `log_loss`
/// and `roc_auc` (one against the rest, macro average, for more than two classes); of the positive class
/// `precision`, `recall`, `f1`, and with probabilities `average_precision` and `brier`. Regression:
/// `rmse`, `mae`, `r2`, `mape`. A metric that is not defined on the rows given is left out.
pub type Metrics = BTreeMap<String, f64>;

/// Compares predictions with the truth. `task` is not [`Task::Auto`]; without a `positive` class there are no
/// metrics of one.
pub fn evaluate(
    task: Task,
    truth: &ArrayRef,
    predictions: &Predictions,
    positive: Option<&str>,
) -> Result<Metrics> {
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
            let mut metrics = Confusion::new(&truth, &predicted).metrics(positive);
            if let Some(probabilities) = &predictions.probabilities {
                metrics.extend(ranking::evaluate(&truth, probabilities, positive)?);
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

/// The numbers of a column that has one in each row.
pub(crate) fn numbers(column: &Column) -> Result<Vec<f64>> {
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
