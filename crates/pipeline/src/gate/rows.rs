//! The rows that judge: held out today, and seen by none of the versions that are judged by them.

use trainyard_base::Advise as _;
use trainyard_mlflow::entities::{KeyValue, Run};
use trainyard_train::{HeldOut, ROWS_MIN, Rule};

/// What trained versions say of themselves in `mlflow.source.name`.
const OWN_SOURCE: &str = "trainyard train";

/// A version and what its run says of its training.
#[derive(Debug)]
pub(crate) struct Origin {
    /// `this version`, `version 3`.
    pub(crate) who: String,
    /// Its run, if it has one.
    pub(crate) run: Option<Run>,
}

impl Origin {
    /// Whether a built-in algorithm made it: its run's metrics are what Trainyard found on its holdout.
    pub(crate) fn is_own(&self) -> bool {
        self.tag("mlflow.source.name") == Some(OWN_SOURCE)
    }

    /// The rule by which rows were held out of its training.
    pub(crate) fn rule(&self) -> Option<Rule> {
        self.tag(Rule::TAG).and_then(Rule::from_tag)
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.run.as_ref().and_then(|run| KeyValue::find(&run.data.tags, key))
    }
}

/// The rows that none of the versions can have been trained on; or why that cannot be told, or that too few are
/// left.
pub(crate) fn unseen(today: HeldOut, versions: &[&Origin]) -> Result<HeldOut, String> {
    let mut rows = today;
    for version in versions {
        rows = unseen_by(rows, version)?;
    }
    let left = rows.rows.num_rows();
    if left < ROWS_MIN {
        return Err(format!(
            "{left} rows are left that neither version can have been trained on, {ROWS_MIN} are needed"
        ));
    }
    Ok(rows)
}

/// Without the rows that a version may have been trained on.
pub(crate) fn unseen_by(rows: HeldOut, version: &Origin) -> Result<HeldOut, String> {
    let who = &version.who;
    let Some(rule) = version.rule() else {
        // Nobody recorded a rule, but a file of its own is what the project says was never trained on.
        if rows.is_a_file() {
            return Ok(rows);
        }
        return Err(format!(
            "{who} does not say which rows it was trained on (its run has no tag {}); a version that `trainyard \
             train` makes now does, and a holdout in a file of its own needs none",
            Rule::TAG
        ));
    };
    rows.also_held_out_by(&rule).map_err(|error| format!("{who}: {}", error.sentence()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use trainyard_mlflow::entities::RunData;

    use super::*;

    fn today(rows: i64, holdout: &str) -> HeldOut {
        let column = |value: fn(i64) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from((0..rows).map(value).collect::<Vec<_>>()))
        };
        let columns = [("x", column(|row| row * 37 % 101)), ("y", column(|row| row % 2))];
        let table = RecordBatch::try_from_iter(columns).unwrap();
        let config = serde_json::json!({"target": "y", "holdout": holdout});
        HeldOut::of(&table, &serde_json::from_value(config).unwrap()).unwrap()
    }

    fn version(rule: Option<&Rule>) -> Origin {
        let tags = rule.map(|rule| KeyValue::new(Rule::TAG, rule.to_tag())).into_iter().collect();
        let data = RunData { tags, ..RunData::default() };
        Origin { who: "version 3".to_owned(), run: Some(Run { data, ..Run::default() }) }
    }

    #[test]
    fn versions_of_one_rule_are_compared_on_all_that_it_holds_out() {
        let rows = today(1_000, "hash");
        let rule = rows.rule().clone();
        let (all, same) = (rows.rows.num_rows(), version(Some(&rule)));
        assert_eq!(unseen(rows, &[&same, &same]).unwrap().rows.num_rows(), all);
    }

    #[test]
    fn a_version_without_a_rule_is_not_compared_but_on_a_file() {
        let reason = unseen(today(1_000, "hash"), &[&version(None)]).unwrap_err();
        assert!(
            reason.starts_with("version 3 does not say") && reason.contains("file"),
            "{reason}"
        );
    }

    #[test]
    fn a_holdout_drawn_at_random_is_lost_when_the_data_grow() {
        let before = today(1_000, "random");
        let rule = before.rule().clone();
        assert!(unseen(before, &[&version(Some(&rule))]).is_ok());
        let reason = unseen(today(1_200, "random"), &[&version(Some(&rule))]).unwrap_err();
        assert!(reason.contains("drawn anew") && reason.contains("by hash"), "{reason}");
    }

    #[test]
    fn too_few_rows_are_said() {
        let rows = today(60, "hash");
        let (left, same) = (rows.rows.num_rows(), version(Some(&rows.rule().clone())));
        let reason = unseen(rows, &[&same]).unwrap_err();
        assert!(reason.starts_with(&format!("{left} rows are left")), "{reason}");
    }
}
