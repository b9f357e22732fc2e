//! Which routes are checked thing by thing. Whatever else there is on a server is for administrators: a route that
//! is added and forgotten here is closed, not open.

/// Resources below `mlflow/` of an API's version whose requests all lead through the checks.
const GUARDED: &[(&str, &[&str])] = &[
    (
        "2.0",
        &[
            "artifacts",
            "experiments",
            "gateway-proxy",
            "get-trace-artifact",
            "logged-models",
            "metrics",
            "model-versions",
            "registered-models",
            "runs",
            "server-info",
            "traces",
            "upload-artifact",
            "users",
        ],
    ),
    (
        "3.0",
        &[
            "datasets",
            "get-trace-artifact",
            "roles",
            "scorers",
            "server-info",
            "traces",
            "ui-telemetry",
            "users",
        ],
    ),
];
/// Paths below `3.0/mlflow` that whoever is signed in may ask for, as upstream lets them: lists of what is not here,
/// which pages and clients look at, and which hold nothing of anybody's. One that is to hold something is to be
/// checked first.
const EMPTY: &[&[&str]] = &[
    &["assistant", "config"],
    &["assistant", "providers"],
    &["gateway", "budgets", "list"],
    &["gateway", "budgets", "windows"],
    &["gateway", "endpoints", "list"],
    &["gateway", "model-definitions", "list"],
    &["gateway", "secrets", "list"],
    &["gateway", "supported-providers"],
    &["issues", "search"],
    &["label-schemas", "list"],
    &["prompt-optimization", "jobs", "search"],
    &["review-queues", "list"],
    &["workspaces"],
];
/// What is not MLflow's.
const OWN: &[&str] = &["groups", "service-accounts", "sessions", "sign-in", "tokens"];

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// Whether a path is that of a page of a model or of the team, on a server below `prefix`: a model or a user may be
/// called `api`.
pub(crate) fn is_named_page(prefix: &str, path: &str) -> bool {
    let mut rest = names(path);
    let is_below = names(prefix).all(|name| rest.next() == Some(name));
    is_below
        && match rest.next() {
            Some("models" | "team") => true,
            // Beside upstream's pages.
            Some("ui") => matches!(rest.next(), Some("models" | "team")),
            _ => false,
        }
}

/// Whether a request for this path is checked later, by what it is about.
pub(crate) fn is_guarded(prefix: &str, path: &str) -> bool {
    if is_named_page(prefix, path) {
        return true;
    }
    let mut names = names(path);
    // A static prefix comes before.
    if names.any(|name| matches!(name, "api" | "ajax-api")) {
        return is_guarded_api(&names.collect::<Vec<_>>());
    }
    // Pages ask the same store, and so do spans in OpenTelemetry's own form.
    true
}

fn is_guarded_api(names: &[&str]) -> bool {
    match names {
        // Artifacts; the log of changes, and approvals.
        ["2.0", "mlflow-artifacts", ..] | ["trainyard", ..] => true,
        ["3.0", "mlflow", rest @ ..] if EMPTY.contains(&rest) => true,
        [version, "mlflow", resource, ..] => GUARDED
            .iter()
            .any(|(known, resources)| known == version && resources.contains(resource)),
        ["3.0", "trainyard", resource, ..] => OWN.contains(resource),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_checked_is_not_open() {
        for (path, is_checked) in [
            ("/", true),
            ("/experiments/3", true),
            ("/graphql", true),
            ("/get-artifact", true),
            ("/api/2.0/mlflow/runs/search", true),
            ("/ajax-api/2.0/mlflow/runs/search", true),
            ("/prefix/ajax-api/2.0/mlflow/users/create", true),
            ("/api/2.0/mlflow-artifacts/artifacts/1/x", true),
            ("/api/3.0/mlflow/roles/list", true),
            ("/api/3.0/trainyard/tokens/create", true),
            ("/api/2.0/mlflow/webhooks", false),
            ("/prefix/api/2.0/mlflow/webhooks/1", false),
            ("//api//2.0//mlflow//webhooks", false),
            ("/api/2.0/mlflow/roles/list", false),
            ("/api/3.0/mlflow/traces", true),
            ("/api/3.0/mlflow/datasets/create", true),
            ("/api/3.0/mlflow/gateway/secrets/list", true),
            ("/ajax-api/3.0/mlflow/issues/search", true),
            ("/api/3.0/mlflow/workspaces", true),
            ("/api/3.0/mlflow/workspaces/default", false),
            ("/api/3.0/mlflow/gateway/secrets/get", false),
            ("/api/3.0/mlflow/gateway/secrets/list/all", false),
            ("/api/2.0/mlflow/issues/search", false),
            ("/v1/traces", true),
            ("/prefix/v1/traces", true),
            ("/api/trainyard/approvals", true),
            ("/api/3.0/trainyard/audit", false),
            ("/api/9.9/new", false),
            ("/ajax-api/", false),
        ] {
            assert_eq!(is_guarded("", path), is_checked, "{path}");
        }
    }

    #[test]
    fn a_model_and_a_user_may_be_called_api() {
        for (prefix, path, is_page) in [
            ("", "/models/api", true),
            ("", "/models/api/versions/1", true),
            ("/p", "/p/models/api", true),
            ("/p", "/p/team/users/api", true),
            ("", "/ui/team/users/ajax-api", true),
            ("/team", "/team/api/2.0/mlflow/webhooks", false),
            ("/p", "/p/ui/models/api", true),
            ("/p", "//p//models/api", true),
            ("/p", "/models/api", false),
            ("/models", "/models/api/3.0/mlflow/gateway/x", false),
            ("/models", "/models/models/api", true),
            ("", "/api/2.0/mlflow/gateway/models", false),
        ] {
            assert_eq!(is_named_page(prefix, path), is_page, "{prefix} {path}");
            assert_eq!(is_guarded(prefix, path), is_page, "{prefix} {path}");
        }
    }
}
