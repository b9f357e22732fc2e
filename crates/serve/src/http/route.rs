//! What a path means.

use crate::metrics::Route;
use crate::server::Server;

/// What a path means: the route, the model, and where the model answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'p> {
    pub(super) route: Route,
    /// Index of the endpoint; none when there is no model of that name.
    pub(super) endpoint: Option<usize>,
    /// `/models/<name>`, or nothing at the root.
    pub(super) prefix: &'p str,
    /// The version that the path names.
    pub(super) version: Option<&'p str>,
    /// What the route leaves open.
    pub(super) rest: &'p str,
}

impl Target<'_> {
    /// Whether it only asks how things are, which needs no token and is always answered.
    pub(super) fn is_probe(&self) -> bool {
        match self.route {
            Route::Health | Route::Ping | Route::Version => true,
            Route::OpenInference => matches!(self.rest, "health/live" | "health/ready" | "ready"),
            _ => false,
        }
    }
}

/// The target of a path.
pub(super) fn find<'p>(server: &Server, path: &'p str) -> Target<'p> {
    let by_name = |name: &str| server.endpoints.iter().position(|endpoint| endpoint.name == name);
    let other =
        Target { route: Route::Other, endpoint: Some(0), prefix: "", version: None, rest: path };
    if path == "/livez" {
        // That the process lives, whatever it serves.
        return Target { route: Route::OpenInference, rest: "health/live", ..other };
    }
    if let Some(rest) = path.strip_prefix("/v2") {
        // `/v2/models/<name>[/versions/<version>]/<rest>`; without a model it is about the server.
        let Some(rest) = rest.strip_prefix("/models/") else {
            return Target {
                route: Route::OpenInference,
                rest: rest.trim_start_matches('/'),
                ..other
            };
        };
        let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (version, rest) = match rest.strip_prefix("versions/") {
            Some(versioned) => {
                let (version, rest) = versioned.split_once('/').unwrap_or((versioned, ""));
                (Some(version), rest)
            }
            None => (None, rest),
        };
        let rest = if rest.is_empty() { "metadata" } else { rest };
        return Target {
            route: Route::OpenInference,
            endpoint: by_name(name),
            prefix: path,
            version,
            rest,
        };
    }
    let (endpoint, prefix, rest) =
        match path.strip_prefix("/models/").and_then(|rest| rest.split_once('/')) {
            Some((name, rest)) => {
                let prefix = path.get(..path.len() - rest.len() - 1).unwrap_or_default();
                (by_name(name), prefix, rest)
            }
            None => (Some(0), "", path.strip_prefix('/').unwrap_or(path)),
        };
    let route = match rest {
        "predict" => Route::Predict,
        "invocations" => Route::Invocations,
        "explain" => Route::Explain,
        "health" => Route::Health,
        "ping" => Route::Ping,
        "version" => Route::Version,
        "metrics" => Route::Metrics,
        "reload" => Route::Reload,
        "feedback" => Route::Feedback,
        "webhook" => Route::Webhook,
        "flush" => Route::Flush,
        "docs" | "openapi.json" => Route::Docs,
        "" if prefix.is_empty() => Route::Status,
        _ => Route::Other,
    };
    Target { route, endpoint, prefix, version: None, rest }
}
