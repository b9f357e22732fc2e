//! Values that are refused, with a reason and without what is secret in them.

use serde_json::{Value, json};

use super::render::render;

#[test]
fn mistakes_are_refused_and_passwords_are_not_repeated() {
    let uri = "postgresql://me:pl4nted@db/x";
    let exposed = json!({"expose": {"serverHost": "m.example.com", "ingress": {"enabled": true}}});
    let asking = json!({
        "server": {"auth": {"existingSecret": "users"}}, "models": [],
        "metrics": {"serviceMonitor": {"enabled": true}},
    });
    let cases = [
        (json!({"server": {"auth": {"existingSecret": "users"}}}), "tracking.existingSecret: the"),
        (asking, "metrics.serverToken.existingSecret: the"),
        (json!({"image": {"tag": "latest"}}), "/image/tag"),
        (json!({"image": {"repository": ""}}), "image.repository: say where"),
        (json!({"user": {"runAsUser": 0}}), "/user/runAsUser"),
        (json!({"server": {"replica": 3}}), "'replica' not allowed"),
        (
            json!({"server": {"database": {"existingSecret": ""}}}),
            "server.database.existingSecret: the Secret",
        ),
        (
            json!({"server": {"artifacts": {"destination": ""}}}),
            "server.artifacts.destination: s3://",
        ),
        (
            json!({"server": {"artifacts": {"destination": "/data"}}}),
            "/server/artifacts/destination",
        ),
        (
            json!({"server": {"artifacts": {"destination": "s3://key:pl4nted@b/x"}}}),
            "holds a password",
        ),
        (
            json!({"server": {"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "pl4nted"}]}}),
            "secretKeyRef",
        ),
        (
            json!({"server": {"env": [{"name": "MLFLOW_BACKEND_STORE_URI", "value": uri}]}}),
            "holds a password",
        ),
        (json!({"server": {"extraArgs": ["--backend-store-uri", uri]}}), "holds a password"),
        (
            json!({"tracking": {"uri": "https://me:pl4nted@mlflow.example.com"}}),
            "tracking.uri holds a password",
        ),
        (
            json!({"tracking": {"existingSecret": "clients"}}),
            "tokenKey, or usernameKey and passwordKey",
        ),
        (json!({"server": {"enabled": false}}), "tracking.uri: there is no server"),
        (
            json!({"server": {"extraVolumes": [{"name": "x", "hostPath": {"path": "/"}}]}}),
            "'hostPath' not allowed",
        ),
        (exposed, "asks nobody for a password"),
        (json!({"expose": {"gateway": {"enabled": true}}}), "expose.gateway.parentRefs"),
        (json!({"nameOverride": "a-name-that-is-too-long"}), "give fullnameOverride"),
        (json!({"commonLabels": {"a": "x: y\nb"}}), "/commonLabels/a"),
        (json!({"models": [{"name": "a\nkind: Secret", "model": "x"}]}), "/models/0/name"),
        (json!({"models": [{"name": "a"}]}), "neither `model` nor `uri`"),
        (
            json!({"models": [{"name": "a", "model": "x", "uri": "models:/x/1"}]}),
            "both `model` and `uri`",
        ),
        (
            json!({"models": [{"name": "a", "model": "x"}, {"name": "a", "model": "y"}]}),
            "there twice",
        ),
        (
            json!({"models": [{"name": "a", "model": "x", "monitor": {"enabled": true}}]}),
            "nothing to look at",
        ),
    ];
    let asked: Value =
        cases.iter().map(|(merge, _)| json!({"file": "ci/minimal.yaml", "merge": merge})).collect();
    for ((merge, expected), rendered) in cases.iter().zip(render(&asked)) {
        let error = rendered["error"].as_str().unwrap_or("no error");
        assert!(error.contains(expected), "{merge}: {error}");
        assert!(!error.contains("pl4nted"), "{merge}: {error}");
    }
}
