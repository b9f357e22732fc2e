//! The server as HTTP sees it: security, limits, files, pages.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use trainyard_tracking::server::{Actor, Authorize, ServerOptions, ui};

use crate::http::{Answer, Request, get, post, send};
use crate::served::Served;

const API: &str = "/api/2.0/mlflow";
const FILES: &str = "/api/2.0/mlflow-artifacts/artifacts";

fn with_headers(server: &Served, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(&server.url, &Request { method, path, headers: headers.to_vec(), body: None })
}

fn put(server: &Served, path: &str, body: &[u8]) -> Answer {
    send(&server.url, &Request { method: "PUT", path, headers: Vec::new(), body: Some(body) })
}

fn new_run(server: &Served) -> (String, String) {
    let run = post(&server.url, &format!("{API}/runs/create"), &json!({"experiment_id": "0"}));
    let run = run.json();
    let text = |field: &str| run["run"]["info"][field].as_str().expect("a text").to_owned();
    (text("run_id"), text("artifact_uri"))
}

#[test]
fn foreign_hosts_and_origins_are_kept_out() {
    let server = Served::start();
    let status = |method, path, headers: &[(&str, &str)]| {
        with_headers(&server, method, path, headers).status
    };
    let experiment = "/api/2.0/mlflow/experiments/get?experiment_id=0";
    assert_eq!(status("GET", experiment, &[("Host", "evil.com")]), 403);
    assert_eq!(status("GET", experiment, &[("Host", "10.evil.com")]), 403);
    assert_eq!(status("GET", experiment, &[("Host", "192.168.1.7:5000")]), 200);
    for path in ["/health", "/livez", "/metrics"] {
        assert_eq!(status("GET", path, &[("Host", "mlflow.monitoring.svc")]), 200, "{path}");
    }
    let refused = with_headers(&server, "GET", experiment, &[("Host", "mlflow.corp")]).text();
    assert!(refused.contains("--allowed-hosts"), "{refused}");
    // The one of a URI with a slash at its end.
    let doubled = format!("/{experiment}");
    assert_eq!(status("GET", &doubled, &[]), 200);
    assert_eq!(status("GET", &doubled, &[("Host", "evil.com")]), 403);

    let search = "/api/2.0/mlflow/runs/search";
    let foreign = ("Origin", "http://evil.com");
    assert_eq!(status("POST", search, &[foreign]), 403);
    assert_eq!(status("POST", "/graphql", &[foreign]), 403);
    assert_eq!(status("GET", experiment, &[foreign]), 200, "reading is left to the browser");
    let own = server.url.replace("127.0.0.1", "localhost");
    assert_ne!(status("POST", search, &[("Origin", own.as_str())]), 403);

    let asked = ("Access-Control-Request-Method", "POST");
    let preflight =
        with_headers(&server, "OPTIONS", search, &[("Origin", "http://localhost:3000"), asked]);
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("http://localhost:3000"));
    let refused = with_headers(&server, "OPTIONS", search, &[foreign, asked]);
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (400, None));
}

