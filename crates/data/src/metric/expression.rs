//! A metric, and what it comes to on rows.

use std::collections::BTreeSet;
use std::str::FromStr;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::parse::{Aggregate, Cell, Function, Value, parse};
use super::tree::Tree;
use crate::error::{Error, Result, list_names, shorten};
use crate::filter::RowRule;

/// A number that somebody defines of the rows of a table.
///
/// ```
/// use trainyard_data::Metric;
/// let profit: Metric = "sum(case when said = yes then amount - 5 else 0 end) / count(*)".parse().unwrap();
/// assert_eq!(profit.columns(), ["amount", "said"]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    text: String,
    tree: Tree<Aggregate>,
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match parse(text) {
            Ok(tree) => Ok(Self { text: text.to_owned(), tree }),
            Err(reason) => Err(wrong(text, reason)),
        }
    }
}

impl Metric {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns that it looks at, by name; what stands on the right side of a condition may be one, too.
    pub fn columns(&self) -> Vec<String> {
        self.of(&mut |rule| rule.columns())
    }

    /// The same of a table that has these columns.
    pub fn columns_of(&self, names: &[String]) -> Vec<String> {
        self.of(&mut |rule| rule.of_table(names).columns())
    }

    fn of(&self, of_rule: &mut dyn FnMut(&RowRule) -> Vec<String>) -> Vec<String> {
        let mut columns = BTreeSet::new();
        self.tree.for_each(&mut |aggregate| match aggregate {
            Aggregate::Of(_, value) => columns_of_value(value, of_rule, &mut columns),
            Aggregate::Count(rule) => columns.extend(rule.iter().flat_map(&mut *of_rule)),
            Aggregate::Share(rule) => columns.extend(of_rule(rule)),
        });
        columns.into_iter().collect()
    }

    /// What it comes to on these rows, which have its columns; none where that is no number: no row has a value, or it is
    /// divided by zero.
    ///
    /// # Errors
    ///
    /// Where a column is not there, or holds no numbers where it should.
    pub fn value(&self, rows: &RecordBatch) -> Result<Option<f64>> {
        let value = self.whole(&self.tree, rows)?;
        Ok(value.filter(|value| value.is_finite()))
    }

    fn whole(&self, tree: &Tree<Aggregate>, rows: &RecordBatch) -> Result<Option<f64>> {
        Ok(match tree {
            Tree::Number(number) => Some(*number),
            Tree::Leaf(aggregate) => self.aggregate(aggregate, rows)?,
            Tree::Negative(inner) => self.whole(inner, rows)?.map(|value| -value),
            Tree::Two(left, sign, right) => {
                sign.of(self.whole(left, rows)?, self.whole(right, rows)?)
            }
        })
    }

    fn aggregate(&self, aggregate: &Aggregate, rows: &RecordBatch) -> Result<Option<f64>> {
        Ok(match aggregate {
            Aggregate::Of(function, value) => {
                function.of(self.values(value, rows)?.into_iter().flatten())
            }
            Aggregate::Count(None) => Some(rows.num_rows() as f64),
            Aggregate::Count(Some(rule)) => {
                let holds = rule.holds(rows)?;
                Some(holds.into_iter().filter(|holds| *holds == Some(true)).count() as f64)
            }
            Aggregate::Share(rule) => {
                let known: Vec<bool> = rule.holds(rows)?.into_iter().flatten().collect();
                let holds = known.iter().filter(|holds| **holds).count();
                (!known.is_empty()).then(|| holds as f64 / known.len() as f64)
            }
        })
    }

