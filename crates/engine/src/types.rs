//! What the columns of an engine's table are: their Arrow types, and what can be asked about each.

use arrow_schema::{DataType, Field};

use crate::dialect::Engine;
use crate::error::{Error, Result};
use crate::limits::{COLUMNS_A_STATEMENT, COLUMNS_MAX};
use crate::session::Session;
use crate::shape::{Form, Shape};
use crate::source::Source;
use crate::statements;

/// The columns that are wanted, in the table's order.
pub(crate) fn shapes(
    session: &mut Session<'_>,
    source: &Source,
    wanted: Option<&[&String]>,
) -> Result<Vec<Shape>> {
    let relation = source.relation();
    let schema = session.schema("its columns", &statements::schema(source.engine(), &relation))?;
    let is_wanted =
        |field: &&std::sync::Arc<Field>| wanted.is_none_or(|names| names.contains(&field.name()));
    let fields: Vec<&Field> = schema.fields().iter().filter(is_wanted).map(AsRef::as_ref).collect();
    if fields.len() > COLUMNS_MAX {
        return Err(Error::TooLarge {
            place: source.shown(),
            found: fields.len() as u64,
            what: "columns",
            most: COLUMNS_MAX as u64,
        });
    }
    if source.engine() == Engine::Sqlite {
        return by_values(session, source, &fields);
    }
    Ok(fields.into_iter().map(|field| by_type(source.engine(), field)).collect())
}

fn by_type(engine: Engine, field: &Field) -> Shape {
    let column = format!("s.{}", engine.quoted(field.name()));
    let shape = |expression: String, data_type: DataType, form| Shape {
        name: field.name().clone(),
        expression,
        data_type,
        form,
    };
    let own = |key: &str| field.metadata().get(key).map(String::as_str);
    match own("POSTGRESQL:type") {
        // Its driver writes them as text, of which a number of fixed digits is made again here.
        Some("numeric") => {
            return match own("POSTGRESQL:typmod").and_then(fixed_digits) {
                Some((precision, scale)) => {
                    shape(column, DataType::Decimal128(precision, scale), Form::Float)
                }
                None => shape(in_double_precision(&column), DataType::Float64, Form::Float),
            };
        }
        // JSON has no order and is not equal to itself, and of the other the driver gives bytes.
        Some("json" | "jsonb" | "citext") => {
            return shape(engine.in_bytes(&column), DataType::Utf8, Form::Text);
        }
        // As text it would lose the blanks at its end.
        Some("bpchar") => {
            return shape(format!("{column} collate \"C\""), DataType::Utf8, Form::Text);
        }
        // Its driver writes hundredths, or whatever the currency has.
        Some("money") => {
            let number = format!("cast(cast({column} as numeric) as double precision)");
            return shape(number, DataType::Float64, Form::Float);
        }
        _ => {}
    }
    let data_type = match (engine, field.data_type()) {
        // There it is the type of all whole numbers.
        (Engine::Snowflake, DataType::Decimal128(_, 0)) => DataType::Int64,
        (_, other) => other.clone(),
    };
    if is_nested(engine, field) {
        return shape(column, data_type, Form::Other);
    }
    match &data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            shape(column, data_type, Form::Float)
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)
            if engine.has_infinite_times() =>
        {
            let finite = format!("case when isfinite({column}) then {column} end");
            shape(finite, data_type, Form::Ordered)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            shape(engine.in_bytes(&column), data_type, Form::Text)
        }
        DataType::Dictionary(_, values) if values.is_string() => {
            shape(engine.in_bytes(&column), data_type, Form::Text)
        }
        DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_) => shape(column, data_type, Form::Ordered),
        other if other.is_numeric() => shape(column, data_type, Form::Ordered),
        _ => shape(column, data_type, Form::Other),
    }
}

/// Whether texts are values of a type that has no order, as JSON, written down.
fn is_nested(engine: Engine, field: &Field) -> bool {
    let own = |key: &str| field.metadata().get(key).map(String::as_str).unwrap_or_default();
    match engine {
        Engine::BigQuery => {
            let name = own("ARROW:extension:name").trim_start_matches("google:sqlType:");
            ["json", "geography", "interval"].contains(&name)
        }
        Engine::Snowflake => {
            let names = [own("SNOWFLAKE_TYPE"), own("logicalType")].map(str::to_ascii_lowercase);
            let nested = ["variant", "object", "array", "map", "geography", "geometry"];
            names.iter().any(|name| nested.contains(&name.as_str()))
        }
        _ => false,
    }
}

/// A `numeric` of PostgreSQL as a double: one that is too large for it would end the statement, and is infinite; one that is too
/// small is 0.
fn in_double_precision(column: &str) -> String {
    // Digits that are read as the largest finite and as the smallest double other than 0.
    const LARGEST: &str = "1.7976931348623158e308";
    const SMALLEST: &str = "4.9406564584124655e-324";
    format!(
        "case when {column} = 'NaN' then 'NaN' when {column} > {LARGEST} then 'Infinity' when {column} < -{LARGEST} then \
         '-Infinity' when abs({column}) < {SMALLEST} then 0 else cast({column} as double precision) end"
    )
}

