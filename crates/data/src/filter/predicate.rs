//! Conditions for rows that lie elsewhere: the same tree, with values of the types that columns have there.

use arrow_schema::DataType;

use super::condition::{Comparison, Condition, Operand, Operator};
use super::parse::parse;
use super::rows::RowFilter;
use super::target::Target;
use super::times::instant;
use crate::csv::value::boolean;
use crate::error::{Error, Result, list_names, shorten};
use crate::reading::amount;

/// Which rows are meant, by SQL's logic: a comparison with a null is neither true nor false, and so is `not` of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// All of these.
    All(Vec<Self>),
    /// One of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// No value. A number that is none (NaN) is a value here.
    IsNull(String),
    /// A value that compares so with one of these. What is no number is unequal to each, and neither less nor greater.
    Compares {
        /// The column on the left.
        column: String,
        /// How it compares.
        operator: Operator,
        /// The right side; they are of one kind.
        values: Vec<Value>,
    },
}

/// A value that a column is held to.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of flags.
    Flag(bool),
    /// Of whole numbers.
    Whole(i128),
    /// Of numbers: they are compared in double precision.
    Number(f64),
    /// Of times: microseconds since 1970, in UTC where the column has no zone.
    Moment(i64),
    /// Of text, in the order of its bytes.
    Text(String),
}

impl RowFilter {
    /// What the rows are held to, where the columns are these; `None` where every row is kept.
    ///
    /// # Errors
    ///
    /// Where a condition cannot be read, names a column that is not there, or a value that does not compare with it.
    pub fn predicate(&self, columns: &[(&str, &DataType)]) -> Result<Option<Predicate>> {
        let mut parts = Vec::new();
        for (bound, operator) in
            [(&self.since, Operator::GreaterEqual), (&self.until, Operator::Less)]
        {
            if let Some(value) = bound {
                let target = Target { condition: value, column: self.time_column()?, value };
                let data_type = type_of(columns, &target)?;
                let moment = instant(value)
                    .filter(|_| is_time(data_type))
                    .ok_or_else(|| target.not_comparable(data_type))?;
                let (column, values) = (target.column.to_owned(), vec![Value::Moment(moment)]);
                parts.push(Predicate::Compares { column, operator, values });
            }
        }
        for text in &self.conditions {
            parts.push(typed(parse(text)?, text, columns)?);
        }
        Ok((!parts.is_empty()).then_some(Predicate::All(parts)))
    }
}

fn typed(condition: Condition, text: &str, columns: &[(&str, &DataType)]) -> Result<Predicate> {
    let all = |parts: Vec<Condition>| -> Result<Vec<Predicate>> {
        parts.into_iter().map(|part| typed(part, text, columns)).collect()
    };
    Ok(match condition {
        Condition::And(parts) => Predicate::All(all(parts)?),
        Condition::Or(parts) => Predicate::Any(all(parts)?),
        Condition::Not(inner) => Predicate::Not(Box::new(typed(*inner, text, columns)?)),
        Condition::Comparison(Comparison { column, operator, operand }) => {
            let data_type = type_of(columns, &target(text, &column, ""))?;
            let values = match operand {
                Operand::AnyOf(values) => values,
                Operand::Null if operator == Operator::Equal => {
                    return Ok(Predicate::IsNull(column));
                }
                Operand::Null => return Ok(Predicate::Not(Box::new(Predicate::IsNull(column)))),
                // Only rules compare columns.
                Operand::Column(other) => {
                    return Err(target(text, &column, &other).not_comparable(data_type));
                }
            };
            let values =
                values.iter().map(|value| of_type(data_type, &target(text, &column, value)));
            let values = values.collect::<Result<_>>()?;
            Predicate::Compares { column, operator, values }
        }
    })
}

fn target<'a>(condition: &'a str, column: &'a str, value: &'a str) -> Target<'a> {
    Target { condition, column, value }
}