    /// A number of each row; none where it is missing, or is none.
    fn values(&self, value: &Value, rows: &RecordBatch) -> Result<Vec<Option<f64>>> {
        Ok(match value {
            Tree::Number(number) => vec![Some(*number); rows.num_rows()],
            Tree::Negative(inner) => {
                let values = self.values(inner, rows)?;
                values.into_iter().map(|value| value.map(|value| -value)).collect()
            }
            Tree::Two(left, sign, right) => {
                let both = self.values(left, rows)?.into_iter().zip(self.values(right, rows)?);
                both.map(|(left, right)| sign.of(left, right)).collect()
            }
            Tree::Leaf(Cell::Column(name)) => self.numbers(name, rows)?,
            Tree::Leaf(Cell::Case(branches, otherwise)) => {
                let mut values = match otherwise {
                    Some(otherwise) => self.values(otherwise, rows)?,
                    None => vec![None; rows.num_rows()],
                };
                // The first one that holds counts, so it is put last.
                for (rule, then) in branches.iter().rev() {
                    let holds = rule.holds(rows)?;
                    let then = self.values(then, rows)?;
                    for ((value, holds), then) in values.iter_mut().zip(holds).zip(then) {
                        if holds == Some(true) {
                            *value = then;
                        }
                    }
                }
                values
            }
        })
    }

    fn numbers(&self, name: &str, rows: &RecordBatch) -> Result<Vec<Option<f64>>> {
        let column: &ArrayRef = rows.column_by_name(name).ok_or_else(|| {
            let schema = rows.schema();
            let names = schema.fields().iter().map(|field| field.name().as_str());
            wrong(
                &self.text,
                format!("there is no column {name:?}; there are {}", list_names(names)),
            )
        })?;
        let data_type = column.data_type();
        let is_number = data_type.is_numeric() || matches!(data_type, DataType::Boolean);
        let numbers = is_number.then(|| arrow_cast::cast(column, &DataType::Float64).ok());
        let numbers = numbers.flatten().ok_or_else(|| {
            wrong(&self.text, format!("column {name:?} holds no numbers ({data_type})"))
        })?;
        let numbers = numbers.as_primitive::<Float64Type>();
        Ok(numbers.iter().map(|value| value.filter(|value| !value.is_nan())).collect())
    }
}

impl Function {
    /// Of no values there is none.
    fn of(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let (mut rows, mut found) = (0_u64, None::<f64>);
        // What a sum of many loses to rounding (Neumaier).
        let mut lost = 0.0;
        for value in values {
            rows += 1;
            found = Some(match (self, found) {
                (_, None) => value,
                (Self::Min, Some(least)) => least.min(value),
                (Self::Max, Some(most)) => most.max(value),
                (Self::Sum | Self::Mean, Some(before)) => {
                    let sum = before + value;
                    let (large, small) =
                        if before.abs() >= value.abs() { (before, value) } else { (value, before) };
                    lost += (large - sum) + small;
                    sum
                }
            });
        }
        let found = found?;
        match self {
            Self::Min | Self::Max => Some(found),
            Self::Sum => Some(found + lost),
            Self::Mean => Some((found + lost) / rows as f64),
        }
    }
}

fn columns_of_value(
    value: &Value,
    of_rule: &mut dyn FnMut(&RowRule) -> Vec<String>,
    columns: &mut BTreeSet<String>,
) {
    value.for_each(&mut |cell| match cell {
        Cell::Column(name) => {
            columns.insert(name.clone());
        }
        Cell::Case(branches, otherwise) => {
            for (rule, then) in branches {
                columns.extend(of_rule(rule));
                columns_of_value(then, of_rule, columns);
            }
            if let Some(otherwise) = otherwise {
                columns_of_value(otherwise, of_rule, columns);
            }
        }
    });
}

