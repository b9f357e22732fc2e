//! The Open Inference Protocol, version 2, over REST (KServe, Triton, MLServer speak it).
//!
//! Inputs are the columns of the signature by name, one tensor each; or one tensor with all
//! columns (or the tensor of the signature) side by side. They pass the same enforcement as every
//! other request, strictly.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use trainyard_models::Prediction;
use trainyard_signature::enforce::Enforced;
use trainyard_signature::model::{DataType, Schema};

use super::error::Refusal;
use super::predict::{aside, done, predict_rows, question};
use super::share::Place;
use super::{JSON, Response, response};
use crate::answer::{self, Inferred};
use crate::python::Wanted;
use crate::server::Server;
use crate::slot::{Engine, Served, Slot};

/// Predicts the inputs of a request.
pub(crate) async fn infer(
    server: &Arc<Server>,
    served: Arc<Served>,
    body: Bytes,
    request_id: Arc<str>,
    place: Place,
) -> Result<Response, Refusal> {
    let place = Arc::new(place);
    let bytes_max = server.options.limits.answer_bytes_max;
    let (id, enforced) = {
        let (served, place) = (Arc::clone(&served), Arc::clone(&place));
        aside(move || {
            let read = served.strict.inference(&body);
            drop(place);
            read
        })
        .await??
    };
    let id = id.unwrap_or_else(|| request_id.to_string());
    let (prediction, enforced, answer) = match &served.engine {
        Engine::Native(_) => {
            let (served, place) = (Arc::clone(&served), Arc::clone(&place));
            aside(move || {
                let answered = native(&served, &id, enforced, bytes_max);
                drop(place);
                answered
            })
            .await??
        }
        Engine::Python(pool) => {
            let wanted = Wanted { scoring: false, columns: true };
            let answered = pool.ask(question(&served, &enforced, wanted)?).await?;
            let Some(prediction) = answered.prediction else {
                return Err(Refusal::Internal("the worker gave no columns; this is a bug"));
            };
            let answer = written(&served, &id, &prediction, bytes_max)?;
            (prediction, enforced, answer)
        }
    };
    done(server, &served, request_id, enforced.batch, prediction);
    let response = response(StatusCode::OK, JSON, answer);
    Ok(match Arc::into_inner(place) {
        Some(place) => place.answer(response),
        None => response,
    })
}

fn native(
    served: &Served,
    id: &str,
    enforced: Enforced,
    bytes_max: usize,
) -> Result<(Prediction, Enforced, Vec<u8>), Refusal> {
    let Engine::Native(predictor) = &served.engine else {
        return Err(Refusal::Internal("the engine changed; this is a bug"));
    };
    let prediction = predict_rows(&**predictor, &enforced.batch, bytes_max)?;
    let answer = written(served, id, &prediction, bytes_max)?;
    Ok((prediction, enforced, answer))
}

fn written(
    served: &Served,
    id: &str,
    prediction: &Prediction,
    bytes_max: usize,
) -> Result<Vec<u8>, Refusal> {
    let about = Inferred { model: &served.name, version: &served.version, id };
    Ok(answer::inference(&about, prediction, bytes_max)?)
}

/// What the model takes and gives.
pub(crate) fn metadata(slot: &Slot, served: &Served) -> Value {
    let signature = served.mlmodel.signature.as_ref();
    let tensors = |schema: Option<&Schema>| -> Vec<Value> {
        match schema {
            Some(Schema::Columns(columns)) => {
                let names = schema.map(Schema::names).unwrap_or_default();
                let column = |(name, column): (String, &trainyard_signature::model::ColSpec)| json!({ "name": name, "datatype": datatype(&column.data_type), "shape": [-1] });
                names.into_iter().zip(columns).map(column).collect()
            }
            Some(Schema::Tensors(tensors)) => {
                let names = schema.map(Schema::names).unwrap_or_default();
                let tensor = |(name, tensor): (String, &trainyard_signature::model::TensorSpec)| {
                    let datatype =
                        tensor.element_type().map_or("BYTES", |kind| answer::datatype(&kind));
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
    answer::datatype(&data_type.arrow_type())
}
