//! A request that is a table already (Parquet), against the signature.
//!
//! Its columns have types of their own, so nothing is parsed: a type either goes into the
//! signature's without loss or it does not. The rules are those of `_enforce_mlflow_datatype` in
//! `mlflow/models/utils.py`, which is all that upstream does with Parquet: whole numbers and floats
//! widen, 32-bit whole numbers become doubles, 64-bit ones only where all are 0, 1 or missing;
//! dates become datetimes, decimals doubles; nothing else changes its type.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, Float32Array, Float64Array, ListArray, MapArray, RecordBatch,
    RecordBatchOptions, StructArray, new_null_array,
};
use arrow_buffer::ScalarBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType as ArrowType, Field};

use super::context::{Casting, Context};
use super::names::numpy_name;
use super::plan::{Content, Input, Plan};
use super::rejection::{Rejection, Violation};
use super::request::Request;
use super::tensor_table;
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

/// Converts the columns of a table to those of the plan. `absent` are optional columns that the
/// table does not have.
pub(super) fn read<'e>(
    plan: &'e Plan,
    mut request: Request<'e>,
    table: &RecordBatch,
) -> Result<(RecordBatch, Vec<String>, Vec<String>), Rejection> {
    let schema = table.schema_ref();
    let mut names = HashSet::with_capacity(schema.fields().len());
    let twice = schema.fields().iter().find(|field| plan.named && !names.insert(field.name()));
    if let Some(name) = twice.map(|field| field.name()) {
        return Err(Rejection::parse(format!("Invalid input. Column '{name}' is given twice.")));
    }
    if let Some(arrays) = tensor_table::side_by_side(plan, table) {
        let array = arrays.map_err(|problem| request.schema_rejection(&problem))?;
        return Ok((batch(plan, vec![array], table.num_rows())?, Vec::new(), Vec::new()));
    }
    let mut missing = Vec::new();
    let mut absent = Vec::new();
    let mut arrays = Vec::with_capacity(plan.inputs.len());
    for (position, input) in plan.inputs.iter().enumerate() {
        let found = if plan.named {
            schema.index_of(&input.name).ok()
        } else {
            Some(position).filter(|position| *position < table.num_columns())
        };
        let Some(found) = found else {
            if input.is_required() {
                missing.push(input.name.as_str());
            } else {
                absent.push(input.name.clone());
            }
            let empty = plan.arrow.field(position).data_type();
            arrays.push(new_null_array(empty, table.num_rows()));
            continue;
        };
        request.context.enter(input);
        match column(table.column(found), input, &request.context) {
            Ok(array) => arrays.push(array),
            Err(misfit) => {
                report(&mut request.context, input, misfit);
                arrays
                    .push(new_null_array(plan.arrow.field(position).data_type(), table.num_rows()));
            }
        }
    }
    for field in schema.fields() {
        if plan.named && plan.lookup(field.name(), 0).is_none() {
            request.note_extra(field.name());
        }
    }
    if !missing.is_empty() {
        return Err(request.missing_rejection(&missing));
    }
    if !request.context.is_clean() {
        return Err(refused(request));
    }
    Ok((batch(plan, arrays, table.num_rows())?, absent, request.extra))
}

fn batch(plan: &Plan, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, Rejection> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(plan.arrow.clone(), arrays, &options)
        .map_err(|error| Rejection::parse(format!("Invalid input. {error}")))
}

/// Upstream finds types that do not fit when it enforces the schema, and says the first.
fn refused(request: Request<'_>) -> Rejection {
    let first = request.context.first_problem().unwrap_or_default();
    let mut rejection = request.schema_rejection(&first);
    (rejection.violations, rejection.violations_total) = request.context.into_violations();
    rejection
}

fn report(context: &mut Context<'_>, input: &Input, misfit: Misfit) {
    let expected = match &input.content {
        Content::Column { data_type, .. } => data_type.to_string(),
        Content::Tensor { dtype, .. } => dtype.clone(),
    };
    let incompatible = |found: &str| {
        let wanted = match &input.content {
            // numpy's name of a text without a length.
            Content::Column { data_type: DataType::String, .. } => "<U0".to_owned(),
            Content::Column { data_type, .. } => numpy_name(data_type),
            Content::Tensor { dtype, .. } => dtype.clone(),
        };
        format!(
            "Incompatible input types for column {}. Can not safely convert {found} to {wanted}.",
            input.name
        )
    };
    let (row, problem) = match (misfit, &input.content) {
        (Misfit::Type(found), _) => (None, incompatible(&found)),
        // pandas makes floats of whole numbers beside a missing one.
        (
            Misfit::Value(row, _),
            Content::Column { data_type: DataType::Integer | DataType::Long, .. },
        ) => (Some(row), incompatible("float64")),
        (Misfit::Value(row, problem), _) => {
            (Some(row), format!("column '{}', row {row}: {problem}", input.name))
        }
        (Misfit::Other(problem), _) => (None, format!("column '{}': {problem}", input.name)),
    };
    let column = Some(input.name.clone());
    context.report(Violation { column, row, value: None, expected: Some(expected), problem });
}

fn column(array: &ArrayRef, input: &Input, context: &Context<'_>) -> Result<ArrayRef, Misfit> {
    match &input.content {
        Content::Column { data_type, required } => {
            let array = convert(&plain(array)?, data_type)?;
            refuse_nulls(&array, data_type, *required, false, context.casting)?;
            Ok(with_nan(array))
        }
        Content::Tensor { dtype, shape } => tensor_table::column(&plain(array)?, dtype, shape),
    }
}

/// Without dictionaries and without the views and large offsets that nobody here needs.
fn plain(array: &ArrayRef) -> Result<ArrayRef, Misfit> {
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

fn convert(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, Misfit> {
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

/// What may be missing is what may be missing in JSON; see `Column::null`.
fn refuse_nulls(
    array: &ArrayRef,
    data_type: &DataType,
    required: bool,
    nested: bool,
    casting: Casting,
) -> Result<(), Misfit> {
    let allowed = match data_type {
        DataType::Any => true,
        DataType::Float | DataType::Double | DataType::Datetime | DataType::String => {
            !required || !nested
        }
        DataType::Boolean => !required || casting == Casting::Upstream,
        // pandas has no missing whole number, so upstream refuses even optional ones.
        DataType::Integer | DataType::Long => !required && casting != Casting::Upstream,
        _ => !required,
    };
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
fn with_nan(array: ArrayRef) -> ArrayRef {
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
