//! Predictions of a model in the form that a metric is computed of.

use trainyard_quality::metrics::{Judged, Scorer};

use super::pair::Pair;
use crate::Result;
use crate::column::Column;
use crate::config::Task;
use crate::metrics::{Predictions, numbers};

/// The metric as a function of the rows' weights; none if it is not defined for the predictions.
pub(super) fn scorer(
    metric: &str,
    pair: &Pair<'_>,
    predictions: &Predictions,
) -> Result<Option<Scorer>> {
    let truth = Column::read("truth", pair.truth)?;
    let predicted = Column::read("prediction", &predictions.values)?;
    if pair.task == Task::Regression {
        let (truth, predicted) = (numbers(&truth)?, numbers(&predicted)?);
        let judged = Judged::Quantities { truth: &truth, predicted: &predicted };
        return Ok(Scorer::new(metric, &judged)?);
    }
    let texts = |column: &Column| -> Vec<String> {
        (0..column.len()).map(|row| column.text(row)).collect()
    };
    let (truth, predicted) = (texts(&truth), texts(&predicted));
    let judged = Judged::Classes {
        truth: &truth,
        predicted: &predicted,
        probabilities: predictions.probabilities.as_ref(),
        positive: pair.positive,
    };
    Ok(Scorer::new(metric, &judged)?)
}
