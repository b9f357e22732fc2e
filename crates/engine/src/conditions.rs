//! Which rows count, in an engine's SQL: what [`RowFilter`](trainyard_data::RowFilter) keeps of a file is kept there.

use arrow_schema::DataType;
use chrono::DateTime;
use trainyard_data::{Operator, Predicate, Value};

use crate::dialect::Engine;
use crate::shape::{Form, Shape};

/// What stands after `where`. `None` where a time has no form that engines read.
pub(crate) fn sql(engine: Engine, predicate: &Predicate, shapes: &[Shape]) -> Option<String> {
    let kept = kept(engine, predicate, shapes)?;
    let Predicate::All(parts) = predicate else { return Some(kept) };
    let bare = parts.iter().filter_map(|part| bare(engine, part, shapes));
    Some(bare.chain([kept]).collect::<Vec<_>>().join(" and "))
}

/// A bound of times, held to the column as it is stored: engines look into partitions and indices for nothing else.
fn bare(engine: Engine, part: &Predicate, shapes: &[Shape]) -> Option<String> {
    let Predicate::Compares { column, operator, values } = part else { return None };
    let [value @ Value::Moment(_)] = values.as_slice() else { return None };
    let shape = of(shapes, column)?;
    let expression = format!("s.{}", engine.quoted(column));
    let is_other = expression != shape.expression;
    let stored = Shape { expression, ..shape.clone() };
    is_other.then(|| comparison(engine, &stored, *operator, value))?
}

fn kept(engine: Engine, predicate: &Predicate, shapes: &[Shape]) -> Option<String> {
    let all = |parts: &[Predicate], word: &str| -> Option<String> {
        let parts = parts.iter().map(|part| kept(engine, part, shapes));
        Some(format!("({})", parts.collect::<Option<Vec<_>>>()?.join(word)))
    };
    match predicate {
        Predicate::All(parts) => all(parts, " and "),
        Predicate::Any(parts) => all(parts, " or "),
        Predicate::Not(inner) => Some(format!("not {}", kept(engine, inner, shapes)?)),
        Predicate::IsNull(column) => Some(format!("({} is null)", of(shapes, column)?.expression)),
        Predicate::Compares { column, operator, values } => {
            let shape = of(shapes, column)?;
            let one = |value| comparison(engine, shape, *operator, value);
            let any = values.iter().map(one).collect::<Option<Vec<_>>>()?;
            Some(format!("({})", any.join(" or ")))
        }
    }
}

fn of<'a>(shapes: &'a [Shape], column: &str) -> Option<&'a Shape> {
    shapes.iter().find(|shape| shape.name == column)
}

