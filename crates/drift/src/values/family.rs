//! What a type is, beyond its width, and what people call it.

use arrow_schema::{DataType, TimeUnit};

/// What a type is, beyond its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Float,
    Integer,
    Unsigned,
    Decimal,
    Boolean,
    String,
    Dictionary,
    /// Points in time: dates and timestamps.
    Instant,
    /// Times of day and durations.
    Interval,
    Null,
    Nested,
}

pub(crate) fn family(data_type: &DataType) -> Family {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Family::Float,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Family::Integer,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            Family::Unsigned
        }
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Family::Decimal,
        DataType::Boolean => Family::Boolean,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::String,
        DataType::Dictionary(_, values) => match family(values) {
            Family::Nested => Family::Nested,
            Family::Null => Family::Null,
            _ => Family::Dictionary,
        },
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Family::Instant,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) => Family::Interval,
        DataType::Null => Family::Null,
        _ => Family::Nested,
    }
}

/// A short name of a type for people: `int64`, `string`, `timestamp`.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Dictionary(_, values) => format!("category of {}", type_name(values)),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(zone)) => format!("timestamp in {zone}"),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Duration(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
        ) => "duration".to_owned(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            "list".to_owned()
        }
        DataType::Struct(_) => "struct".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}
