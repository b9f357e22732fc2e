//! The rows of a table on their sides, by a rule that looks at one row at a time.

use std::collections::HashSet;

use arrow_array::RecordBatch;

use super::moment::Moments;
use super::row_hash::{hashes, set};
use super::rule::Rule;
use super::setting::Holdout;
use crate::column::Column;
use crate::columns::{named, select};
use crate::config::TrainConfig;
use crate::dataset;
use crate::{Error, Result};

/// A table's rows, on their sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    /// The rule, for the run.
    pub rule: Rule,
    /// For each row, whether it must not be trained on.
    pub held_out: Vec<bool>,
}

/// Assigns the rows of a table. `file` is the table of [`Holdout::File`]; [`Holdout::Random`] is not for single
/// rows, and answers none.
pub(crate) fn assign(
    table: &RecordBatch,
    config: &TrainConfig,
    file: Option<&RecordBatch>,
) -> Result<Option<Assigned>> {
    let rule = match (&config.holdout, &config.id) {
        (Holdout::Random, _) => return Ok(None),
        (Holdout::Hash, None) => {
            let learnt = select(table, config)?;
            let fields = learnt.schema_ref().fields();
            let names = fields.iter().map(|field| field.name().clone()).collect();
            Rule::hash(config.test_size, names)
        }
        (Holdout::Hash, Some(column)) => {
            refuse_missing(table, column)?;
            Rule::Id { share: config.test_size, column: column.clone() }
        }
        (Holdout::After { column, after }, _) => {
            let moments = Moments::read(table, column)?;
            let after = moments.text(moments.parse(after)?);
            Rule::After { column: column.clone(), after }
        }
        (Holdout::Newest { column, newest }, _) => {
            let moments = Moments::read(table, column)?;
            let after = moments.text(before_newest(&moments.values, *newest)?);
            Rule::After { column: column.clone(), after }
        }
        (Holdout::File { .. }, _) => {
            let file = file.ok_or(Error::EmptyTable)?;
            return Ok(Some(Assigned {
                rule: Rule::File { digest: dataset::digest(file)? },
                held_out: occurring(table, config, file)?,
            }));
        }
    };
    let held_out = rule.held_out(table, &rule)?;
    Ok(Some(Assigned { rule, held_out }))
}

/// Rows without an id would all be on one side.
fn refuse_missing(table: &RecordBatch, column: &str) -> Result<()> {
    let ids = named(table, &[column.to_owned()], "id")?;
    let ids = Column::read_as_written(column, ids.column(0))?;
    let mut missing = ids.missing();
    match missing.next() {
        None => Ok(()),
        Some(first) => Err(Error::NoSide {
            column: column.to_owned(),
            row: first + 1,
            count: 1 + missing.count(),
        }),
    }
}

/// The latest moment that is not among the newest share; rows of the same moment stay together.
fn before_newest(values: &[f64], newest: f64) -> Result<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let held_out = (newest * sorted.len() as f64).ceil() as usize;
    let last = sorted.len().checked_sub(held_out + 1);
    last.and_then(|last| sorted.get(last).copied()).ok_or(Error::TooFewRows {
        rows: values.len(),
        test_size: newest,
        part: "training",
        got: 0,
        needed: 1,
    })
}

/// Rows that are in the file too: a duplicate of a held-out row is not to be trained on.
fn occurring(table: &RecordBatch, config: &TrainConfig, file: &RecordBatch) -> Result<Vec<bool>> {
    let learnt = select(table, config)?;
    let fields = learnt.schema_ref().fields();
    let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let in_file: HashSet<u64> = set(&named(file, &names, "column of the holdout's file")?)?;
    Ok(hashes(&learnt)?.iter().map(|hash| in_file.contains(hash)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use arrow_select::concat::concat_batches;
    use serde_json::json;

    use super::*;

    fn config(json: serde_json::Value) -> TrainConfig {
        serde_json::from_value(json).unwrap()
    }

    /// Rows `from..to`: two of each customer, a day each, and a target.
    fn rows(from: i64, to: i64) -> RecordBatch {
        let numbers = |value: fn(i64) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from((from..to).map(value).collect::<Vec<_>>()))
        };
        let day = |row: i64| format!("2026-{:02}-{:02}", 1 + row / 28 % 12, 1 + row % 28);
        let days: ArrayRef = Arc::new(StringArray::from_iter_values((from..to).map(day)));
        RecordBatch::try_from_iter([
            ("customer", numbers(|row| row / 2)),
            ("day", days),
            ("x", numbers(|row| row * 7 % 101)),
            ("y", numbers(|row| row % 2)),
        ])
        .unwrap()
    }

    fn held_out(table: &RecordBatch, settings: serde_json::Value) -> Vec<bool> {
        assign(table, &config(settings), None).unwrap().unwrap().held_out
    }

    #[test]
    fn a_row_once_held_out_stays_held_out_as_the_table_grows() {
        let (old, new) = (rows(0, 200), rows(200, 260));
        let grown = concat_batches(&old.schema(), [&new, &old]).unwrap();
        for settings in [
            json!({"target": "y", "holdout": "hash"}),
            json!({"target": "y", "holdout": "hash", "id": "customer"}),
            json!({"target": "y", "holdout": {"column": "day", "after": "2026-06-01"}}),
        ] {
            let before = held_out(&old, settings.clone());
            assert!(before.contains(&true) && before.contains(&false));
            assert_eq!(held_out(&grown, settings)[60..], before);
        }
    }

    #[test]
    fn rows_of_one_id_are_on_one_side() {
        let settings = json!({"target": "y", "holdout": "hash", "id": "customer"});
        let held_out = held_out(&rows(0, 400), settings);
        assert!(held_out.chunks(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn the_newest_are_later_than_what_is_recorded() {
        let settings = config(json!({
            "target": "y", "holdout": {"column": "day", "newest": 0.25},
        }));
        let assigned = assign(&rows(0, 28), &settings, None).unwrap().unwrap();
        let after = "2026-01-21".to_owned();
        assert_eq!(assigned.rule, Rule::After { column: "day".to_owned(), after });
        assert_eq!(assigned.held_out.iter().filter(|held_out| **held_out).count(), 7);
    }

    #[test]
    fn rows_that_are_in_the_file_are_not_trained_on() {
        let settings =
            config(json!({"target": "y", "exclude": ["day"], "holdout": {"file": "h.csv"}}));
        let assigned = assign(&rows(0, 10), &settings, Some(&rows(8, 12))).unwrap().unwrap();
        let expected: Vec<bool> = (0..10).map(|row| row >= 8).collect();
        assert_eq!(assigned.held_out, expected);
    }

    #[test]
    fn a_row_without_an_id_is_refused() {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let y: ArrayRef = Arc::new(Int64Array::from(vec![0, 1]));
        let x = Arc::clone(&y);
        let table = RecordBatch::try_from_iter([("id", ids), ("x", x), ("y", y)]).unwrap();
        let settings = config(json!({"target": "y", "holdout": "hash", "id": "id"}));
        let error = assign(&table, &settings, None).unwrap_err().to_string();
        assert!(error.contains("1 rows without a value, the first in row 2"), "{error}");
    }
}