fn type_of<'a>(columns: &[(&str, &'a DataType)], target: &Target<'_>) -> Result<&'a DataType> {
    let found = columns.iter().find(|(name, _)| *name == target.column);
    found.map(|(_, data_type)| *data_type).ok_or_else(|| Error::Condition {
        condition: shorten(target.condition),
        reason: format!("there is no column {:?}", target.column),
        hint: format!("the columns are {}", list_names(columns.iter().map(|(name, _)| *name))),
    })
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

/// The value as what its column holds, by the rules by which rows are held to conditions here.
fn of_type(data_type: &DataType, target: &Target<'_>) -> Result<Value> {
    let refused = || target.not_comparable(data_type);
    match data_type {
        DataType::Boolean => boolean(target.value.as_bytes()).map(Value::Flag).ok_or_else(refused),
        _ if is_time(data_type) => instant(target.value).map(Value::Moment).ok_or_else(refused),
        _ if data_type.is_integer() && target.value.parse::<i128>().is_ok() => {
            target.value.parse().map(Value::Whole).map_err(|_| refused())
        }
        _ if data_type.is_numeric() => {
            let plain = target.value.parse().ok();
            let number = plain.or_else(|| amount(target.value));
            number.filter(|number: &f64| !number.is_nan()).map(Value::Number).ok_or_else(refused)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            Ok(Value::Text(target.value.to_owned()))
        }
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::TimeUnit;

    use super::*;

    #[test]
    fn values_have_the_types_of_their_columns() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let columns = [
            ("x", &DataType::Float64),
            ("n", &DataType::Int16),
            ("ok", &DataType::Boolean),
            ("at", &time),
            ("town", &DataType::Utf8),
        ];
        let predicate = |condition: &str| {
            let conditions = vec![condition.to_owned()];
            RowFilter { conditions, ..RowFilter::default() }.predicate(&columns)
        };
        let one = |column: &str, operator, value| {
            let column = column.to_owned();
            Some(Predicate::All(vec![Predicate::Compares {
                column,
                operator,
                values: vec![value],
            }]))
        };
        for (condition, expected) in [
            ("x > 1", one("x", Operator::Greater, Value::Number(1.0))),
            ("n = 7", one("n", Operator::Equal, Value::Whole(7))),
            ("n <= 7.5", one("n", Operator::LessEqual, Value::Number(7.5))),
            ("ok != true", one("ok", Operator::NotEqual, Value::Flag(true))),
            ("at < 1970-01-01T00:00:01Z", one("at", Operator::Less, Value::Moment(1_000_000))),
            ("town = 7", one("town", Operator::Equal, Value::Text("7".to_owned()))),
        ] {
            assert_eq!(predicate(condition).unwrap(), expected, "{condition}");
        }
        let both = predicate("not (n in (1, 2) or x is not null)").unwrap();
        let Some(Predicate::All(parts)) = both else { panic!("{both:?}") };
        let [Predicate::Not(inner)] = parts.as_slice() else { panic!("{parts:?}") };
        let Predicate::Any(parts) = &**inner else { panic!("{inner:?}") };
        assert!(matches!(&parts[0], Predicate::Compares { values, .. } if values.len() == 2));
        assert_eq!(parts[1], Predicate::Not(Box::new(Predicate::IsNull("x".to_owned()))));
        for wrong in ["y = 1", "x = abc", "x = nan", "at > noon", "ok = 3"] {
            assert!(predicate(wrong).is_err(), "{wrong}");
        }
        assert_eq!(RowFilter::default().predicate(&columns).unwrap(), None);
        let window = RowFilter {
            time_column: Some("at".to_owned()),
            until: Some("1970-01-01".to_owned()),
            ..RowFilter::default()
        };
        assert_eq!(
            window.predicate(&columns).unwrap(),
            one("at", Operator::Less, Value::Moment(0))
        );
        let window = RowFilter { time_column: Some("town".to_owned()), ..window };
        assert!(window.predicate(&columns).is_err());
    }
}
