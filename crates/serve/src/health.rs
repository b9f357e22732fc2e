//! `/health`: whether the server answers predictions, with which model, and what is wrong.

use std::sync::atomic::Ordering;

use chrono::SecondsFormat;
use http::StatusCode;
use serde_json::{Map, Value};
use trainyard_base::words::HEALTH_FAILED;

use crate::endpoint::Endpoint;
use crate::http::response::{Response, json};
use crate::served_model::Engine;
use crate::server::Server;

/// Whether predictions are answered and the server is not about to stop.
pub(crate) fn is_ready(server: &Server, endpoint: &Endpoint) -> bool {
    endpoint.current().is_some() && !server.draining.load(Ordering::Relaxed)
}

/// 200 when [`is_ready`], else 503, with the same body.
pub(crate) fn health(server: &Server, endpoint: &Endpoint) -> Response {
    let status =
        if is_ready(server, endpoint) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Value::Object(describe(server, endpoint)))
}

/// Everything that is known of the endpoint's model.
///
/// `status` is `loading` while a model may still come, `ok`, `draining`, or `failed`: nothing
/// serves, and what the source means now can never be served by this server, so waiting is of no
/// use. It still looks, and recovers when the alias moves or the folder is replaced and reloaded.
///
/// `pinned` says whether it serves one version and never swaps; where not, `follows` names the alias or stage
/// that it looks at.
pub(crate) fn describe(server: &Server, endpoint: &Endpoint) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    let served = endpoint.current();
    let state = match &served {
        _ if server.draining.load(Ordering::Relaxed) => "draining",
        Some(_) => "ok",
        None if endpoint.status().is_final => HEALTH_FAILED,
        None => "loading",
    };
    put("status", Some(state.into()));
    put("model", Some(endpoint.name.as_str().into()));
    put("source", Some(endpoint.source.describe().into()));
    put("pinned", Some(endpoint.source.is_pinned().into()));
    put("follows", endpoint.source.follows().map(Value::from));
    let status = endpoint.status().clone();
    let time = |when: chrono::DateTime<chrono::Utc>| {
        Value::from(when.to_rfc3339_opts(SecondsFormat::Millis, true))
    };
    if let Some(served) = &served {
        let resolved = &served.resolved;
        put("version", Some((&*served.version).into()));
        put("alias", resolved.alias.clone().map(Value::from));
        put("run_id", resolved.run_id.clone().map(Value::from));
        put("model_id", resolved.model_id.clone().map(Value::from));
        put("loaded_at", Some(time(served.loaded_at)));
        put("size_bytes", Some(served.engine.size_bytes().into()));
        if let Engine::Python(pool) = &served.engine {
            let workers = serde_json::json!({
                "ready": pool.pids(), "restarts": pool.restarts(), "waiting": pool.waiting() });
            put("python_workers", Some(workers));
        }
        put("verified", Some(served.unverified.is_none().into()));
        put("unverified_reason", served.unverified.map(Value::from));
        put("swaps", Some(status.swaps.into()));
        put("from_copy_of", status.from_copy.map(time));
    } else {
        let reason = status.last_error.clone();
        let loading = || "the model is being loaded".to_owned();
        put("reason", Some(reason.unwrap_or_else(loading).into()));
    }
    put("last_error", status.last_error.map(Value::from));
    put("last_error_at", status.last_error_at.map(time));
    put("warning", status.warning.map(Value::from));
    body
}
