//! The Open Inference Protocol, version 2, over REST (KServe, Triton, MLServer speak it): what is asked of
//! the server and of models. Requests to predict go the way of all others.

use std::sync::Arc;

use http::StatusCode;
use hyper::Request;
use serde_json::{Value, json};
use trainyard_net::Paced;
use trainyard_signature::enforce::Protocol;
use trainyard_signature::model::{ColSpec, DataType, Schema, TensorSpec};

use super::admission::{Admission, in_time};
use super::body::Format;
use super::error::Refusal;
use super::explain::explain;
use super::guard::{only_get, only_post};
use super::predict::{PredictRequest, predict};
use super::response::{self, Response};
use super::route::Target;
use crate::endpoint::Endpoint;
use crate::served_model::ServedModel;
use crate::server::Server;
use crate::{answer, health};

/// Answers what is asked below `/v2`.
pub(super) async fn handle(
    server: &Arc<Server>,
    endpoint: &Arc<Endpoint>,
    target: Target<'_>,
    request: Request<Paced>,
    request_id: Arc<str>,
) -> Result<Response, Refusal> {
    let ready = |ready: bool| {
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        response::json(status, &json!({ "ready": ready }))
    };
    let about_model = !target.prefix.is_empty();
    match (about_model, target.rest) {
        (true, "infer" | "explain") => {}
        (_, "health/live") | (true, "ready" | "metadata") | (false, "health/ready" | "") => {
            only_get(&request)?;
        }
        _ => return Err(Refusal::NotFound),
    }
    let served = endpoint.current();
    // Only the version that serves is there.
    if let (Some(served), Some(wanted)) = (&served, target.version)
        && *wanted != *served.version
    {
        return Err(Refusal::NotFound);
    }
    match target.rest {
        "health/live" => return Ok(response::json(StatusCode::OK, &json!({ "live": true }))),
        "health/ready" => {
            return Ok(ready(
                server.endpoints.iter().all(|endpoint| health::is_ready(server, endpoint)),
            ));
        }
        "ready" => return Ok(ready(health::is_ready(server, endpoint))),
        "" => {
            let version = env!("CARGO_PKG_VERSION");
            let about =
                json!({ "name": "trainyard", "version": version, "extensions": ["explain"] });
            return Ok(response::json(StatusCode::OK, &about));
        }
        _ => {}
    }
    let Some(served) = served else { return Err(Refusal::NotReady(endpoint.not_ready())) };
    if target.rest == "metadata" {
        return Ok(response::json(StatusCode::OK, &metadata(endpoint, &served)));
    }
    only_post(&request)?;
    let (body, admission) = Admission::of(server, request).await?;
    let (protocol, format) = (Protocol::OpenInference, Format::Json);
    let request = PredictRequest { protocol, format, body, request_id, admission };
    if target.rest == "explain" {
        return in_time(server, explain(server, served, request)).await;
    }
    in_time(server, predict(server, served, request)).await
}

/// What the model takes and gives.
fn metadata(endpoint: &Endpoint, served: &ServedModel) -> Value {
    let outputs =
        served.mlmodel.signature.as_ref().and_then(|signature| signature.outputs.as_ref());
    let tensors = |schema: Option<&Schema>| -> Vec<Value> {
        match schema {
            Some(Schema::Columns(columns)) => {
                let names = schema.map(Schema::names).unwrap_or_default();
                let column = |(name, column): (String, &ColSpec)| json!({ "name": name, "datatype": datatype(&column.data_type), "shape": [-1] });
                names.into_iter().zip(columns).map(column).collect()
            }
            Some(Schema::Tensors(tensors)) => {
                let names = schema.map(Schema::names).unwrap_or_default();
                let tensor = |(name, tensor): (String, &TensorSpec)| {
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
        "name": endpoint.name,
        "versions": [&*served.version],
        "platform": "mlflow",
        "inputs": tensors(served.inputs()),
        "outputs": tensors(outputs),
    })
}

fn datatype(data_type: &DataType) -> &'static str {
    answer::datatype(&data_type.arrow_type())
}
