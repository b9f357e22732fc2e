//! Requests that name a workspace. There is one here, and it has no name: whoever names one counts on being kept apart
//! from others, so nothing of theirs is read or written.

use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, Method, StatusCode};
use serde_json::json;

use crate::api::json_text;

/// What clients of MLflow send where a workspace is set.
const WORKSPACE: HeaderName = HeaderName::from_static("x-mlflow-workspace");
/// Where they find out that there are none, whichever they have set.
const SERVER_INFO: &str = "/mlflow/server-info";

/// The answer of a request in a workspace, in upstream's words. Upstream's status is 500, which clients repeat.
pub(super) fn refused(request: &Parts) -> Option<Response> {
    let mut named = request.headers.get_all(WORKSPACE).iter();
    let is_named = named.any(|value| !value.as_bytes().trim_ascii().is_empty());
    // Files may be called so, too, and are not written.
    let is_info = request.method == Method::GET
        && request.uri.path().trim_end_matches('/').ends_with(SERVER_INFO);
    if !is_named || is_info {
        return None;
    }
    let message = "Workspace APIs are not available: workspaces are not enabled on this server";
    let body = json!({
        "error_code": "FEATURE_DISABLED",
        "message": message,
        "sqlstate": "KAM00",
        "error_class": "FEATURE_DISABLED",
    });
    Some(json_text(StatusCode::BAD_REQUEST, &body))
}