/// Digits in all and after the point of a `numeric`, out of what PostgreSQL keeps of it: both in one number, and four more.
fn fixed_digits(modifier: &str) -> Option<(u8, i8)> {
    /// Digits that the type holds.
    const PRECISION_MAX: i64 = 38;
    let modifier =
        modifier.parse::<i64>().ok()?.checked_sub(4).filter(|modifier| *modifier >= 0)?;
    let (precision, scale) = (modifier >> 16, modifier & 0x7ff);
    let fits = (1..=PRECISION_MAX).contains(&precision) && scale <= precision;
    fits.then_some((precision as u8, scale as i8))
}

/// SQLite's columns have no types, its values have: text in one makes text of all, a fraction makes fractions of all.
fn by_values(session: &mut Session<'_>, source: &Source, fields: &[&Field]) -> Result<Vec<Shape>> {
    let mut shapes = Vec::with_capacity(fields.len());
    for fields in fields.chunks(COLUMNS_A_STATEMENT) {
        let columns: Vec<String> = fields
            .iter()
            .map(|field| format!("s.{}", source.engine().quoted(field.name())))
            .collect();
        let sql = statements::sqlite_types(&source.relation(), &columns);
        let counts = session.numbers("the types of its values", &sql, columns.len() * 4)?;
        for ((field, column), counts) in fields.iter().zip(columns).zip(counts.as_chunks::<4>().0) {
            let (expression, data_type, form) = match counts {
                [0, 0, 0, 0] => (column, DataType::Null, Form::Other),
                [.., 1..=u64::MAX] => (column, DataType::Binary, Form::Other),
                [_, _, 1..=u64::MAX, _] => {
                    (source.engine().in_bytes(&column), DataType::Utf8, Form::Text)
                }
                [_, 1..=u64::MAX, ..] => {
                    (format!("cast({column} as real)"), DataType::Float64, Form::Float)
                }
                _ => (column, DataType::Int64, Form::Ordered),
            };
            shapes.push(Shape { name: field.name().clone(), expression, data_type, form });
        }
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data_type: DataType, metadata: &[(&str, &str)]) -> Shape {
        let metadata: std::collections::HashMap<String, String> =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let field = Field::new("a \"b\"", data_type, true).with_metadata(metadata);
        by_type(Engine::PostgreSql, &field)
    }

    #[test]
    fn a_type_says_what_is_asked() {
        let numeric = |modifier| {
            of(DataType::Utf8, &[("POSTGRESQL:type", "numeric"), ("POSTGRESQL:typmod", modifier)])
        };
        assert_eq!(numeric("655366").data_type, DataType::Decimal128(10, 2));
        let any = numeric("-1");
        assert!(any.expression.ends_with("cast(s.\"a \"\"b\"\"\" as double precision) end"));
        assert_eq!((any.data_type, any.form), (DataType::Float64, Form::Float));
        assert_eq!(numeric("65536004").data_type, DataType::Float64);
        let json = of(DataType::Utf8, &[("POSTGRESQL:type", "jsonb")]);
        assert_eq!(json.expression, "cast(s.\"a \"\"b\"\"\" as text) collate \"C\"");
        assert_eq!(of(DataType::Int64, &[("POSTGRESQL:type", "money")]).form, Form::Float);
        let padded = of(DataType::Utf8, &[("POSTGRESQL:type", "bpchar")]);
        assert_eq!(padded.expression, "s.\"a \"\"b\"\"\" collate \"C\"");
        assert_eq!(of(DataType::Int32, &[]).form, Form::Ordered);
        assert_eq!(of(DataType::FixedSizeBinary(16), &[]).form, Form::Other);
        assert!(of(DataType::Date32, &[]).expression.starts_with("case when isfinite("));
    }

    #[test]
    fn what_is_written_down_as_text_has_no_order() {
        let form = |engine, key: &str, name: &str| {
            let metadata = std::collections::HashMap::from([(key.to_owned(), name.to_owned())]);
            by_type(engine, &Field::new("a", DataType::Utf8, true).with_metadata(metadata)).form
        };
        let extension = "ARROW:extension:name";
        assert_eq!(form(Engine::BigQuery, extension, "google:sqlType:json"), Form::Other);
        assert_eq!(form(Engine::BigQuery, extension, "google:sqlType:datetime"), Form::Text);
        assert_eq!(form(Engine::Snowflake, "logicalType", "VARIANT"), Form::Other);
        assert_eq!(form(Engine::Snowflake, "SNOWFLAKE_TYPE", "text"), Form::Text);
    }
}