fn wrong(text: &str, reason: String) -> Error {
    Error::Condition {
        condition: shorten(text),
        reason,
        hint: "write: sum(amount), mean(a - b), count(*), share(status = paid), or \
               sum(case when status = paid then amount else 0 end) / count(*); names with signs in double quotes"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Float64Array, Int64Array, StringArray};

    use super::*;

    fn rows() -> RecordBatch {
        let columns: [(&str, ArrayRef); 5] = [
            ("amount", Arc::new(Float64Array::from(vec![Some(10.0), Some(20.0), None, Some(5.5)]))),
            ("cost", Arc::new(Int64Array::from(vec![1, 2, 3, 0]))),
            ("said", Arc::new(StringArray::from(vec!["yes", "no", "yes", "no"]))),
            (
                "truth",
                Arc::new(StringArray::from(vec![Some("yes"), Some("yes"), Some("no"), None])),
            ),
            ("odd name", Arc::new(BooleanArray::from(vec![true, true, false, true]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn values_are_those_of_sql() {
        // As SQLite has them.
        for (text, expected) in [
            ("count(*)", Some(4.0)),
            ("sum(amount)", Some(35.5)),
            ("mean(amount) * 2 - 1", Some(35.5 / 3.0 * 2.0 - 1.0)),
            ("min(amount) + max(cost)", Some(8.5)),
            ("-(sum(cost) - 10) / 4", Some(1.0)),
            ("sum(amount - cost)", Some(32.5)),
            ("sum(amount / cost)", Some(20.0)),
            ("count(said = truth)", Some(1.0)),
            ("share(said = truth)", Some(1.0 / 3.0)),
            ("share(truth = \"yes\")", Some(2.0 / 3.0)),
            ("count(truth is null)", Some(1.0)),
            ("sum(\"odd name\")", Some(3.0)),
            (
                "sum(case when said = yes and truth = yes then 100 when said = yes then -10 else 0 end)",
                Some(90.0),
            ),
            ("sum(CASE WHEN (said = 'no') THEN amount END)", Some(25.5)),
            ("sum(case when said = maybe then amount end)", None),
            ("sum(amount) / (count(*) - 4)", None),
            ("2e-1 * count(*)", Some(0.8)),
        ] {
            let metric: Metric = text.parse().unwrap();
            let value = metric.value(&rows()).unwrap();
            let is_it = match (value, expected) {
                (Some(value), Some(expected)) => (value - expected).abs() < 1e-12,
                (value, expected) => value == expected,
            };
            assert!(is_it, "{text}: {value:?}, not {expected:?}");
        }
        let none = rows().slice(0, 0);
        let of = |text: &str| text.parse::<Metric>().unwrap().value(&none).unwrap();
        assert_eq!(
            [of("count(*)"), of("sum(cost)"), of("share(cost > 1)")],
            [Some(0.0), None, None]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("", "is wanted at its end"),
            ("amount", "sum(…)"),
            ("sum(amount", "a closing parenthesis is wanted at its end"),
            ("median(amount)", "there is no median(…)"),
            ("sum(amount) sum(cost)", "does not go on"),
            ("sum(case amount end)", "`when` after `case`"),
            ("sum(case when said = yes amount end)", "`then` after a condition"),
            ("sum(case when said = yes then 1)", "`end` of a `case`"),
            ("share(said)", ""),
            ("sum('amount)", "a quote is not closed"),
            ("sum(sum(amount))", "a closing parenthesis"),
        ] {
            let error = text.parse::<Metric>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!("(".repeat(400).parse::<Metric>().is_err());
        assert!(format!("{}1", "1+".repeat(5000)).parse::<Metric>().is_err());
        let of =
            |text: &str| text.parse::<Metric>().unwrap().value(&rows()).unwrap_err().to_string();
        assert!(of("sum(amuont)").contains("there is no column \"amuont\""));
        assert!(of("sum(said)").contains("holds no numbers"));
        assert!(of("count(amount > cheap)").contains("cannot be compared"));
    }

    #[test]
    fn columns_are_named_those_on_the_right_side_too() {
        let metric: Metric =
            "sum(case when said = truth then amount end) / count(*)".parse().unwrap();
        assert_eq!(metric.columns(), ["amount", "said"]);
        let names = ["said", "truth", "amount", "other"].map(str::to_owned);
        assert_eq!(metric.columns_of(&names), ["amount", "said", "truth"]);
    }
}