#[test]
fn answers_carry_security_headers_and_request_ids() {
    let server = Served::start();
    for path in ["/health", "/nope", "/api/2.0/mlflow/nope"] {
        let answer = get(&server.url, path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"), "{path}");
        assert_eq!(answer.header("x-request-id").map(str::len), Some(32), "{path}");
    }
    let given = with_headers(&server, "GET", "/health", &[("X-Request-Id", "mine-1")]);
    assert_eq!(given.header("x-request-id"), Some("mine-1"));
}

#[test]
fn allowed_hosts_origins_and_a_prefix_can_be_chosen() {
    let server = Served::with(ServerOptions {
        static_prefix: "/mlflow".to_owned(),
        allowed_hosts: Some(vec!["mlflow.corp".to_owned()]),
        cors_allowed_origins: vec!["https://*.corp".to_owned()],
        x_frame_options: None,
        ..ServerOptions::default()
    });
    let host = ("Host", "mlflow.corp");
    let path = "/mlflow/api/2.0/mlflow/experiments/search?max_results=1";
    let answer = with_headers(&server, "GET", path, &[host, ("Origin", "https://pages.corp")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://pages.corp"));
    assert_eq!(answer.header("x-frame-options"), None);
    assert_eq!(get(&server.url, "/mlflow/health").status, 200);
    assert_eq!(with_headers(&server, "GET", "/health", &[host]).status, 404);
    assert_eq!(with_headers(&server, "GET", "/mlflow/", &[host]).text(), "pages");
    // Clients look for proxied artifacts without the prefix.
    assert_eq!(with_headers(&server, "GET", FILES, &[host]).status, 200);
    assert_eq!(get(&server.url, FILES).status, 403, "localhost is not listed");
}

struct Token;

#[async_trait]
impl Authorize for Token {
    async fn check(&self, request: &http::request::Parts) -> Result<Actor, Box<Response>> {
        let given = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        if given == Some("Bearer secret") {
            return Ok(Actor::token("ci", "ci"));
        }
        Err(Box::new((http::StatusCode::UNAUTHORIZED, "no").into_response()))
    }
}

#[test]
fn the_authorize_hook_guards_everything_but_health() {
    let authorize: Option<Arc<dyn Authorize>> = Some(Arc::new(Token));
    let server = Served::with(ServerOptions { authorize, ..ServerOptions::default() });
    assert_eq!(get(&server.url, "/health").status, 200);
    for path in [FILES, "/", "/metrics", "/api/2.0/mlflow/experiments/get?experiment_id=0"] {
        assert_eq!(get(&server.url, path).status, 401, "{path}");
        let token = [("Authorization", "Bearer secret")];
        assert_eq!(with_headers(&server, "GET", path, &token).status, 200, "{path}");
    }
}

#[test]
fn bad_bodies_are_answered_in_milliseconds() {
    let server =
        Served::with(ServerOptions { json_bytes_max: 1 << 20, ..ServerOptions::default() });
    let path = "/api/2.0/mlflow/runs/log-batch";
    let start = Instant::now();
    let send_raw = |body: &[u8]| {
        let headers = vec![("Content-Type", "application/json")];
        send(&server.url, &Request { method: "POST", path, headers, body: Some(body) })
    };
    let deep = format!("{{\"run_id\": \"x\", \"tags\": {}", "[".repeat(200_000));
    for body in [
        deep.as_bytes(),
        b"{\"run_id\": 1e999}",
        b"{\"run_id\": \"\xff\xfe\"}",
        b"\xff",
        b"[]",
        b"{\"run_id\": \"x\", \"metrics\": [{\"key\": \"a\", \"value\": 1, \"timestamp\": 99999999999999999999}]}",
        b"{\"run_id\": \"x\", \"metrics\": [[[]]]}",
        b"{\"run_id\": {\"a\": 1}}",
    ] {
        let answer = send_raw(body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.json()["message"].is_string());
    }
    let answer = send_raw(&vec![b' '; (1 << 20) + 1]);
    assert_eq!((answer.status, answer.json()["error_code"].clone()), (413, json!("BAD_REQUEST")));
    // Without a length the body is cut off where it grows beyond the limit.
    let mut chunked = format!("{:x}\r\n", (1 << 20) + 1).into_bytes();
    chunked.resize(chunked.len() + (1 << 20) + 1, b' ');
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let headers = vec![("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")];
    let answer =
        send(&server.url, &Request { method: "POST", path, headers, body: Some(&chunked) });
    assert_eq!(answer.status, 413);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn files_travel_whole_and_in_parts() {
    let server = Served::start();
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let path = format!("{FILES}/0/run/artifacts/model/model%20a.bin");
    assert_eq!(put(&server, &path, &content).status, 200);
    assert!(server.artifacts().join("0/run/artifacts/model/model a.bin").is_file());

    let whole = get(&server.url, &path);
    assert_eq!(whole.status, 200);
    assert!(whole.body == content, "{} bytes came back", whole.body.len());
    assert_eq!(whole.header("content-disposition"), Some("attachment; filename=\"model a.bin\""));
    assert_eq!(whole.header("content-type"), Some("application/octet-stream"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let etag = whole.header("etag").expect("a validator").to_owned();

    let part = with_headers(&server, "GET", &path, &[("Range", "bytes=1000000-1000009")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &content[1_000_000..1_000_010]));
    assert_eq!(part.header("content-range"), Some("bytes 1000000-1000009/3000000"));
    let tail = with_headers(&server, "GET", &path, &[("Range", "bytes=-5")]);
    assert_eq!((tail.status, tail.body.as_slice()), (206, &content[2_999_995..]));
    let beyond = with_headers(&server, "GET", &path, &[("Range", "bytes=3000000-")]);
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */3000000")));
    let known = with_headers(&server, "GET", &path, &[("If-None-Match", &etag)]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    let stale =
        with_headers(&server, "GET", &path, &[("Range", "bytes=0-1"), ("If-Range", "\"old\"")]);
    assert_eq!((stale.status, stale.body.len()), (200, content.len()));
    let head = with_headers(&server, "HEAD", &path, &[]);
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, Some("3000000"), 0)
    );

    let listed = get(&server.url, &format!("{FILES}?path=0/run/artifacts/model")).json();
    assert_eq!(
        listed,
        json!({"files": [{"path": "model a.bin", "is_dir": false, "file_size": 3_000_000}]})
    );
    let delete = |path: &str| with_headers(&server, "DELETE", path, &[]).status;
    assert_eq!(delete(&format!("{FILES}/0/run")), 200);
    assert_eq!(get(&server.url, &path).status, 404);
}

#[test]
fn names_of_artifacts_may_have_tabs_and_backslashes() {
    let server = Served::start();
    // Upstream leaves the tab out of the name, and takes it in requests.
    let path = format!("{FILES}/1/tab%09and%5Cback.txt");
    let request = Request { method: "PUT", path: &path, headers: vec![], body: Some(b"odd") };
    assert_eq!(send(&server.url, &request).status, 200);
    let listed = get(&server.url, &format!("{FILES}?path=1")).json();
    assert_eq!(listed["files"][0]["path"], "tab\tand\\back.txt", "{listed}");
    assert_eq!(get(&server.url, &path).text(), "odd");
}

#[test]
fn no_artifact_path_leaves_the_root() {
    let server = Served::start();
    let outside = server.artifacts().parent().expect("a parent").join("secret");
    std::fs::write(&outside, "secret").expect("a file");
    for path in [
        "..%2fsecret",
        "..%2Fsecret",
        "%2e%2e/secret",
        "%252e%252e%252fsecret",
        "a/..%2f..%2fsecret",
        "%2fetc%2fpasswd",
        "a%5c..%5c..%5csecret",
        "a%00b",
        "file:%2f%2f%2fetc%2fpasswd",
    ] {
        let path = format!("{FILES}/{path}");
        for method in ["GET", "PUT", "DELETE"] {
            let answer = send(
                &server.url,
                &Request { method, path: &path, headers: Vec::new(), body: Some(b"x") },
            );
            assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
            assert_eq!(answer.json()["message"], "Invalid path", "{method} {path}");
        }
    }
    assert_eq!(with_headers(&server, "DELETE", &format!("{FILES}/%2e"), &[]).status, 400);
    assert_eq!(std::fs::read_to_string(outside).expect("still there"), "secret");
}

#[test]
fn artifacts_can_be_left_to_others() {
    let server = Served::with(ServerOptions { serve_artifacts: false, ..ServerOptions::default() });
    assert_eq!(put(&server, &format!("{FILES}/x"), b"x").status, 503);
    assert_eq!(get(&server.url, FILES).status, 503);
}

#[test]
fn files_of_runs_models_and_versions_are_found_by_owner() {
    let server = Served::start();
    let wrong = |code: &str| (400_u16, json!(code));
    let (run_id, root) = new_run(&server);
    let upload_by = |name: &str| {
        format!("/ajax-api/2.0/mlflow/upload-artifact?{name}={run_id}&path=plots/a.png")
    };
    // As pages of MLflow 3.17 and of 3.18 write it.
    for name in ["run_uuid", "run_id"] {
        let path = upload_by(name);
        let sent = send(
            &server.url,
            &Request { method: "POST", path: &path, headers: Vec::new(), body: Some(b"png") },
        );
        assert_eq!(sent.status, 200, "{}", sent.text());
    }
    let upload = upload_by("run_uuid");
    let file = get(&server.url, &format!("/get-artifact?run_id={run_id}&path=plots/a.png"));
    assert_eq!((file.text().as_str(), file.header("content-type")), ("png", Some("image/png")));
    let folder = get(&server.url, &format!("/get-artifact?run_id={run_id}&path=plots"));
    assert_eq!(
        (folder.status, folder.json()["error_code"].clone()),
        wrong("INVALID_PARAMETER_VALUE")
    );
    let too_large = vec![0_u8; (10 << 20) + 1];
    let refused = send(
        &server.url,
        &Request { method: "POST", path: &upload, headers: Vec::new(), body: Some(&too_large) },
    );
    assert_eq!(refused.status, 400);

    let model = post(
        &server.url,
        &format!("{API}/logged-models"),
        &json!({"experiment_id": "0", "name": "m"}),
    );
    let info = model.json()["model"]["info"].clone();
    let (model_id, model_root) =
        (info["model_id"].as_str().unwrap(), info["artifact_uri"].as_str().unwrap());
    let below = model_root.strip_prefix("mlflow-artifacts:/").unwrap();
    put(&server, &format!("{FILES}/{below}/MLmodel"), b"flavors: {}");
    let listed =
        get(&server.url, &format!("{API}/logged-models/{model_id}/artifacts/directories")).json();
    assert_eq!(listed["files"][0]["path"], "MLmodel");
    let path = format!(
        "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files?artifact_file_path=MLmodel"
    );
    assert_eq!(get(&server.url, &path).text(), "flavors: {}");
    let unnamed = get(&server.url, path.split('?').next().unwrap());
    assert_eq!((unnamed.status, unnamed.json()["error_code"].clone()), wrong("BAD_REQUEST"));

    post(&server.url, &format!("{API}/registered-models/create"), &json!({"name": "reg"}));
    let version = json!({"name": "reg", "source": format!("{root}/plots"), "run_id": run_id});
    assert_eq!(post(&server.url, &format!("{API}/model-versions/create"), &version).status, 200);
    let path = "/model-versions/get-artifact?name=reg&version=1&path=a.png";
    assert_eq!(get(&server.url, path).text(), "png");
}

#[test]
fn direct_uploads_are_refused_so_that_clients_go_the_ordinary_way() {
    let server = Served::start();
    let (run_id, _) = new_run(&server);
    let multipart = "/api/2.0/mlflow-artifacts/mpu/create/0/x";
    let answer = post(&server.url, multipart, &json!({"path": "f", "num_parts": 2}));
    assert_eq!(
        (answer.status, answer.json()["error_code"].clone()),
        (501, json!("NOT_IMPLEMENTED"))
    );
    let body = json!({"run_id": run_id, "path": "a"});
    for which in ["upload", "download"] {
        let answer = post(&server.url, &format!("{API}/artifacts/presigned-{which}-url"), &body);
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}

#[test]
fn what_is_not_here_is_said_in_json() {
    let server = Served::start();
    for path in [
        "/api/3.0/mlflow/scorers/list?experiment_id=0",
        "/api/3.0/mlflow/gateway/endpoints/list",
        "/ajax-api/3.0/mlflow/review-queues/list?experiment_id=0",
        "/ajax-api/3.0/mlflow/label-schemas/list?experiment_id=0",
        "/ajax-api/3.0/mlflow/prompt-optimization/jobs/search?experiment_id=0",
    ] {
        let answer = get(&server.url, path);
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "{path}");
    }
    let issues = post(&server.url, "/ajax-api/3.0/mlflow/issues/search", &json!({}));
    assert_eq!((issues.status, issues.text().as_str()), (200, "{}"));
    let assistant = get(&server.url, "/ajax-api/3.0/mlflow/assistant/providers");
    assert_eq!((assistant.status, assistant.json()), (200, json!({"providers": []})));
    let workspaces = get(&server.url, "/api/3.0/mlflow/workspaces");
    assert_eq!(workspaces.status, 503);
    assert_eq!(workspaces.json()["error_code"], "FEATURE_DISABLED");
    for path in [
        "/api/3.0/mlflow/nothing",
        "/api/3.0/mlflow/scorers/invoke",
        "/ajax-api/3.0/mlflow/jobs/x",
        "/ajax-api/3.0/mlflow/gateway/secrets/get",
    ] {
        let answer = get(&server.url, path);
        assert_eq!(answer.status, 404, "{path}");
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["error_code"], "ENDPOINT_NOT_FOUND", "{path}");
    }
}

#[test]
fn a_request_in_a_workspace_touches_nothing() {
    let server = Served::start();
    let body = json!({"name": "theirs"}).to_string();
    let create = |path: &str, workspace| {
        let headers = vec![("Content-Type", "application/json"), ("X-MLFLOW-WORKSPACE", workspace)];
        send(&server.url, &Request { method: "POST", path, headers, body: Some(body.as_bytes()) })
    };
    let path = format!("{API}/experiments/create");
    for workspace in ["team-a", "default", " x ", "\u{e9}"] {
        let answer = create(&path, workspace);
        assert_eq!(answer.status, 400, "{workspace}");
        assert_eq!(answer.json()["error_code"], "FEATURE_DISABLED", "{workspace}");
    }
    for path in ["/v1/traces", "/graphql", &format!("{FILES}/x"), "/", "/nothing"] {
        let answer = with_headers(&server, "GET", path, &[("X-MLFLOW-WORKSPACE", "team-a")]);
        assert_eq!(answer.status, 400, "{path}");
    }
    // Clients find out there, whichever they have set; and what names none is of nobody else.
    let info = with_headers(
        &server,
        "GET",
        "/api/3.0/mlflow/server-info",
        &[("X-MLFLOW-WORKSPACE", "team-a")],
    );
    assert_eq!((info.status, &info.json()["workspaces_enabled"]), (200, &json!(false)));
    assert_eq!(create(&path, "  ").status, 200);
}

#[test]
fn metrics_count_requests_by_route() {
    let server = Served::start();
    for id in 0..3 {
        get(&server.url, &format!("{API}/experiments/get?experiment_id={id}"));
    }
    let metrics = get(&server.url, "/metrics").text();
    for part in [
        "trainyard_tracking_http_requests_total{method=\"GET\",route=\"/api/2.0/mlflow/experiments/get\",status=\"404\"}",
        "trainyard_tracking_http_request_duration_seconds_bucket{method=\"GET\",route=\"/api/2.0/mlflow/experiments/get\"",
        "trainyard_tracking_http_connections",
    ] {
        assert!(metrics.contains(part), "{part} is not in:\n{metrics}");
    }
}

#[test]
fn runs_are_counted_and_what_is_cut_is_told() {
    let server = Served::start();
    let (run_id, _) = new_run(&server);
    new_run(&server);
    let count = |filter: &str| {
        let search = json!({"experiment_ids": ["0"], "filter": filter});
        post(&server.url, &format!("{API}/runs/count"), &search).json()
    };
    assert_eq!(count(""), json!({"count": 2}));
    assert_eq!(count("status = 'FINISHED'"), json!({"count": 0}));

    let log = |path: &str, body: Value| post(&server.url, &format!("{API}/runs/{path}"), &body);
    let param = |length: usize| json!({"run_id": run_id, "key": format!("p{length}"), "value": "x".repeat(length)});
    assert_eq!(log("log-parameter", param(6000)).header("x-trainyard-truncated"), None);
    let cut = log("log-parameter", param(6001));
    assert_eq!((cut.status, cut.header("x-trainyard-truncated")), (200, Some("param:p6001")));
    let tags =
        json!([{"key": "a b", "value": "é".repeat(8001)}, {"key": "c", "value": "é".repeat(8000)}]);
    let cut = log("log-batch", json!({"run_id": run_id, "tags": tags}));
    assert_eq!((cut.status, cut.header("x-trainyard-truncated")), (200, Some("tag:a%20b")));
}

#[test]
fn running_requests_finish_before_the_server_stops() {
    let mut server = Served::start();
    let address = server.url.strip_prefix("http://").expect("an http URL").to_owned();
    let mut stream = TcpStream::connect(&address).expect("the server listens");
    let head = format!(
        "PUT {FILES}/0/slow HTTP/1.1\r\nHost: {address}\r\nContent-Length: 8\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the head is sent");
    // The server asks for the body when the request is running.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).expect("an interim answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"half").expect("half of the file is sent");
    let stopped = server.ask_to_stop();
    stream.write_all(b"done").expect("the rest is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and the end of the connection");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stopped.recv_timeout(Duration::from_secs(30)).expect("the server stops");
    let file = std::fs::read(server.artifacts().join("0/slow")).expect("the file");
    assert_eq!(file, b"halfdone");
    assert!(TcpStream::connect(&address).is_err(), "nothing listens any more");
}

fn graphql(server: &Served, query: &str, variables: &Value) -> Value {
    post(&server.url, "/graphql", &json!({"query": query, "variables": variables})).json()
}

#[test]
fn the_queries_of_upstreams_pages_are_answered() {
    let server = Served::start();
    let (run_id, _) = new_run(&server);
    for step in 0..3 {
        let metric =
            json!({"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 7, "step": step});
        post(&server.url, &format!("{API}/runs/log-metric"), &metric);
    }
    let nan = json!({"run_id": run_id, "key": "nan", "value": "NaN", "timestamp": 7});
    post(&server.url, &format!("{API}/runs/log-metric"), &nan);
    let query = r#"query GetRun($data: MlflowGetRunInput!) @component(name: "Runs") {
        mlflowGetRun(input: $data) {
          apiError { code message }
          run {
            info { runUuid status endTime experimentId }
            experiment { experimentId name tags { key } }
            modelVersions { name version }
            data { metrics { key value step timestamp } params { key } }
            inputs { datasetInputs { dataset { name } } }
            outputs { modelOutputs { modelId } }
            __typename
          }
        }
      }"#;
    let answer = graphql(&server, query, &json!({"data": {"runId": run_id}}));
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let run = &answer["data"]["mlflowGetRun"]["run"];
    assert_eq!(
        run["info"],
        json!({"runUuid": run_id, "status": "RUNNING", "endTime": "0", "experimentId": "0"})
    );
    assert_eq!(run["experiment"], json!({"experimentId": "0", "name": "Default", "tags": []}));
    assert_eq!(run["modelVersions"], json!([]));
    assert_eq!(
        run["data"]["metrics"][0],
        json!({"key": "loss", "value": 0.5, "step": "2", "timestamp": "7"})
    );
    assert_eq!(run["data"]["metrics"][1]["value"], Value::Null);
    assert_eq!(run["__typename"], "MlflowRunExtension");
    assert_eq!(answer["data"]["mlflowGetRun"]["apiError"], Value::Null);

    let query = "query H($data: MlflowGetMetricHistoryBulkIntervalInput!) { mlflowGetMetricHistoryBulkInterval(input: $data) { metrics { step runId } } }";
    let data = json!({"data": {"runIds": [run_id], "metricKey": "loss", "maxResults": 2}});
    let answer = graphql(&server, query, &data);
    let steps = &answer["data"]["mlflowGetMetricHistoryBulkInterval"]["metrics"];
    assert_eq!(steps, &json!([{"step": "0", "runId": run_id}, {"step": "2", "runId": run_id}]));

    let query = "mutation S($data: MlflowSearchRunsInput!) { mlflowSearchRuns(input: $data) { runs { ...I } } } fragment I on MlflowRun { info { runId } }";
    let answer =
        graphql(&server, query, &json!({"data": {"experimentIds": ["0"], "runViewType": "ALL"}}));
    assert_eq!(answer["data"]["mlflowSearchRuns"]["runs"][0]["info"]["runId"], json!(run_id));
}

#[test]
fn bad_graphql_is_told_in_the_answer() {
    let server = Served::start();
    for (query, part) in [
        ("{ nope }", "Cannot query field 'nope' on type 'Query'."),
        (
            "{ mlflowGetRun(input: {runId: \"x\"}) { run { nope } } }",
            "Cannot query field 'nope' on type 'MlflowRunExtension'.",
        ),
        ("{ mlflowGetRun(input: {runId: \"x\"}) { run } }", "must have a selection"),
        (
            "{ mlflowGetRun(input: {runId: \"x\"}) { run { info { runId } } } }",
            "Run with id=x not found",
        ),
        (
            "{ mlflowGetRun(input: {}) { run { info { runId } } } }",
            "Missing value for required parameter 'run_id'",
        ),
        ("{ broken", "Syntax Error"),
        ("", "Must provide"),
    ] {
        let answer = graphql(&server, query, &Value::Null);
        let error = answer["errors"][0].as_str().unwrap_or_default();
        assert!(error.contains(part), "{query}: {answer}");
    }
    let many: Vec<String> =
        (0..11).map(|i| format!("a{i}: test(inputString: \"x\") {{ output }}")).collect();
    let many = many.join(" ");
    let answer = graphql(&server, &format!("{{ {many} }}"), &Value::Null);
    // Upstream's words, without its variable that nobody reads here.
    assert_eq!(
        answer["errors"][0],
        "GraphQL queries should have at most 10 root fields, got 11 root fields.",
        "{answer}"
    );
    let deep = format!("{}{}", "{a".repeat(20), "}".repeat(20));
    let answer = graphql(&server, &deep, &Value::Null);
    let error = answer["errors"][0].as_str().unwrap_or_default();
    assert!(error.starts_with("Query exceeds maximum depth of"), "{answer}");
    let endless = "{ test(inputString: \"x\") { ...A } } fragment A on Test { ...A }";
    assert!(graphql(&server, endless, &Value::Null)["errors"][0].is_string());
}

#[test]
fn upstreams_own_pages_are_served_from_their_folder() {
    let directory = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
    std::fs::create_dir_all(directory.path().join("static/js")).expect("a folder");
    write("index.html", "<!doctype html>").expect("a file");
    write("static/js/main.1.js", "run()").expect("a file");
    let pages = ui::pages(directory.path()).expect("pages");
    let server = Served::with_pages(ServerOptions::default(), pages);
    let page = get(&server.url, "/");
    assert_eq!((page.status, page.text().as_str()), (200, "<!doctype html>"));
    let script = get(&server.url, "/static-files/static/js/main.1.js");
    assert_eq!((script.status, script.text().as_str()), (200, "run()"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.header("cache-control"), Some("max-age=2419200"));
    for path in [
        "/static-files/nope.js",
        "/static-files/static",
        "/static-files/..%2f..%2fetc%2fpasswd",
        "/other",
    ] {
        assert_eq!(get(&server.url, path).status, 404, "{path}");
    }
    assert!(ui::pages(&directory.path().join("static")).is_err(), "no index.html, no pages");
}

#[test]
fn searches_fill_in_aliases_for_those_who_want_them() {
    let aliases = |server: &Served, query: &str| {
        let path = format!("/api/2.0/mlflow/model-versions/search?{query}");
        get(&server.url, &path).json()["model_versions"][0]["aliases"].clone()
    };
    let prepare = |options: ServerOptions| {
        let server = Served::with(options);
        let write = |path: &str, body: Value| {
            let answer = post(&server.url, &format!("/api/2.0/mlflow/{path}"), &body);
            assert_eq!(answer.status, 200, "{}", answer.text());
        };
        write("registered-models/create", json!({ "name": "m" }));
        write("model-versions/create", json!({ "name": "m", "source": "s3://b/x" }));
        write("registered-models/alias", json!({ "name": "m", "alias": "a", "version": "1" }));
        server
    };
    let upstreams = prepare(ServerOptions::default());
    assert_eq!(aliases(&upstreams, ""), json!(null));
    assert_eq!(aliases(&upstreams, "include_aliases=true"), json!(["a"]));
    let wider = prepare(ServerOptions { aliases_in_search: true, ..ServerOptions::default() });
    assert_eq!(aliases(&wider, ""), json!(["a"]));
    assert_eq!(aliases(&wider, "include_aliases=false"), json!(null));
}

#[test]
fn paths_that_lead_through_files_are_the_callers_mistake() {
    let server = Served::start();
    assert_eq!(put(&server, &format!("{FILES}/0/a.txt"), b"text").status, 200);
    assert_eq!(put(&server, &format!("{FILES}/0/d/e.txt"), b"text").status, 200);
    let long = "x".repeat(300);
    let through = format!("{FILES}/0/a.txt/x");
    for (method, path, status) in [
        ("GET", through.clone(), 404),
        ("HEAD", through.clone(), 404),
        ("DELETE", through.clone(), 200),
        ("PUT", through, 400),
        ("PUT", format!("{FILES}/0/d"), 400),
        ("GET", format!("{FILES}/0/{long}"), 404),
        ("DELETE", format!("{FILES}/0/{long}"), 200),
        ("PUT", format!("{FILES}/0/{long}"), 400),
    ] {
        let body = (method == "PUT").then_some(b"new".as_slice());
        let answer = send(&server.url, &Request { method, path: &path, headers: vec![], body });
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let folder = server.artifacts().display().to_string();
        assert!(!answer.text().contains(&folder), "{}", answer.text());
    }
    assert_eq!(get(&server.url, &format!("{FILES}/0/a.txt")).text(), "text");
}

#[test]
fn a_version_is_noted_on_its_logged_model_and_found_without_a_run() {
    let server = Served::start();
    let ask = |path: &str, body: Value| post(&server.url, &format!("{API}/{path}"), &body).json();
    let model = ask("logged-models", json!({"experiment_id": "0", "name": "m"}));
    let model_id = model["model"]["info"]["model_id"].as_str().unwrap().to_owned();
    ask("registered-models/create", json!({"name": "W"}));
    for _ in 0..2 {
        let source = format!("models:/{model_id}");
        let made = ask(
            "model-versions/create",
            json!({"name": "W", "source": source, "model_id": model_id}),
        );
        assert_eq!(made["model_version"]["description"], "", "{made}");
    }
    let model = get(&server.url, &format!("{API}/logged-models/{model_id}")).json();
    assert_eq!(
        model["model"]["info"]["tags"],
        json!([{
            "key": "mlflow.modelVersions",
            "value": r#"[{"name": "W", "version": 1}, {"name": "W", "version": 2}]"#
        }])
    );
    for filter in ["run_id%20%3D%20%27%27", "run_id%20!%3D%20%27zz%27"] {
        let found = get(&server.url, &format!("{API}/model-versions/search?filter={filter}"));
        let found = found.json();
        assert_eq!(found["model_versions"].as_array().map(Vec::len), Some(2), "{found}");
    }
}

#[test]
fn bodies_that_nobody_sends_by_mistake_are_refused() {
    let server = Served::start();
    let path = format!("{API}/runs/search");
    let deep = "[".repeat(100_000);
    let huge = format!("{{\"max_results\": {}}}", "9".repeat(100_000));
    let half = r#"{"filter": "\ud800"}"#;
    for body in [deep.as_bytes(), huge.as_bytes(), half.as_bytes(), b"{\"filter\": \"\xff\"}"] {
        let headers = vec![("Content-Type", "application/json")];
        let request = Request { method: "POST", path: &path, headers, body: Some(body) };
        let answer = send(&server.url, &request);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("The request body"), "{}", answer.text());
    }
}

#[test]
fn runs_are_found_by_the_name_of_their_experiment() {
    let server = Served::start();
    let ask = |path: &str, body: Value| post(&server.url, &format!("{API}/{path}"), &body).json();
    let other = ask("experiments/create", json!({"name": "it's other"}));
    let other = other["experiment_id"].as_str().unwrap().to_owned();
    new_run(&server);
    ask("runs/create", json!({"experiment_id": other}));
    for (filter, found) in [
        ("experiment_name = \"it's other\"", vec![other.as_str()]),
        ("experiment.name LIKE 'Def%'", vec!["0"]),
        ("attributes.experiment_name IN ('Default', 'none')", vec!["0"]),
        ("experiment_name = 'none'", vec![]),
    ] {
        let answer = ask("runs/search", json!({"experiment_ids": ["0", other], "filter": filter}));
        let runs = answer["runs"].as_array().cloned().unwrap_or_default();
        let ids: Vec<_> = runs.iter().map(|run| run["info"]["experiment_id"].clone()).collect();
        assert_eq!(ids, found, "{filter}: {answer}");
    }
}
