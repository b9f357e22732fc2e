//! The Open Inference Protocol, version 2, over REST (KServe, Triton, MLServer speak it).
//!
//! Inputs are the columns of the signature by name, one tensor each; or one tensor with all
//! columns (or the tensor of the signature) side by side. They pass the same enforcement as every
//! other request, strictly.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::ArrayRef;
use arrow_schema::DataType as ArrowType;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use trainyard_mlflow::enforce::Protocol;
use trainyard_mlflow::model::{DataType, Schema};
use trainyard_models::Prediction;

use super::error::Refusal;
use super::{Response, json as json_response};
use crate::answer;
use crate::log::Entry;
use crate::server::Server;
use crate::slot::{Served, Slot};

#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    id: Option<String>,
    inputs: Vec<Input>,
}

#[derive(Debug, Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    data: Value,
}

/// Predicts the inputs of a request.
pub(crate) fn infer(
    server: &Server,
    slot: &Slot,
    served: &Arc<Served>,
    body: &[u8],
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("not an inference request: {error}")))?;
    let columns = column_body(served, request.inputs)?;
    let request_body = columns.to_string();
    let enforced = served.strict.json(request_body.as_bytes(), Protocol::Predict)?;
    let prediction = served
        .loaded
        .predictor
        .predict(&enforced.batch)
        .map_err(|error| Refusal::Model(error.to_string()))?;
    let outputs = outputs(&prediction);
    let id = request.id.unwrap_or_else(|| request_id.to_string());
    server.metrics.rows.fetch_add(enforced.batch.num_rows() as u64, Ordering::Relaxed);
    if let Some(log) = &server.log {
        log.push(Entry {
            request_id,
            time_ms: chrono::Utc::now().timestamp_millis(),
            version: Arc::clone(&served.version),
            input: enforced.batch,
            prediction,
        });
    }
    Ok(json_response(
        StatusCode::OK,
        &json!({ "model_name": slot.name, "model_version": &*served.version, "id": id, "outputs": outputs }),
    ))
}

/// The inputs as the object of columns, or the nested list, that enforcement reads.
fn column_body(served: &Served, inputs: Vec<Input>) -> Result<Value, Refusal> {
    let signature = served.loaded.mlmodel.signature.as_ref();
    let schema = signature.and_then(|signature| signature.inputs.as_ref());
    let mut flat = Vec::with_capacity(inputs.len());
    for input in inputs {
        let mut values = Vec::new();
        flatten(input.data, &mut values);
        let expected =
            input.shape.iter().try_fold(1_usize, |size, length| size.checked_mul(*length));
        if expected != Some(values.len()) {
            return Err(Refusal::bad(format!(
                "input '{}' has {} values, which do not fill the shape {:?}",
                input.name,
                values.len(),
                input.shape
            )));
        }
        flat.push((input.name, input.shape, values));
    }
    let names = schema.map(Schema::names).unwrap_or_default();
    match flat.as_mut_slice() {
        // One tensor for a signature of one tensor.
        [(_, shape, values)]
            if schema.is_some_and(|schema| schema.tensors().is_some_and(|t| t.len() == 1)) =>
        {
            Ok(json!({ "inputs": nest(shape, &mut std::mem::take(values).into_iter()) }))
        }
        // All columns side by side.
        [(name, shape, values)] if names.len() > 1 && !names.contains(name) => {
            let [rows, width] = shape.as_slice() else {
                return Err(Refusal::bad(format!(
                    "input '{name}' is no column of the model, and not a table"
                )));
            };
            if *width != names.len() {
                return Err(Refusal::bad(format!(
                    "the model has {} columns, input '{name}' has {width}",
                    names.len()
                )));
            }
            let data = nest(&[*rows, *width], &mut std::mem::take(values).into_iter());
            Ok(json!({ "dataframe_split": { "columns": names, "data": data } }))
        }
        _ => {
            let is_tensor = schema.is_some_and(|schema| schema.tensors().is_some());
            let mut columns = Map::new();
            for (name, shape, values) in flat {
                let value = if is_tensor {
                    nest(&shape, &mut values.into_iter())
                } else {
                    Value::Array(values)
                };
                if columns.insert(name.clone(), value).is_some() {
                    return Err(Refusal::bad(format!("input '{name}' is given twice")));
                }
            }
            Ok(Value::Object(columns))
        }
    }
}

