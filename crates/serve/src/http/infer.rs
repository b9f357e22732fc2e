//! The Open Inference Protocol, version 2, over REST (KServe, Triton, MLServer speak it).
//!
//! Inputs are the columns of the signature by name, one tensor each; or one tensor with all
//! columns (or the tensor of the signature) side by side. They pass the same enforcement as every
//! other request, strictly.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType as ArrowType;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use trainyard_mlflow::enforce::{Enforced, Protocol};
use trainyard_mlflow::model::{DataType, Schema};
use trainyard_models::Prediction;

use super::error::Refusal;
use super::predict::{aside, done, question};
use super::{Response, json as json_response};
use crate::answer;
use crate::python::Wanted;
use crate::server::Server;
use crate::slot::{Engine, Served, Slot};

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
pub(crate) async fn infer(
    server: &Arc<Server>,
    served: Arc<Served>,
    body: Bytes,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    let (version, model) = (Arc::clone(&served.version), Arc::clone(&served.name));
    let (id, enforced) = {
        let served = Arc::clone(&served);
        aside(move || read(&served, &body)).await??
    };
    let (prediction, enforced, outputs) = match &served.engine {
        Engine::Native(_) => {
            let served = Arc::clone(&served);
            aside(move || native(&served, enforced)).await??
        }
        Engine::Python(pool) => {
            let wanted = Wanted { scoring: false, columns: true };
            let answered = pool.ask(question(&served, &enforced, wanted)?).await?;
            let Some(prediction) = answered.prediction else {
                return Err(Refusal::Internal("the worker gave no columns; this is a bug"));
            };
            let outputs = outputs(&prediction);
            (prediction, enforced, outputs)
        }
    };
    let id = id.unwrap_or_else(|| request_id.to_string());
    done(server, &served, request_id, enforced.batch, prediction);
    Ok(json_response(
        StatusCode::OK,
        &json!({ "model_name": &*model, "model_version": &*version, "id": id, "outputs": outputs }),
    ))
}

fn native(
    served: &Served,
    enforced: Enforced,
) -> Result<(Prediction, Enforced, Vec<Value>), Refusal> {
    let Engine::Native(predictor) = &served.engine else {
        return Err(Refusal::Internal("the engine changed; this is a bug"));
    };
    let prediction =
        predictor.predict(&enforced.batch).map_err(|error| Refusal::Model(error.to_string()))?;
    let outputs = outputs(&prediction);
    Ok((prediction, enforced, outputs))
}

/// The client's id and the rows of a body.
fn read(served: &Served, body: &[u8]) -> Result<(Option<String>, Enforced), Refusal> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("not an inference request: {error}")))?;
    let columns = column_body(served, request.inputs)?;
    let enforced = served.strict.json(columns.as_bytes(), Protocol::Predict)?;
    Ok((request.id, enforced))
}

/// The inputs as the object of columns, or the nested list, that enforcement reads. A model without
/// signature takes the columns in the order of the inputs.
fn column_body(served: &Served, inputs: Vec<Input>) -> Result<String, Refusal> {
    let signature = served.mlmodel.signature.as_ref();
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
            let data = nest(shape, &mut std::mem::take(values).into_iter());
            Ok(json!({ "inputs": data }).to_string())
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
            Ok(json!({ "dataframe_split": { "columns": names, "data": data } }).to_string())
        }
        _ => {
            let is_tensor = schema.is_some_and(|schema| schema.tensors().is_some());
            let mut names = HashSet::new();
            let mut columns = Vec::with_capacity(flat.len());
            for (name, shape, values) in flat {
                let value = if is_tensor {
                    nest(&shape, &mut values.into_iter())
                } else {
                    Value::Array(values)
                };
                columns.push(format!("{}: {value}", json!(name)));
                if let Some(twice) = names.replace(name) {
                    return Err(Refusal::bad(format!("input '{twice}' is given twice")));
                }
            }
            Ok(format!("{{{}}}", columns.join(", ")))
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
    let signature = served.mlmodel.signature.as_ref();
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
