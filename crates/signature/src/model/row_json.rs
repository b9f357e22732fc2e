//! One cell of an Arrow column as the JSON that MLflow's scoring protocol has for it.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// The value in `row`: null for missing values and NaN, base64 for bytes, ISO 8601 for times.
pub(super) fn cell(column: &dyn Array, row: usize) -> Result<Value> {
    if row >= column.len() || column.is_null(row) {
        return Ok(Value::Null);
    }
    if let Some(value) = number(column, row) {
        return Ok(value);
    }
    Ok(match column.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into(),
        DataType::Utf8View => column.as_string_view().value(row).into(),
        DataType::Binary => BASE64.encode(column.as_binary::<i32>().value(row)).into(),
        DataType::LargeBinary => BASE64.encode(column.as_binary::<i64>().value(row)).into(),
        DataType::BinaryView => BASE64.encode(column.as_binary_view().value(row)).into(),
        DataType::FixedSizeBinary(_) => {
            BASE64.encode(column.as_fixed_size_binary().value(row)).into()
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => time(column, row)?,
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let key = dictionary.normalized_keys().get(row).copied().unwrap_or_default();
            cell(dictionary.values().as_ref(), key)?
        }
        DataType::List(_) => list(&column.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => list(&column.as_list::<i64>().value(row))?,
        DataType::FixedSizeList(..) => list(&column.as_fixed_size_list().value(row))?,
        DataType::Struct(fields) => {
            let mut object = Map::new();
            for (field, values) in fields.iter().zip(column.as_struct().columns()) {
                object.insert(field.name().clone(), cell(values.as_ref(), row)?);
            }
            Value::Object(object)
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let mut object = Map::new();
            if let [keys, values] = entries.columns() {
                for entry in 0..entries.len() {
                    if let Value::String(key) = cell(keys.as_ref(), entry)? {
                        object.insert(key, cell(values.as_ref(), entry)?);
                    }
                }
            }
            Value::Object(object)
        }
        other => return Err(unsupported(other)),
    })
}

fn number(column: &dyn Array, row: usize) -> Option<Value> {
    Some(match column.data_type() {
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        // `Value::from` turns NaN and the infinities into null, as MLflow does with NaN.
        DataType::Float16 => column.as_primitive::<Float16Type>().value(row).to_f64().into(),
        DataType::Float32 => f64::from(column.as_primitive::<Float32Type>().value(row)).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        _ => return None,
    })
}

fn time(column: &dyn Array, row: usize) -> Result<Value> {
    let time = match column.data_type() {
        DataType::Date32 => column.as_primitive::<Date32Type>().value_as_datetime(row),
        DataType::Date64 => column.as_primitive::<Date64Type>().value_as_datetime(row),
        DataType::Timestamp(TimeUnit::Second, _) => {
            column.as_primitive::<TimestampSecondType>().value_as_datetime(row)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            column.as_primitive::<TimestampMillisecondType>().value_as_datetime(row)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            column.as_primitive::<TimestampNanosecondType>().value_as_datetime(row)
        }
        other => return Err(unsupported(other)),
    };
    let time = time.ok_or_else(|| Error::data(format!("row {row}: the time is out of range")))?;
    // One format for a whole column, because pandas takes it from the first value.
    let format = match column.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => "%Y-%m-%dT%H:%M:%S%.9f",
        DataType::Timestamp(TimeUnit::Microsecond, _) => "%Y-%m-%dT%H:%M:%S%.6f",
        DataType::Timestamp(TimeUnit::Millisecond, _) => "%Y-%m-%dT%H:%M:%S%.3f",
        _ => "%Y-%m-%dT%H:%M:%S",
    };
    Ok(time.format(format).to_string().into())
}

fn list(values: &ArrayRef) -> Result<Value> {
    (0..values.len()).map(|row| cell(values.as_ref(), row)).collect::<Result<_>>().map(Value::Array)
}

fn unsupported(kind: &DataType) -> Error {
    Error::data(format!("values of type {kind} have no form in MLflow's scoring protocol"))
}
