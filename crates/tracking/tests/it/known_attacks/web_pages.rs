//! Pages of others that ask the server, and pages that it shows.

use serde_json::json;

use super::row::{API, Attack, FILES};
use crate::attack::{Target, encoded};
use crate::http::{Answer, Request, get, post, send};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "CVE-2025-14279",
        idea: "a page whose name was bound to this address (DNS rebinding)",
        attempt: |target| {
            let path = format!("{API}/experiments/get?experiment_id=0");
            let mut answers = Vec::new();
            for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
                let answer = target.send("GET", &path, &[("Host", host)], None);
                assert_eq!(answer.status, 403, "{host:?}");
                answers.push(answer);
            }
            answers
        },
    },
    Attack {
        id: "CVE-2023-43472",
        idea: "a foreign page changes things by a form that needs no preflight",
        attempt: |target| {
            let mut answers = Vec::new();
            for origin in
                ["http://evil.example", "null", "http://localhost.evil.example", "file://"]
            {
                for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json"]
                {
                    let headers = [("Origin", origin), ("Content-Type", kind)];
                    let body = br#"{"name": "forged"}"#;
                    let path = format!("{API}/experiments/create");
                    let answer = target.send("POST", &path, &headers, Some(body));
                    assert_eq!(answer.status, 403, "{origin} {kind}");
                    assert_eq!(answer.header("access-control-allow-origin"), None);
                    answers.push(answer);
                }
            }
            let path = format!("{API}/experiments/get-by-name?experiment_name=forged");
            assert_eq!(target.get(&path).status, 404);
            answers
        },
    },
    Attack {
        id: "CVE-2023-6568",
        idea: "an error shows the request as a page",
        attempt: |target| {
            let script = "<script>alert(1)</script>";
            let kinds = [("Content-Type", script), ("X-Request-Id", script)];
            let mut answers = vec![
                target.send("POST", &format!("{API}/experiments/create"), &kinds, Some(b"{}")),
                target.send("POST", &format!("{API}/users/create"), &kinds, Some(b"a=b")),
            ];
            for path in [
                format!("/{}", encoded(script)),
                format!("/get-artifact?run_id={0}&path={0}", encoded(script)),
                format!("{API}/experiments/get?experiment_id={}", encoded(script)),
                format!("{FILES}/artifacts/{}", encoded(script)),
            ] {
                answers.push(target.get(&path));
            }
            answers
        },
    },
    Attack {
        id: "CVE-2026-33865",
        idea: "a logged page or picture runs in the server's name",
        attempt: |target| {
            let run = target.run("0");
            let page = b"<script>alert(1)</script>";
            let mut answers = Vec::new();
            for name in
                ["x.html", "x.htm", "x.svg", "x.xml", "x.xhtml", "x", "x.png", "x.pdf", "MLmodel"]
            {
                let path =
                    format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={name}");
                assert_eq!(target.send("POST", &path, &[], Some(page)).status, 200);
                let uri = target.artifact_uri(&run);
                let place = uri.trim_start_matches("mlflow-artifacts:/");
                for path in [
                    format!("/get-artifact?run_id={run}&path={name}"),
                    format!("{FILES}/artifacts/{place}/{name}"),
                ] {
                    let answer = target.get(&path);
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                    let disposition = answer.header("content-disposition").unwrap_or_default();
                    assert!(disposition.starts_with("attachment"), "{path}: {disposition}");
                    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
                    let policy = answer.header("content-security-policy").unwrap_or_default();
                    assert!(policy.starts_with("sandbox;"), "{path}: {policy}");
                    answers.push(answer);
                }
            }
            answers
        },
    },
];

/// Origins of the machine that asks, at a server that others reach.
#[test]
fn localhost_is_trusted_only_where_the_server_is() {
    let target = Target::start();
    let path = format!("{API}/experiments/search?max_results=1");
    let asked = |server: &Target, host: &str, origin: &str| {
        let url = server.server.url.clone();
        let headers = vec![("Host", host), ("Origin", origin)];
        send(&url, &Request { method: "GET", path: &path, headers, body: None })
    };
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").is_some();
    assert!(allowed(&asked(&target, "localhost:5000", "http://localhost:3000")));
    assert!(allowed(&asked(&target, "10.1.2.3:5000", "http://10.1.2.3:5000")));
    for (host, origin) in [
        ("10.1.2.3:5000", "http://localhost:3000"),
        ("10.1.2.3:5000", "http://127.0.0.1"),
        ("10.1.2.3:5000", "http://10.1.2.3:5001"),
        ("localhost:5000", "http://localhost.evil.example:3000"),
    ] {
        let answer = asked(&target, host, origin);
        assert!(!allowed(&answer), "{host} {origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let public = Target::public();
    assert!(!allowed(&asked(&public, "localhost:5000", "http://localhost:3000")));
    assert!(allowed(&asked(&public, "localhost:5000", "http://localhost:5000")));
    let refused = send(
        &public.server.url,
        &Request {
            method: "POST",
            path: &format!("{API}/experiments/create"),
            headers: vec![("Host", "localhost:5000"), ("Origin", "http://localhost:3000")],
            body: Some(br#"{"name": "forged"}"#),
        },
    );
    assert_eq!(refused.status, 403);
    // Without a browser nothing changes.
    assert_eq!(
        post(&public.server.url, &format!("{API}/experiments/create"), &json!({"name": "e"}))
            .status,
        200
    );
    assert_eq!(get(&public.server.url, "/health").status, 200);
}
