//! Whether a model takes rows of its signature's columns at all, where no example shows it.
//!
//! A signature says more than a model can keep when the two were logged apart: text for an estimator of
//! numbers, columns for one that takes them by other names. Such a model would be healthy and refuse every
//! request. So it is asked about one row of plain values, read as a request would be. A value may be at
//! fault there (an unknown category); then a table of the same columns without rows passes, and the model
//! is left alone.

use arrow_array::RecordBatch;
use serde_json::{Map, Value, json};
use trainyard_models::Predictor;
use trainyard_signature::enforce::Protocol;
use trainyard_signature::model::{ColSpec, DataType, Schema, TensorSpec};

use crate::error::{Error, Result};
use crate::served_model::{Engine, ServedModel};
use crate::{blocking, panics};

/// Refuses a model that refuses all that its signature allows; gives back every other. Models that Python
/// runs are asked nothing: their libraries coerce what they are given.
pub(crate) async fn check(served: ServedModel) -> Result<ServedModel> {
    let Some(row) = served.inputs().and_then(row) else { return Ok(served) };
    let probe = move || {
        let refused = match &served.engine {
            Engine::Native(predictor) => refused(&served, &**predictor, &row),
            Engine::Python(_) => None,
        };
        (served, refused)
    };
    let probed = blocking::run(probe).await;
    match probed.map_err(|ended| ended.during("trying the signature"))? {
        (_, Some(reason)) => Err(Error::Signature { reason }),
        (served, None) => Ok(served),
    }
}

/// Why the model takes neither the row nor a table without rows, if it takes neither.
fn refused(served: &ServedModel, predictor: &dyn Predictor, row: &Value) -> Option<String> {
    // What cannot be said as a request says nothing about the model.
    let request = served.enforcer(Protocol::Invocations);
    let request = request.json(row.to_string().as_bytes(), Protocol::Invocations).ok()?;
    // What breaks off is a mistake of ours, and no refusal.
    let ask = |rows: RecordBatch| panics::caught(|| predictor.predict(&rows)).ok()?.err();
    let reason = ask(request.batch.clone())?;
    ask(request.batch.slice(0, 0))?;
    Some(reason.to_string())
}

/// Values of a tensor that is made up; a larger one is not tried.
const VALUES_MAX: usize = 1 << 20;

/// A scoring request of one row.
fn row(inputs: &Schema) -> Option<Value> {
    Some(match inputs {
        Schema::Columns(columns) => {
            let values: Vec<Value> =
                columns.iter().map(|column| value(&column.data_type)).collect();
            let names: Option<Vec<&str>> = columns.iter().map(name).collect();
            match names {
                Some(names) => json!({ "dataframe_split": { "columns": names, "data": [values] } }),
                None => json!({ "dataframe_split": { "data": [values] } }),
            }
        }
        Schema::Tensors(tensors) => match tensors.as_slice() {
            [tensor] if tensor.name.is_none() => json!({ "inputs": zeros(tensor)? }),
            tensors => {
                let named = |tensor: &TensorSpec| Some((tensor.name.clone()?, zeros(tensor)?));
                let inputs: Option<Map<String, Value>> = tensors.iter().map(named).collect();
                json!({ "inputs": inputs? })
            }
        },
    })
}

fn name(column: &ColSpec) -> Option<&str> {
    column.name.as_deref()
}

/// A value that is nothing special.
fn value(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => json!(false),
        DataType::Integer | DataType::Long | DataType::Float | DataType::Double => json!(0),
        DataType::String | DataType::Binary | DataType::Any => json!(""),
        DataType::Datetime => json!("1970-01-01T00:00:00"),
        DataType::Array(items) => json!([value(items)]),
        DataType::Map(_) => json!({}),
        DataType::Object(properties) => {
            let property = |(name, kind, _): &(String, DataType, bool)| (name.clone(), value(kind));
            Value::Object(properties.iter().map(property).collect())
        }
    }
}

/// A tensor of one row; free dimensions are one long.
fn zeros(tensor: &TensorSpec) -> Option<Value> {
    let length = |length: &i64| usize::try_from(*length).unwrap_or(1);
    let values = tensor.shape.iter().map(length).fold(1, usize::saturating_mul);
    if values > VALUES_MAX {
        return None;
    }
    let zero = match tensor.dtype.as_str() {
        "bool" => json!(false),
        "str" | "bytes" | "object" => json!(""),
        "datetime64[ns]" => json!("1970-01-01T00:00:00"),
        _ => json!(0),
    };
    let lengths = tensor.shape.iter().rev().map(length);
    Some(lengths.fold(zero, |inner, length| Value::Array(vec![inner; length])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_what_the_schema_says() {
        let columns = Schema::from_json(
            r#"[{"type": "double", "name": "a", "required": true},
                {"type": "string", "name": "b", "required": false},
                {"type": "array", "items": {"type": "long"}, "name": "c", "required": true}]"#,
        );
        assert_eq!(
            row(&columns.unwrap()),
            Some(json!({"dataframe_split": {"columns": ["a", "b", "c"], "data": [[0, "", [0]]]}}))
        );
        let tensor =
            r#"[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2, -1]}}]"#;
        assert_eq!(row(&Schema::from_json(tensor).unwrap()), Some(json!({"inputs": [[[0], [0]]]})));
        let huge = tensor.replace("2, -1", "65536, 65536");
        assert_eq!(row(&Schema::from_json(&huge).unwrap()), None);
    }
}
