//! What a training would find, without one: whoever writes a project for a table wants to know before it is
//! written whether it would train, and what the simplest of all models gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};

use crate::column::Column;
use crate::config::{Task, TrainConfig};
use crate::held_out::positive;
use crate::metrics::{Metrics, Predictions, Probabilities, evaluate, numbers};
use crate::run::Plan;
use crate::{Error, Result};

/// What is known of a training before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Classification or regression, never [`Task::Auto`].
    pub task: Task,
    /// Names of the classes, as numpy sorts them; none for regression.
    pub classes: Vec<String>,
    /// Columns that would be learnt from.
    pub features: Vec<String>,
    /// Rows of the training part.
    pub train_rows: usize,
    /// Rows of the holdout.
    pub holdout_rows: usize,
    /// Metrics, on the holdout, of a model that looks at no feature and always says the same: what scikit-learn's
    /// `DummyClassifier(strategy="prior")` and `DummyRegressor(strategy="mean")` get.
    pub dummy: Metrics,
}

/// Does all that a training does before it fits.
///
/// # Errors
///
/// What the training would fail with: wrong settings, columns that nothing can be learnt from, too few rows.
pub fn preview(table: &RecordBatch, config: &TrainConfig) -> Result<Preview> {
    let split = Plan::new(config, table)?.split;
    let classes = split.classes();
    let (Some(learnt), Some(truth)) =
        (split.train.columns().last(), split.holdout.columns().last())
    else {
        return Err(Error::EmptyTable);
    };
    let learnt = Column::read(&config.target, learnt)?;
    let rows = split.holdout.num_rows();
    let answers = if split.task == Task::Regression {
        always_the_mean(&learnt, rows)?
    } else {
        always_the_most_frequent(&learnt, &classes, rows)
    };
    let positive = positive(config, &classes)?;
    let dummy = evaluate(split.task, truth, &answers, positive.as_deref())?;
    Ok(Preview {
        task: split.task,
        features: split.features(),
        train_rows: split.train.num_rows(),
        holdout_rows: rows,
        classes,
        dummy,
    })
}

fn always_the_mean(learnt: &Column, rows: usize) -> Result<Predictions> {
    let values = numbers(learnt)?;
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let values: ArrayRef = Arc::new(Float64Array::from(vec![mean; rows]));
    Ok(Predictions { values, probabilities: None })
}

/// The most frequent class, of several the first; every class with its share in training.
fn always_the_most_frequent(learnt: &Column, classes: &[String], rows: usize) -> Predictions {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in 0..learnt.len() {
        *counts.entry(learnt.text(row)).or_default() += 1;
    }
    let count = |class: &String| counts.get(class).copied().unwrap_or_default();
    let most = classes.iter().map(count).max().unwrap_or_default();
    let answer = classes.iter().find(|&class| count(class) == most);
    let values: ArrayRef = Arc::new(StringArray::from(vec![answer.map(String::as_str); rows]));
    let all = learnt.len().max(1) as f64;
    let shares: Vec<f64> = classes.iter().map(|class| count(class) as f64 / all).collect();
    let probabilities = Probabilities {
        classes: classes.to_vec(),
        values: shares.repeat(rows),
        epsilon: f64::EPSILON,
    };
    Predictions { values, probabilities: Some(probabilities) }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;

    use super::*;
    use crate::holdout::Holdout;

    fn table(target: ArrayRef) -> RecordBatch {
        let rows = i64::try_from(target.len()).unwrap();
        let x: ArrayRef = Arc::new(Int64Array::from((0..rows).collect::<Vec<_>>()));
        RecordBatch::try_from_iter([("x", x), ("y", target)]).unwrap()
    }

    fn config() -> TrainConfig {
        let target = "y".to_owned();
        TrainConfig { target, holdout: Holdout::Hash, ..TrainConfig::default() }
    }

    #[test]
    fn a_model_that_always_says_the_same_is_what_others_are_held_against() {
        let labels = (0..400).map(|row| if row % 4 == 0 { "yes" } else { "no" });
        let found = preview(&table(Arc::new(labels.map(Some).collect::<StringArray>())), &config());
        let found = found.unwrap();
        assert_eq!((found.task, found.features), (Task::Classification, vec!["x".to_owned()]));
        assert_eq!(found.classes, ["no", "yes"]);
        assert_eq!(found.train_rows + found.holdout_rows, 400);
        assert_eq!((found.dummy["roc_auc"], found.dummy["recall"]), (0.5, 0.0));
        assert!((found.dummy["accuracy"] - 0.75).abs() < 0.15, "{:?}", found.dummy);

        let values: Float64Array = (0..400).map(|row| Some(f64::from(row) * 0.1)).collect();
        let found = preview(&table(Arc::new(values)), &config()).unwrap();
        assert_eq!((found.task, found.classes.len()), (Task::Regression, 0));
        assert!(found.dummy["r2"] <= 0.0 && found.dummy["rmse"] > 5.0, "{:?}", found.dummy);
    }

    #[test]
    fn what_training_would_refuse_is_refused() {
        let same: ArrayRef = Arc::new(StringArray::from(vec!["a"; 50]));
        assert!(matches!(preview(&table(same), &config()), Err(Error::OneClass { .. })));
    }
}
