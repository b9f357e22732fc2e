//! Arrow arrays of any type as arrays of a signature's types.
//!
//! The rules are those of `_enforce_mlflow_datatype` in
//! `mlflow/models/utils.py`, which is all that upstream does with Parquet: whole numbers and floats
//! widen, 32-bit whole numbers become doubles, 64-bit ones only where all are 0, 1 or missing;
//! dates become datetimes, decimals doubles; nothing else changes its type.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, Float32Array, Float64Array, ListArray, MapArray, StructArray,
    new_null_array,
};
use arrow_buffer::ScalarBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType as ArrowType, Field};

use super::cast::{Casting, takes_null};
use crate::model::DataType;

/// Why a column does not become what the signature says.
#[derive(Debug)]
pub(super) enum Misfit {
    /// Its type is another, by numpy's name.
    Type(String),
    /// A value of this row is missing or out of range.
    Value(usize, &'static str),
    /// Anything else, as a sentence.
    Other(String),
}

impl From<ArrowError> for Misfit {
    fn from(error: ArrowError) -> Self {
        Self::Other(error.to_string())
    }
}

/// Without dictionaries and without the views and large offsets that nobody here needs.
pub(super) fn plain(array: &ArrayRef) -> Result<ArrayRef, Misfit> {
    let kind = match array.data_type() {
        ArrowType::Dictionary(_, values) => ArrowType::clone(values),
        ArrowType::LargeUtf8 | ArrowType::Utf8View => ArrowType::Utf8,
        ArrowType::LargeBinary | ArrowType::BinaryView | ArrowType::FixedSizeBinary(_) => {
            ArrowType::Binary
        }
        ArrowType::LargeList(item) | ArrowType::FixedSizeList(item, _) => {
            ArrowType::List(Arc::clone(item))
        }
        _ => return Ok(Arc::clone(array)),
    };
    let array = exact(array, &kind)?;
    // The values of a dictionary may be of such a type themselves.
    plain(&array)
}

/// A cast that fails rather than make a null.
pub(super) fn exact(array: &ArrayRef, kind: &ArrowType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(array, kind, &CastOptions { safe: false, ..CastOptions::default() })
}

/// The array as one of the signature's type, if it goes into that.
pub(super) fn convert(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, Misfit> {
    let wanted = data_type.arrow_type();
    let misfit = || Misfit::Type(type_name(array));
    match (data_type, array.data_type()) {
        (DataType::Array(items), ArrowType::List(_)) => {
            let lists = array.as_list::<i32>();
            let values = convert(&plain(lists.values())?, items)?;
            let field = Arc::new(Field::new("item", items.arrow_type(), true));
            let nulls = lists.nulls().cloned();
            Ok(Arc::new(ListArray::try_new(field, lists.offsets().clone(), values, nulls)?))
        }
        (DataType::Object(properties), ArrowType::Struct(_)) => {
            object(array.as_struct(), properties)
        }
        (DataType::Map(values), ArrowType::Map(_, _)) => map(array.as_map(), values),
        // A column of nothing but missing values is a column of anything.
        (DataType::Any, ArrowType::Null) => Ok(new_null_array(&wanted, array.len())),
        (DataType::Any, _) => Err(Misfit::Other(
            "columns of any type cannot be sent as Parquet; send JSON".to_owned(),
        )),
        (DataType::Array(_) | DataType::Object(_) | DataType::Map(_), _) => Err(misfit()),
        _ if goes_into(array, data_type) => Ok(exact(array, &wanted)?),
        (DataType::Datetime, ArrowType::Timestamp(_, Some(_))) => Err(Misfit::Other(
            "Please ensure that the input data of datetime column only contains timezone-naive \
             datetime objects."
                .to_owned(),
        )),
        _ => Err(misfit()),
    }
}

/// Whether all values of the array are values of the scalar type.
fn goes_into(array: &ArrayRef, data_type: &DataType) -> bool {
    use ArrowType::{
        Binary, Boolean, Date32, Date64, Decimal128, Decimal256, Float16, Float32, Float64, Int8,
        Int16, Int32, Int64, Null, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8,
    };

    let kind = array.data_type();
    match data_type {
        DataType::Boolean => matches!(kind, Boolean),
        DataType::Integer => matches!(kind, Int8 | Int16 | Int32 | UInt8 | UInt16),
        DataType::Long => matches!(kind, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32),
        DataType::Float => {
            matches!(kind, Float16 | Float32 | Null)
                || (matches!(kind, Int64) && zeros_and_ones(array))
        }
        DataType::Double => match kind {
            Float16 | Float32 | Float64 | Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32
            | Decimal128(..) | Decimal256(..) | Null => true,
            // pandas makes floats of whole numbers beside missing ones.
            Int64 => array.null_count() > 0 || zeros_and_ones(array),
            UInt64 => array.null_count() > 0,
            _ => false,
        },
        DataType::String => matches!(kind, Utf8 | Null),
        DataType::Binary => matches!(kind, Binary | Utf8),
        DataType::Datetime => matches!(kind, Timestamp(_, None) | Date32 | Date64 | Null),
        DataType::Array(_) | DataType::Object(_) | DataType::Map(_) | DataType::Any => false,
    }
}

fn zeros_and_ones(array: &ArrayRef) -> bool {
    array.as_primitive::<Int64Type>().iter().flatten().all(|value| value == 0 || value == 1)
}

fn object(
    array: &StructArray,
    properties: &[(String, DataType, bool)],
) -> Result<ArrayRef, Misfit> {
    if let Some(extra) =
        array.column_names().into_iter().find(|name| properties.iter().all(|(p, ..)| p != name))
    {
        return Err(Misfit::Other(format!(
            "Invalid properties not defined in the schema found: {{'{extra}'}}"
        )));
    }
    let mut arrays = Vec::with_capacity(properties.len());
    for (name, data_type, required) in properties {
        arrays.push(match array.column_by_name(name) {
            Some(column) => convert(&plain(column)?, data_type)?,
            None if *required => {
                return Err(Misfit::Other(format!("Missing required properties: {{'{name}'}}")));
            }
            None => new_null_array(&data_type.arrow_type(), array.len()),
        });
    }
    let ArrowType::Struct(fields) = DataType::Object(properties.to_vec()).arrow_type() else {
        return Err(Misfit::Other("an object is a struct".to_owned()));
    };
    let nulls = array.nulls().cloned();
    if arrays.is_empty() {
        return Ok(Arc::new(StructArray::new_empty_fields(array.len(), nulls)));
    }
    // Values under a missing object may themselves be missing.
    let hidden = |field: &Arc<Field>| Arc::new(Field::clone(field).with_nullable(true));
    let lenient = fields.iter().map(hidden).collect();
    let built = StructArray::try_new(lenient, arrays, nulls)?;
    for ((name, _, required), column) in properties.iter().zip(built.columns()) {
        let is_missing = |row: &usize| built.is_valid(*row) && column.is_null(*row);
        if *required && let Some(row) = (0..built.len()).find(is_missing) {
            return Err(Misfit::Other(format!("row {row}: property '{name}' is missing")));
        }
    }
    Ok(Arc::new(built))
}

fn map(array: &MapArray, values: &DataType) -> Result<ArrayRef, Misfit> {
    let keys = plain(array.keys())?;
    if keys.data_type() != &ArrowType::Utf8 {
        return Err(Misfit::Other(
            "Expected all keys in the map type data are string type.".to_owned(),
        ));
    }
    let converted = convert(&plain(array.values())?, values)?;
    let ArrowType::Map(field, sorted) = DataType::Map(Box::new(values.clone())).arrow_type() else {
        return Err(Misfit::Other("a map is a map".to_owned()));
    };
    let ArrowType::Struct(fields) = field.data_type() else {
        return Err(Misfit::Other("a map has entries".to_owned()));
    };
    let entries = StructArray::try_new(fields.clone(), vec![keys, converted], None)?;
    let nulls = array.nulls().cloned();
    Ok(Arc::new(MapArray::try_new(field, array.offsets().clone(), entries, nulls, sorted)?))
}

/// What may be missing is what may be missing in JSON.
pub(super) fn refuse_nulls(
    array: &ArrayRef,
    data_type: &DataType,
    required: bool,
    nested: bool,
    casting: Casting,
) -> Result<(), Misfit> {
    // pandas has no missing whole number, so upstream refuses even optional ones.
    let is_pandas_int =
        matches!(data_type, DataType::Integer | DataType::Long) && casting == Casting::Upstream;
    let allowed = takes_null(data_type, required, nested, casting) && !is_pandas_int;
    if !allowed && array.null_count() > 0 {
        let row = (0..array.len()).find(|row| array.is_null(*row)).unwrap_or_default();
        return Err(Misfit::Value(row, "a value is missing"));
    }
    match data_type {
        DataType::Array(items) => {
            refuse_nulls(array.as_list::<i32>().values(), items, true, true, casting)
        }
        DataType::Map(values) => refuse_nulls(array.as_map().values(), values, true, true, casting),
        _ => Ok(()),
    }
}

/// Puts a NaN under each null, for readers that do not look at nulls.
pub(super) fn with_nan(array: ArrayRef) -> ArrayRef {
    if array.null_count() == 0 {
        return array;
    }
    let nulls = array.nulls().cloned();
    match array.data_type() {
        ArrowType::Float64 => {
            let values = array.as_primitive::<Float64Type>().iter();
            let values: ScalarBuffer<f64> = values.map(|v| v.unwrap_or(f64::NAN)).collect();
            Arc::new(Float64Array::new(values, nulls))
        }
        ArrowType::Float32 => {
            let values = array.as_primitive::<Float32Type>().iter();
            let values: ScalarBuffer<f32> = values.map(|v| v.unwrap_or(f32::NAN)).collect();
            Arc::new(Float32Array::new(values, nulls))
        }
        _ => array,
    }
}

/// The type by numpy's name, as pandas would have read the column.
fn type_name(array: &ArrayRef) -> String {
    use ArrowType::{
        Boolean, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Timestamp, UInt8, UInt16,
        UInt32, UInt64,
    };

    let kind = array.data_type();
    let whole = matches!(kind, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64);
    match kind {
        _ if whole && array.null_count() > 0 => "float64".to_owned(),
        Boolean if array.null_count() == 0 => "bool".to_owned(),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float16 | Float32
        | Float64 => kind.to_string().to_lowercase(),
        Timestamp(_, _) => "datetime64[ns]".to_owned(),
        ArrowType::Utf8 => "str".to_owned(),
        _ => "object".to_owned(),
    }
}
