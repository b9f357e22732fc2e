//! A server that passes artifacts on and does nothing else.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

/// Paths that are answered besides those of artifacts.
const OTHERS: [&str; 6] = [
    "/health",
    "/livez",
    "/version",
    "/metrics",
    "/api/3.0/mlflow/server-info",
    "/ajax-api/3.0/mlflow/server-info",
];

/// Lets requests for artifacts pass. The state is the server's static prefix.
pub(super) async fn pass(State(prefix): State<Arc<str>>, request: Request, next: Next) -> Response {
    if is_answered(&prefix, request.uri().path()) {
        return next.run(request).await;
    }
    let message = "this server is running in `--artifacts-only` mode: it answers for artifacts alone. \
                   Runs, experiments and models are on a server without --artifacts-only.";
    (StatusCode::SERVICE_UNAVAILABLE, message).into_response()
}

fn is_answered(prefix: &str, path: &str) -> bool {
    let path = path.strip_prefix(prefix).unwrap_or(path);
    let is_artifact = ["/api", "/ajax-api"].iter().any(|api| {
        let path = path.strip_prefix(api).unwrap_or_default();
        path.starts_with("/2.0/mlflow-artifacts/")
    });
    is_artifact || OTHERS.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_artifacts_pass() {
        for path in ["/health", "/api/2.0/mlflow-artifacts/artifacts/1/a.txt", "/m/version"] {
            assert!(is_answered("/m", path), "{path}");
        }
        for path in ["/", "/api/2.0/mlflow/runs/get", "/graphql", "/get-artifact", "/healthy"] {
            assert!(!is_answered("", path), "{path}");
        }
    }
}
