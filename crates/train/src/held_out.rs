//! The rows that judge versions: held out today, and by the rules that the versions were trained by.

use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use trainyard_models::LoadedModel;

use crate::column::Column;
use crate::config::{Task, TrainConfig};
use crate::error::Error;
use crate::holdout::Rule;
use crate::metrics::{Metrics, Predictions, evaluate};
use crate::split::{Cut, rows};
use crate::target::Target;
use crate::{Result, judge};

/// Held-out rows with all columns of their table, and what is predicted of them.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// The rows; each has a target.
    pub rows: RecordBatch,
    /// Classification or regression, never [`Task::Auto`].
    pub task: Task,
    /// Names of the classes, as numpy sorts them; none for regression.
    pub classes: Vec<String>,
    /// The class that metrics of one class are about, if there is one.
    pub positive: Option<String>,
    rule: Rule,
    target: String,
}

impl HeldOut {
    /// What a project holds out of its data as they are now. Classes may be missing: that is for whoever trains.
    pub fn of(table: &RecordBatch, config: &TrainConfig) -> Result<Self> {
        let cut = Cut::new(table, config)?;
        let of = |positions: &[usize], kept: &[usize]| -> Vec<usize> {
            positions.iter().map(|&position| kept[position]).collect()
        };
        let rows = match &cut.file {
            Some(file) => rows(&file.table, &file.learnt.rows)?,
            None => rows(table, &of(&cut.holdout, &cut.learnt.rows))?,
        };
        let classes = match &cut.target {
            Target::Classes { classes, .. } => classes.names(),
            Target::Quantities(_) => Vec::new(),
        };
        Ok(Self {
            rows,
            task: cut.task,
            positive: positive(config, &classes)?,
            classes,
            rule: cut.rule,
            target: config.target.clone(),
        })
    }

    /// The rule by which they are held out today.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Whether they are a file of their own.
    pub fn is_a_file(&self) -> bool {
        matches!(self.rule, Rule::File { .. })
    }

    /// Only the rows that this rule held out too: a version that was trained by it has seen none of them.
    ///
    /// # Errors
    ///
    /// [`Error::RuleNotApplicable`] if the rule cannot say that of these rows.
    pub fn also_held_out_by(mut self, rule: &Rule) -> Result<Self> {
        if rule.is(&self.rule) {
            return Ok(self);
        }
        let keep = rule.held_out(&self.rows, &self.rule)?;
        self.rows = filter_record_batch(&self.rows, &BooleanArray::from(keep))?;
        Ok(self)
    }

    /// The true values.
    pub fn truth(&self) -> Result<&ArrayRef> {
        self.rows.column_by_name(&self.target).ok_or_else(|| Error::MissingColumn {
            name: self.target.clone(),
            role: "target",
            nearest: None,
            columns: Vec::new(),
        })
    }

    /// What a model says of the rows.
    ///
    /// # Errors
    ///
    /// [`Error::Evaluation`] also if classes are wanted and not one answer is a class: a booster may answer the
    /// chance of one, which no label can be read from.
    pub fn predict(&self, model: &LoadedModel) -> Result<Predictions> {
        let predictions = judge::predict(model, &self.rows, &self.classes)?;
        self.refuse_no_classes(&predictions)?;
        Ok(predictions)
    }

    fn refuse_no_classes(&self, predictions: &Predictions) -> Result<()> {
        if self.task == Task::Regression || predictions.values.is_empty() {
            return Ok(());
        }
        let answers = Column::read("prediction", &predictions.values)?;
        if (0..answers.len()).any(|row| self.classes.contains(&answers.text(row))) {
            return Ok(());
        }
        let (answer, target) = (answers.text(0), &self.target);
        Err(Error::Evaluation(format!("it answers {answer:?}, which is no class of {target:?}")))
    }

    /// How good that is.
    pub fn metrics(&self, predictions: &Predictions) -> Result<Metrics> {
        evaluate(self.task, self.truth()?, predictions, self.positive.as_deref())
    }
}

/// The class that metrics of one class are about: the one configured, else the second of two, as scikit-learn
/// has it.
pub(crate) fn positive(config: &TrainConfig, classes: &[String]) -> Result<Option<String>> {
    match (&config.positive, classes) {
        (Some(positive), _) if !classes.contains(positive) => Err(Error::UnknownPositive {
            target: config.target.clone(),
            positive: positive.clone(),
            classes: classes.to_vec(),
        }),
        (Some(positive), _) => Ok(Some(positive.clone())),
        (None, [_, second]) => Ok(Some(second.clone())),
        (None, _) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array};
    use serde_json::json;

    use super::*;

    fn table(rows: i64) -> RecordBatch {
        let column = |value: fn(i64) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from((0..rows).map(value).collect::<Vec<_>>()))
        };
        RecordBatch::try_from_iter([
            ("id", column(|row| row)),
            ("x", column(|row| row * 37 % 101)),
            ("y", column(|row| row % 2)),
        ])
        .unwrap()
    }

    fn held_out(rows: i64, holdout: &str) -> HeldOut {
        let config = json!({"target": "y", "holdout": holdout});
        HeldOut::of(&table(rows), &serde_json::from_value(config).unwrap()).unwrap()
    }

    #[test]
    fn rows_that_another_version_may_have_learnt_are_left_out() {
        let today = held_out(1_000, "hash");
        let all = today.rows.num_rows();
        let rule = Rule::Id { share: 0.5, column: "id".to_owned() };
        let kept = today.clone().also_held_out_by(&rule).unwrap();
        assert!((all / 3..all * 2 / 3).contains(&kept.rows.num_rows()));
        assert!(rule.held_out(&kept.rows, &rule).unwrap().iter().all(|held_out| *held_out));
        let same = today.rule.clone();
        assert_eq!(today.also_held_out_by(&same).unwrap().rows.num_rows(), all);
    }

    #[test]
    fn a_random_holdout_is_known_for_its_own_table_alone() {
        let before = held_out(100, "random");
        let rule = before.rule.clone();
        assert!(before.also_held_out_by(&rule).is_ok());
        let error = held_out(120, "random").also_held_out_by(&rule).unwrap_err().to_string();
        assert!(error.contains("drawn anew"), "{error}");
    }

    #[test]
    fn answers_that_are_no_classes_are_not_scored_as_wrong_ones() {
        let rows = held_out(100, "hash");
        let answers = |values: ArrayRef| Predictions { values, probabilities: None };
        let chances: ArrayRef = Arc::new(Float64Array::from(vec![0.25, 0.5]));
        let error = rows.refuse_no_classes(&answers(chances)).unwrap_err().to_string();
        assert!(error.contains("\"0.25\", which is no class of \"y\""), "{error}");
        let labels: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.0]));
        assert!(rows.refuse_no_classes(&answers(labels)).is_ok());
    }

    #[test]
    fn the_second_of_two_classes_is_positive_unless_another_is_named() {
        let classes = ["no".to_owned(), "yes".to_owned()];
        let of = |json: serde_json::Value, classes: &[String]| {
            positive(&serde_json::from_value(json).unwrap(), classes)
        };
        assert_eq!(of(json!({}), &classes).unwrap().as_deref(), Some("yes"));
        assert_eq!(of(json!({"positive": "no"}), &classes).unwrap().as_deref(), Some("no"));
        assert_eq!(of(json!({}), &classes[..1]).unwrap(), None);
        let error = of(json!({"positive": "maybe"}), &classes).unwrap_err().to_string();
        assert_eq!(error, "positive = \"maybe\" is no class of target \"target\"");
    }
}
