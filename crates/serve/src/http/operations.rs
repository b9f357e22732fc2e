//! What is asked beside predictions: feedback, webhooks, a look at the registry.

use std::sync::Arc;

use http::StatusCode;
use hyper::Request;
use trainyard_net::Paced;

use super::admission::read_body;
use super::body;
use super::error::Refusal;
use super::response::{Response, json};
use crate::endpoint::{Checked, Endpoint};
use crate::feedback::{self, NotKept};
use crate::server::Server;
use crate::webhook::{self, Unfit};
use crate::{blocking, clock, health};

/// Takes down what turned out to be true.
pub(super) async fn feedback(
    server: &Arc<Server>,
    request: Request<Paced>,
) -> Result<Response, Refusal> {
    let Some(log) = &server.feedback else { return Err(Refusal::NotFound) };
    body::format(request.headers())?;
    let limit = server.options.limits.body_bytes_max.min(feedback::BODY_BYTES_MAX);
    let (_head, body, _share) = read_body(server, request, limit).await?;
    let time = clock::now().timestamp_millis();
    let lines = blocking::run(move || feedback::lines(&body, time)).await?.map_err(Refusal::bad)?;
    let count = lines.facts;
    match log.append(lines).await {
        Ok(()) => Ok(json(StatusCode::OK, &serde_json::json!({ "accepted": count }))),
        Err(NotKept::Full(full)) => Err(Refusal::Full(full.to_string())),
        Err(NotKept::Io(error)) => {
            tracing::error!(%error, "feedback cannot be written");
            Err(Refusal::Internal("the feedback could not be written"))
        }
    }
}

/// Bytes of a webhook: names, a description and tags.
const WEBHOOK_BYTES_MAX: usize = 1 << 20;

/// The registry says that something changed. At the root it may be about any of the models.
pub(super) async fn webhook(
    server: &Arc<Server>,
    endpoint: &Arc<Endpoint>,
    request: Request<Paced>,
) -> Result<Response, Refusal> {
    let Some(secret) = &server.options.webhook_secret else { return Err(Refusal::NotFound) };
    let at_root = !request.uri().path().starts_with("/models/");
    let (head, body, _share) = read_body(server, request, WEBHOOK_BYTES_MAX).await?;
    let webhook = webhook::read(&head.headers, &body, secret).map_err(|unfit| match unfit {
        Unfit::Signature(reason) => Refusal::Forbidden(reason),
        Unfit::Content(reason) => Refusal::bad(reason),
    })?;
    let endpoints =
        if at_root { server.endpoints.as_slice() } else { std::slice::from_ref(endpoint) };
    let mut looked = Vec::new();
    for endpoint in
        endpoints.iter().filter(|endpoint| webhook.concerns(endpoint.source.registered()))
    {
        looked.push(endpoint.name.as_str());
        let endpoint = Arc::clone(endpoint);
        // The registry waits for the answer, and a download may take longer than it waits.
        tokio::spawn(async move { endpoint.ask_reload().await });
    }
    Ok(json(StatusCode::ACCEPTED, &serde_json::json!({ "models": looked })))
}

pub(super) async fn reload(server: &Server, endpoint: &Endpoint) -> Result<Response, Refusal> {
    let Some(checked) = endpoint.ask_reload().await else { return Err(Refusal::Overloaded) };
    let (status, outcome) = match &checked {
        Checked::Unchanged => (StatusCode::OK, "unchanged"),
        Checked::Swapped => (StatusCode::OK, "swapped"),
        Checked::Failed(_) => (StatusCode::BAD_GATEWAY, "failed"),
    };
    let mut body = health::describe(server, endpoint);
    body.insert("reload".to_owned(), outcome.into());
    if let Checked::Failed(error) = checked {
        body.insert("error".to_owned(), error.into());
    }
    Ok(json(status, &serde_json::Value::Object(body)))
}
