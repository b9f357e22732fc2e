//! Routes that need no password.

use serde_json::json;

use super::row::Attack;
use crate::attack::Target;
use crate::http::Answer;

pub(super) const ATTACKS: &[Attack] = &[Attack {
    id: "CVE-2026-0545",
    idea: "jobs, traces and users that need no password",
    attempt: |target| {
        let paths = [
            "/ajax-api/3.0/jobs/",
            "/ajax-api/3.0/jobs/search",
            "/api/3.0/jobs/",
            "/api/2.0/mlflow/users/create",
            "/ajax-api/2.0/mlflow/users/create",
            "/signup",
        ];
        let body =
            json!({ "function": "os.system", "params": { "username": "a", "password": "" } });
        let answers: Vec<Answer> = paths.iter().map(|path| target.post(path, &body)).collect();
        assert!(answers.iter().all(|answer| matches!(answer.status, 404 | 405)));
        answers
    },
}];

#[test]
fn nobody_is_let_in_by_a_forgotten_route() {
    let target = Target::with_users();
    let mut paths: Vec<String> = [
        "/",
        "/graphql",
        "/ajax-api/2.0/mlflow/upload-artifact",
        "/ajax-api/3.0/jobs/",
        "/v1/traces",
        "/get-artifact",
        "/model-versions/get-artifact",
        "/metrics",
        "/signup",
        "/static-files/x",
        "/ajax-api/2.0/mlflow/gateway-proxy",
        "/ajax-api/2.0/mlflow/runs/create-promptlab-run",
        "/api/2.0/mlflow/users/create",
        "//graphql",
        "/health/",
        "/health/../graphql",
        "/HEALTH",
        "/health%2f..%2fgraphql",
        "/version/x",
    ]
    .map(str::to_owned)
    .into();
    for prefix in ["/api", "/ajax-api"] {
        for path in [
            "experiments/search",
            "logged-models/m-1/artifacts/files",
            "artifacts/list",
            "webhooks",
        ] {
            paths.push(format!("{prefix}/2.0/mlflow/{path}"));
        }
        for path in [
            "artifacts",
            "artifacts/x",
            "mpu/create/x",
            "mpu/complete/x",
            "mpu/abort/x",
            "presigned/x",
        ] {
            paths.push(format!("{prefix}/2.0/mlflow-artifacts/{path}"));
        }
    }
    // admin:password1234 and admin:, which upstream shipped.
    let known =
        ["Basic YWRtaW46cGFzc3dvcmQxMjM0", "Basic YWRtaW46", "Basic Og==", "Bearer ", "Basic"];
    for path in &paths {
        for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
            let answer = target.send(method, path, &[], Some(b"{}"));
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    for value in known {
        let answer = target.send("GET", "/graphql", &[("Authorization", value)], None);
        // Too many attempts are told to wait.
        assert!(matches!(answer.status, 401 | 429), "{value}: {}", answer.status);
    }
    let answer = target.send(
        "GET",
        "/",
        &[("X-Original-URL", "/health"), ("X-Forwarded-For", "127.0.0.1")],
        None,
    );
    assert_eq!(answer.status, 401);
}