fn flatten(value: Value, values: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| flatten(item, values)),
        scalar => values.push(scalar),
    }
}

fn nest(shape: &[usize], values: &mut impl Iterator<Item = Value>) -> Value {
    match shape {
        [] => values.next().unwrap_or_default(),
        [length, inner @ ..] => (0..*length).map(|_| nest(inner, values)).collect(),
    }
}

fn outputs(prediction: &Prediction) -> Vec<Value> {
    match prediction {
        Prediction::Named(outputs) => {
            outputs.iter().map(|(name, output)| output_tensor(name, output)).collect()
        }
        plain => vec![output_tensor("predictions", plain)],
    }
}

fn output_tensor(name: &str, prediction: &Prediction) -> Value {
    let rows = answer::rows(prediction);
    let (values, shape): (Option<&ArrayRef>, Vec<usize>) = match prediction {
        Prediction::Column(values) => (Some(values), vec![rows]),
        Prediction::Matrix { values, width } => (Some(values), vec![rows, *width]),
        Prediction::Maps { keys, values } => (Some(values), vec![rows, keys.len()]),
        Prediction::Named(_) => (None, vec![0]),
    };
    let datatype = values.map_or("BYTES", |values| arrow_datatype(values.data_type()));
    let data = values.map_or_else(Vec::new, answer::flat);
    let data: Value = serde_json::from_slice(&data).unwrap_or_default();
    let mut tensor = json!({ "name": name, "datatype": datatype, "shape": shape, "data": data });
    if let (Prediction::Maps { keys, .. }, Some(tensor)) = (prediction, tensor.as_object_mut()) {
        // What the columns mean, which a tensor cannot say.
        tensor.insert("parameters".to_owned(), json!({ "labels": keys.join(",") }));
    }
    tensor
}

fn arrow_datatype(data_type: &ArrowType) -> &'static str {
    match data_type {
        ArrowType::Boolean => "BOOL",
        ArrowType::Int8 => "INT8",
        ArrowType::Int16 => "INT16",
        ArrowType::Int32 => "INT32",
        ArrowType::Int64 => "INT64",
        ArrowType::UInt8 => "UINT8",
        ArrowType::UInt16 => "UINT16",
        ArrowType::UInt32 => "UINT32",
        ArrowType::UInt64 => "UINT64",
        ArrowType::Float32 => "FP32",
        ArrowType::Float64 => "FP64",
        _ => "BYTES",
    }
}

/// What the model takes and gives.
pub(crate) fn metadata(slot: &Slot, served: &Served) -> Value {
    let signature = served.loaded.mlmodel.signature.as_ref();
    let tensors = |schema: Option<&Schema>| -> Vec<Value> {
        match schema {
            Some(Schema::Columns(columns)) => {
                let names = schema.map(Schema::names).unwrap_or_default();
                let column = |(name, column): (String, &trainyard_mlflow::model::ColSpec)| json!({ "name": name, "datatype": datatype(&column.data_type), "shape": [-1] });
                names.into_iter().zip(columns).map(column).collect()
            }
            Some(Schema::Tensors(tensors)) => {
                let names = schema.map(Schema::names).unwrap_or_default();
                let tensor = |(name, tensor): (String, &trainyard_mlflow::model::TensorSpec)| {
                    let datatype =
                        tensor.element_type().map_or("BYTES", |kind| arrow_datatype(&kind));
                    json!({ "name": name, "datatype": datatype, "shape": tensor.shape })
                };
                names.into_iter().zip(tensors).map(tensor).collect()
            }
            None => Vec::new(),
        }
    };
    json!({
        "name": slot.name,
        "versions": [&*served.version],
        "platform": "mlflow",
        "inputs": tensors(signature.and_then(|signature| signature.inputs.as_ref())),
        "outputs": tensors(signature.and_then(|signature| signature.outputs.as_ref())),
    })
}

fn datatype(data_type: &DataType) -> &'static str {
    arrow_datatype(&data_type.arrow_type())
}
