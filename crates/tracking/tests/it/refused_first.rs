//! Whoever may not do something is told so, and not what else is wrong with the request or what the server cannot do:
//! upstream asks about permissions before it reads anything, and so do its tests.

use serde_json::{Value, json};

use crate::access::{PASSWORD, Team, basic};
use crate::http::{Request, get, send};

/// Spans that are none, sent to an experiment.
fn export(team: &Team, authorization: &str, experiment: &str) -> u16 {
    let headers = vec![
        ("Authorization", authorization),
        ("Content-Type", "application/x-protobuf"),
        ("X-Mlflow-Experiment-Id", experiment),
    ];
    let (method, path) = ("POST", "/v1/traces");
    send(&team.server.url, &Request { method, path, headers, body: Some(b"no spans") }).status
}

#[test]
fn permissions_are_asked_about_before_anything_else() {
    let team = Team::start("NO_PERMISSIONS");
    let (admin, ada) = (basic("admin", PASSWORD), team.create_user("ada"));
    let body = json!({ "name": "of the administrator" });
    let made = team.admin("POST", "/api/2.0/mlflow/experiments/create", &body);
    let experiment = made["experiment_id"].as_str().unwrap().to_owned();
    let run = team.admin("POST", "/api/2.0/mlflow/runs/create", &made);
    let source = run["run"]["info"]["artifact_uri"].as_str().unwrap().to_owned();
    let body = json!({ "name": "Iris" });
    let made = team.ask(&ada, "POST", "/api/2.0/mlflow/registered-models/create", &body);
    assert_eq!(made.status, 200, "{}", made.text());
    team.grant("ada", "experiment", &experiment, "READ");

    let proxied = |action: &str| format!("/api/2.0/mlflow-artifacts/{action}/{experiment}/a/model");
    let part = json!({ "path": "model.pkl", "num_parts": 1 });
    let nothing = json!({ "experiment_id": experiment });
    let delete = "/api/2.0/mlflow/traces/delete-traces".to_owned();
    let version = |key: &str| json!({ "name": "Iris", "source": source, key: "" });
    let create = "/api/2.0/mlflow/model-versions/create";
    // Status for the administrator, who is told what is wrong.
    let mut calls: Vec<(&str, String, Value, u16)> = vec![
        ("POST", proxied("mpu/create"), part.clone(), 501),
        ("POST", proxied("mpu/complete"), part.clone(), 400),
        ("POST", proxied("mpu/abort"), part, 501),
        ("POST", delete, nothing, 400),
    ];
    for key in ["run_id", "runId", "model_id", "modelId"] {
        calls.push(("POST", create.to_owned(), version(key), 400));
    }
    for (method, path, body, told) in &calls {
        for (authorization, status) in [(&admin, *told), (&ada, 403)] {
            let answer = team.ask(authorization, method, path, body);
            assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        }
    }
    assert_eq!((export(&team, &admin, &experiment), export(&team, &ada, &experiment)), (400, 403));

    // To read is enough to be told that there are no signed URLs here, and nothing less is.
    let signed = proxied("presigned");
    assert_eq!(team.ask(&ada, "GET", &signed, &Value::Null).status, 501);
    let bob = team.create_user("bob");
    assert_eq!(team.ask(&bob, "GET", &signed, &Value::Null).status, 403);
    assert_eq!(get(&team.server.url, &signed).status, 401);
}

#[test]
fn lists_of_what_is_not_here_are_for_whoever_may_look() {
    let team = Team::start("NO_PERMISSIONS");
    let ada = team.create_user("ada");
    let body = json!({ "name": "of the administrator" });
    let made = team.admin("POST", "/api/2.0/mlflow/experiments/create", &body);
    let experiment = made["experiment_id"].as_str().unwrap().to_owned();
    let of = |path: &str| format!("/ajax-api/3.0/mlflow/{path}?experiment_id={experiment}");
    let search = |path: &str| format!("/api/3.0/mlflow/{path}");
    let asked = || {
        let lists = ["scorers/list", "label-schemas/list", "review-queues/list"]
            .map(|path| team.ask(&ada, "GET", &of(path), &Value::Null).status);
        let searches = ["issues/search", "prompt-optimization/jobs/search"]
            .map(|path| team.ask(&ada, "POST", &search(path), &made).status);
        (lists, searches)
    };
    assert_eq!(asked(), ([403; 3], [403; 2]));
    team.grant("ada", "experiment", &experiment, "READ");
    assert_eq!(asked(), ([200; 3], [200; 2]));
    // Of the server.
    for (path, status) in [
        ("gateway/secrets/list", 200),
        ("gateway/supported-providers", 200),
        ("assistant/config", 200),
        ("workspaces", 503),
        ("gateway/secrets/get", 403),
        ("workspaces/default", 403),
    ] {
        let answer = team.ask(&ada, "GET", &of(path), &Value::Null);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(get(&team.server.url, &of(path)).status, 401, "{path}");
    }
}
