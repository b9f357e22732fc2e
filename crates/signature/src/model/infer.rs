//! A signature from data, as `mlflow.models.infer_signature` makes one of a DataFrame.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType as ArrowType;

use super::signature::{ColSpec, DataType, Schema, Signature};
use crate::{Error, Result};

/// The signature of a model that was trained on `inputs` and answered `outputs`.
///
/// What pandas would see decides: a column with missing values (null, and NaN in a float column)
/// is optional, an integer column with missing values is a double.
pub fn infer_signature(inputs: &RecordBatch, outputs: Option<&RecordBatch>) -> Result<Signature> {
    Ok(Signature {
        inputs: Some(infer_schema(inputs)?),
        outputs: outputs.map(infer_schema).transpose()?,
        params: None,
    })
}

/// The schema of one batch of columns.
pub fn infer_schema(batch: &RecordBatch) -> Result<Schema> {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| {
        infer_column(field.name(), column.as_ref())
            .map_err(|error| Error::data(format!("column {:?}: {error}", field.name())))
    });
    let schema = Schema::Columns(columns.collect::<Result<_>>()?);
    schema.check()?;
    Ok(schema)
}

fn infer_column(name: &str, column: &dyn Array) -> Result<ColSpec> {
    let has_nulls = column.logical_null_count() > 0;
    let data_type = match infer_type(column.data_type())? {
        DataType::Integer | DataType::Long if has_nulls => DataType::Double,
        other => other,
    };
    Ok(ColSpec { name: Some(name.to_owned()), data_type, required: !has_nulls && !has_nan(column) })
}

fn has_nan(column: &dyn Array) -> bool {
    match column.data_type() {
        ArrowType::Float16 => column
            .as_primitive::<Float16Type>()
            .iter()
            .flatten()
            .any(|value| value.to_f32().is_nan()),
        ArrowType::Float32 => {
            column.as_primitive::<Float32Type>().iter().flatten().any(f32::is_nan)
        }
        ArrowType::Float64 => {
            column.as_primitive::<Float64Type>().iter().flatten().any(f64::is_nan)
        }
        _ => false,
    }
}

/// MLflow's type for an Arrow type.
fn infer_type(kind: &ArrowType) -> Result<DataType> {
    Ok(match kind {
        ArrowType::Null => DataType::Any,
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8
        | ArrowType::Int16
        | ArrowType::Int32
        | ArrowType::UInt8
        | ArrowType::UInt16 => DataType::Integer,
        ArrowType::UInt32 | ArrowType::Int64 => DataType::Long,
        ArrowType::Float16 | ArrowType::Float32 => DataType::Float,
        ArrowType::Float64
        | ArrowType::Decimal32(..)
        | ArrowType::Decimal64(..)
        | ArrowType::Decimal128(..)
        | ArrowType::Decimal256(..) => DataType::Double,
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::String,
        ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView
        | ArrowType::FixedSizeBinary(_) => DataType::Binary,
        ArrowType::Date32 | ArrowType::Date64 | ArrowType::Timestamp(..) => DataType::Datetime,
        ArrowType::Dictionary(_, values) => infer_type(values)?,
        ArrowType::RunEndEncoded(_, values) => infer_type(values.data_type())?,
        ArrowType::List(item)
        | ArrowType::LargeList(item)
        | ArrowType::ListView(item)
        | ArrowType::LargeListView(item)
        | ArrowType::FixedSizeList(item, _) => {
            DataType::Array(Box::new(infer_type(item.data_type())?))
        }
        ArrowType::Struct(fields) if !fields.is_empty() => {
            let properties = fields.iter().map(|field| {
                Ok((field.name().clone(), infer_type(field.data_type())?, !field.is_nullable()))
            });
            let mut properties: Vec<_> = properties.collect::<Result<_>>()?;
            properties.sort_by(|left, right| left.0.cmp(&right.0));
            DataType::Object(properties)
        }
        ArrowType::Map(entries, _) => match entries.data_type() {
            ArrowType::Struct(fields) => match fields.get(1) {
                Some(values) => DataType::Map(Box::new(infer_type(values.data_type())?)),
                None => return Err(unsupported(kind)),
            },
            _ => return Err(unsupported(kind)),
        },
        // MLflow has no unsigned 64-bit type, and no times of day or spans of time.
        _ => return Err(unsupported(kind)),
    })
}

fn unsupported(kind: &ArrowType) -> Error {
    Error::data(format!(
        "MLflow's signatures have no type for {kind}; convert it to a signed integer, a double, \
         a string or a timestamp"
    ))
}
