//! How types and schemas are written in messages: MLflow's own spelling, which people search for.

use crate::model::{ColSpec, DataType, Schema, TensorSpec};

/// The name that `Failed to convert column … to type` shows: numpy's for plain types.
pub(crate) fn numpy_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::Integer => "int32".to_owned(),
        DataType::Long => "int64".to_owned(),
        DataType::Float => "float32".to_owned(),
        DataType::Double => "float64".to_owned(),
        DataType::String | DataType::Any => "object".to_owned(),
        DataType::Binary => "<class 'object'>".to_owned(),
        DataType::Map(values) if values.scalar_name().is_some() => {
            format!("Map(str -> DataType.{values})")
        }
        DataType::Datetime => "datetime64[ns]".to_owned(),
        nested => nested.to_string(),
    }
}

fn need(required: bool) -> &'static str {
    if required { "required" } else { "optional" }
}

/// The schema as MLflow prints it: `['a': double (required), 'b': long (optional)]`.
pub fn schema_text(schema: &Schema) -> String {
    let parts: Vec<String> = match schema {
        Schema::Columns(columns) => columns.iter().map(column_text).collect(),
        Schema::Tensors(tensors) => tensors.iter().map(tensor_text).collect(),
    };
    format!("[{}]", parts.join(", "))
}

fn column_text(column: &ColSpec) -> String {
    let kind = format!("{} ({})", column.data_type, need(column.required));
    column.name.as_ref().map_or(kind.clone(), |name| format!("'{name}': {kind}"))
}

fn tensor_text(tensor: &TensorSpec) -> String {
    let kind = format!("Tensor('{}', {})", tensor.dtype, shape_text(&tensor.shape));
    tensor.name.as_ref().map_or(kind.clone(), |name| format!("'{name}': {kind}"))
}

/// A shape as Python prints the tuple: `(-1, 4)`, `(3,)`, `()`.
pub(crate) fn shape_text(shape: &[i64]) -> String {
    let parts: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let comma = if parts.len() == 1 { "," } else { "" };
    format!("({}{comma})", parts.join(", "))
}

/// Names as Python prints a list of strings: `['a', 'b']`.
pub(crate) fn list_text<S: AsRef<str>>(names: &[S]) -> String {
    let parts: Vec<String> = names.iter().map(|name| format!("'{}'", name.as_ref())).collect();
    format!("[{}]", parts.join(", "))
}