fn comparison(engine: Engine, shape: &Shape, operator: Operator, value: &Value) -> Option<String> {
    let column = &shape.expression;
    let sign = match operator {
        Operator::Equal => "=",
        Operator::NotEqual => "<>",
        Operator::Less => "<",
        Operator::LessEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterEqual => ">=",
    };
    let double = engine.double();
    Some(match value {
        Value::Flag(flag) => format!("{column} {sign} {flag}"),
        Value::Whole(whole) => format!("{column} {sign} ({whole})"),
        Value::Number(number) => {
            let [low, high] = engine.infinities();
            let number = match *number {
                f64::NEG_INFINITY => low,
                f64::INFINITY => high,
                // What is added makes 0 of -0.
                number => format!("cast('{:e}' as {double})", number + 0.0),
            };
            let column = engine.compared(column);
            let compared = format!("{column} {sign} {number}");
            let may_keep_nan = match operator {
                // To most engines it is the largest number, here it is none.
                Operator::Greater | Operator::GreaterEqual => true,
                // Behind Flight SQL it may be the smallest, too.
                Operator::Less | Operator::LessEqual => engine == Engine::FlightSql,
                Operator::Equal | Operator::NotEqual => false,
            };
            match engine.is_nan(&column).filter(|_| may_keep_nan && shape.form == Form::Float) {
                Some(nan) => format!("({compared} and not {nan})"),
                None => compared,
            }
        }
        Value::Moment(microseconds) => {
            let has_zone = matches!(shape.data_type, DataType::Timestamp(_, Some(_)));
            let moment = DateTime::from_timestamp_micros(*microseconds)?;
            let written = moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
            // Years of four digits are what all of them read.
            let is_plain = written.as_bytes().first().is_some_and(u8::is_ascii_digit)
                && written.find('-') == Some(4);
            let moment = engine.moment(&written, has_zone);
            is_plain.then(|| format!("{column} {sign} {moment}"))?
        }
        Value::Text(text) => {
            format!("{column} {sign} {}", engine.text(text)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(name: &str, data_type: DataType, form: Form) -> Shape {
        Shape { name: name.to_owned(), expression: format!("s.\"{name}\""), data_type, form }
    }

    fn of_text(engine: Engine, text: &str) -> Option<String> {
        let shapes = [shape("t", DataType::Utf8, Form::Text)];
        let values = vec![Value::Text(text.to_owned())];
        let column = "t".to_owned();
        sql(engine, &Predicate::Compares { column, operator: Operator::Equal, values }, &shapes)
    }

    #[test]
    fn a_value_never_ends_its_quotes() {
        for (engine, expected) in [
            (Engine::DuckDb, "(s.\"t\" = 'a'' or \\'';--')"),
            (Engine::PostgreSql, "(s.\"t\" = E'a'' or \\\\'';--')"),
            (Engine::Spark, "(s.\"t\" = 'a\\' or \\\\\\';--')"),
            (Engine::Sqlite, "(s.\"t\" = 'a'' or \\'';--')"),
            (Engine::FlightSql, "(s.\"t\" = 'a'' or \\'';--')"),
            (Engine::Snowflake, "(s.\"t\" = 'a'' or \\\\'';--')"),
            (Engine::BigQuery, "(s.\"t\" = 'a\\' or \\\\\\';--')"),
        ] {
            assert_eq!(of_text(engine, "a' or \\';--").unwrap(), expected);
            assert_eq!(of_text(engine, "a\0b"), None);
        }
    }

    #[test]
    fn what_is_no_number_is_not_greater() {
        let shapes = [shape("x", DataType::Float32, Form::Float)];
        let compares = |operator| Predicate::Compares {
            column: "x".to_owned(),
            operator,
            values: vec![Value::Number(-0.5)],
        };
        let not = Predicate::Not(Box::new(Predicate::All(vec![
            compares(Operator::Greater),
            compares(Operator::Less),
            Predicate::IsNull("x".to_owned()),
        ])));
        assert_eq!(
            sql(Engine::DuckDb, &not, &shapes).unwrap(),
            "not (((cast(s.\"x\" as double) > cast('-5e-1' as double) and not cast(s.\"x\" as double) = \
             cast('NaN' as double))) and (cast(s.\"x\" as double) < cast('-5e-1' as double)) and (s.\"x\" is null))"
        );
    }

    #[test]
    fn zero_has_no_sign_and_neither_has_what_is_no_number() {
        let shapes = [shape("x", DataType::Float64, Form::Float)];
        let (column, values) = ("x".to_owned(), vec![Value::Number(-0.0)]);
        let below = Predicate::Compares { column, operator: Operator::Less, values };
        let x = "(cast(s.\"x\" as double) + 0)";
        assert_eq!(
            sql(Engine::FlightSql, &below, &shapes).unwrap(),
            format!("(({x} < cast('0e0' as double) and not abs({x}) = cast('NaN' as double)))")
        );
    }

    #[test]
    fn times_are_written_in_utc() {
        let zone = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()));
        let shapes =
            [shape("at", zone, Form::Ordered), shape("day", DataType::Date32, Form::Ordered)];
        let before = |column: &str, moment| Predicate::Compares {
            column: column.to_owned(),
            operator: Operator::Less,
            values: vec![Value::Moment(moment)],
        };
        assert_eq!(
            sql(Engine::PostgreSql, &before("at", 1_500_000), &shapes).unwrap(),
            "(s.\"at\" < timestamptz '1970-01-01 00:00:01.500000+00')"
        );
        assert_eq!(
            sql(Engine::Spark, &before("day", 0), &shapes).unwrap(),
            "(s.\"day\" < timestamp_ntz '1970-01-01 00:00:00.000000')"
        );
        assert_eq!(sql(Engine::DuckDb, &before("day", i64::MAX), &shapes), None);
    }

    #[test]
    fn a_bound_is_held_to_the_column_itself_too() {
        let expression = "case when isfinite(s.\"day\") then s.\"day\" end".to_owned();
        let finite = Shape { expression, ..shape("day", DataType::Date32, Form::Ordered) };
        let window = Predicate::All(vec![Predicate::Compares {
            column: "day".to_owned(),
            operator: Operator::Less,
            values: vec![Value::Moment(0)],
        }]);
        assert_eq!(
            sql(Engine::PostgreSql, &window, &[finite]).unwrap(),
            "s.\"day\" < timestamp '1970-01-01 00:00:00.000000' and ((case when isfinite(s.\"day\") then s.\"day\" end \
             < timestamp '1970-01-01 00:00:00.000000'))"
        );
    }
}
