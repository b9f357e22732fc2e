//! How the client behaves towards servers that fail, lie, or ask for credentials.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use trainyard_mlflow::artifacts::once;
use trainyard_mlflow::client::{Credentials, RestClient, Settings};
use trainyard_mlflow::entities::{Metric, Tag};
use trainyard_mlflow::{CreateRun, Error, ErrorCode, Tracking};

use crate::fake_server::{Answer, FakeServer, json, with_headers};

const EXPERIMENT: &str = r#"{"experiment": {"experiment_id": "7", "name": "x"}}"#;
const RUN: &str = r#"{"run": {"info": {"run_id": "r", "experiment_id": "7"}}}"#;

fn quick() -> Settings {
    Settings {
        timeout: Duration::from_millis(400),
        retries: 3,
        backoff_factor: Duration::from_millis(1),
        backoff_jitter: Duration::ZERO,
        ..Settings::default()
    }
}

fn client(server: &FakeServer) -> Tracking {
    client_at(&server.url, Credentials::None, &quick())
}

fn client_at(url: &str, credentials: Credentials, settings: &Settings) -> Tracking {
    RestClient::with_settings(url, credentials, settings).unwrap().into()
}

#[tokio::test]
async fn transient_failures_are_repeated() {
    for status in ["408 a", "429 b", "500 c", "502 d", "503 e", "504 f"] {
        let server = FakeServer::start(vec![
            json(status, "{}"),
            Answer::Bytes(Vec::new()),
            json("200 OK", EXPERIMENT),
        ]);
        let experiment = client(&server).experiments.get("7").await.unwrap();
        assert_eq!(experiment.name, "x", "{status}");
        assert_eq!(server.requests().len(), 3, "{status}");
        assert_eq!(
            server.requests()[2].line(),
            "GET /api/2.0/mlflow/experiments/get?experiment_id=7 HTTP/1.1"
        );
    }
}

#[tokio::test]
async fn a_workspace_is_named_to_the_server() {
    let server = FakeServer::start(vec![json("200 OK", EXPERIMENT)]);
    let of = |workspace: &str| Settings { workspace: Some(workspace.to_owned()), ..quick() };
    let client = client_at(&server.url, Credentials::None, &of("team-a"));
    client.experiments.get("7").await.unwrap();
    assert_eq!(server.requests()[0].header("x-mlflow-workspace"), Some("team-a"));
    let refused = RestClient::with_settings(&server.url, Credentials::None, &of("a\nb"));
    assert!(refused.unwrap_err().to_string().contains("workspace"));
}

#[tokio::test]
async fn repeats_end_and_the_last_error_is_told() {
    let body = r#"{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "database is locked"}"#;
    let server = FakeServer::start(vec![json("503 x", body)]);
    let error = client(&server).experiments.get("7").await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable);
    assert_eq!(error.to_string(), "database is locked");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn what_makes_something_new_is_not_sent_twice_unless_the_server_did_nothing() {
    for (answer, times) in [
        (json("500 x", "{}"), 1),
        (json("502 x", "{}"), 1),
        (Answer::Bytes(Vec::new()), 1),
        (json("503 x", "{}"), 2),
        (json("429 x", "{}"), 2),
    ] {
        let server = FakeServer::start(vec![answer, json("200 OK", RUN)]);
        let created = client(&server).runs.create(CreateRun::default()).await;
        assert_eq!(created.is_ok(), times == 2);
        assert_eq!(server.requests().len(), times);
    }
    // Logging the same value again changes nothing, so it is repeated.
    let server = FakeServer::start(vec![Answer::Bytes(Vec::new()), json("200 OK", "{}")]);
    client(&server).runs.log_metric("r", Metric::new("acc", f64::NAN, 5, 6)).await.unwrap();
    let bodies: Vec<serde_json::Value> = server
        .requests()
        .iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    let expected = serde_json::json!({
        "run_id": "r", "run_uuid": "r", "key": "acc", "value": "NaN", "timestamp": 5, "step": 6,
    });
    assert_eq!(bodies, [expected.clone(), expected]);
}

#[tokio::test]
async fn the_users_mistakes_are_not_repeated() {
    let body = r#"{"error_code": "INVALID_PARAMETER_VALUE", "message": "no", "sqlstate": "KAM00"}"#;
    let server = FakeServer::start(vec![json("400 Bad Request", body)]);
    let error = client(&server).experiments.get("7").await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (ErrorCode::InvalidParameterValue, "no")
    );
    assert_eq!(server.requests().len(), 1);
    let body = r#"{"error_code": "SOMETHING_NEW", "message": "m"}"#;
    let server = FakeServer::start(vec![json("400 Bad Request", body)]);
    let error = client(&server).experiments.get("7").await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (ErrorCode::Unknown, "m"));
}

#[tokio::test]
async fn retry_after_is_heeded() {
    let server = FakeServer::start(vec![
        with_headers("429 Slow Down", "retry-after: 1\r\n", ""),
        json("200 OK", EXPERIMENT),
    ]);
    let start = Instant::now();
    client(&server).experiments.get("7").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let server = FakeServer::start(vec![json("401 x", "You are not authenticated.")]);
    let with_user_info = server.url.replace("http://", "http://me:p%40ss@");
    for (url, credentials, header) in [
        (
            server.url.clone(),
            Credentials::Basic { username: "a".into(), password: "s3cret".into() },
            Some("Basic YTpzM2NyZXQ="),
        ),
        (server.url.clone(), Credentials::Token("s3cret".into()), Some("Bearer s3cret")),
        // The URL goes before the environment, as upstream.
        (with_user_info, Credentials::Token("s3cret".into()), Some("Basic bWU6cEBzcw==")),
        (server.url.clone(), Credentials::None, None),
    ] {
        let client = RestClient::with_settings(&url, credentials, &quick()).unwrap();
        let shown = format!("{client:?} {}", client.base_url());
        let error = Tracking::from(client).experiments.get("7").await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Unauthenticated);
        let shown = format!("{shown} {error} {error:?}");
        for secret in ["s3cret", "p%40ss", "p@ss", "YTpz", "bWU6"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("MLFLOW_TRACKING_USERNAME"), "{shown}");
        let request = server.requests().last().unwrap().clone();
        assert_eq!(request.header("authorization"), header);
        assert!(request.header("user-agent").unwrap().starts_with("trainyard/"));
    }
}

#[tokio::test]
async fn credentials_do_not_go_to_other_hosts() {
    let tracking = FakeServer::start(vec![json("200 OK", "{}")]);
    let other = FakeServer::start(vec![json("200 OK", "{}")]);
    let token = Credentials::Token("s3cret".into());
    let client = client_at(&tracking.url, token, &quick());
    let host = other.url.strip_prefix("http://").unwrap();
    for root in [
        format!("mlflow-artifacts://{host}/1/x"),
        format!("{}/api/2.0/mlflow-artifacts/artifacts/1/x", other.url),
    ] {
        client.artifacts.list(&root, "a").await.unwrap();
        let request = other.requests().last().unwrap().clone();
        assert_eq!(
            request.line(),
            "GET /api/2.0/mlflow-artifacts/artifacts?path=1%2Fx%2Fa HTTP/1.1"
        );
        assert_eq!(request.header("authorization"), None);
    }
    client.artifacts.list("mlflow-artifacts:/1/x", "a").await.unwrap();
    assert_eq!(tracking.requests()[0].header("authorization"), Some("Bearer s3cret"));
}

#[tokio::test]
async fn a_base_path_is_kept() {
    let server = FakeServer::start(vec![json("200 OK", "{}")]);
    let url = format!("{}/team/mlflow/", server.url);
    let client = client_at(&url, Credentials::None, &quick());
    client.experiments.set_tag("7", Tag::new("k", "v")).await.unwrap();
    client.artifacts.upload("mlflow-artifacts:/1", "a b/ü?#%.txt", once("x")).await.unwrap();
    let lines: Vec<String> =
        server.requests().iter().map(|request| request.line().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "POST /team/mlflow/api/2.0/mlflow/experiments/set-experiment-tag HTTP/1.1",
            "PUT /team/mlflow/api/2.0/mlflow-artifacts/artifacts/1/a%20b/%C3%BC%3F%23%25.txt HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn an_unreachable_server_is_told_at_once() {
    let port = trainyard_testkit::free_port();
    for url in [format!("http://127.0.0.1:{port}"), "http://no-such-host.invalid:5000".to_owned()] {
        // The defaults, which repeat for minutes once a server is known.
        let client = client_at(&url, Credentials::None, &Settings::default());
        let start = Instant::now();
        let error = client.experiments.get("7").await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(
            error.to_string().starts_with(&format!("cannot reach the tracking server at {url}: "))
        );
    }
    for url in ["localhost:5000", "ftp://h", "http://", "/tmp/x", "sqlite:///x.db"] {
        assert!(RestClient::new(url, Credentials::None).is_err(), "{url}");
    }
}

#[tokio::test]
async fn hostile_answers_are_errors() {
    let limit = Settings { response_bytes_max: 100_000, retries: 0, ..quick() };
    let page = "<html><title>Login</title>".to_owned() + &"x".repeat(10_000);
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"experiment\": {".to_vec();
    let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n";
    for (answer, part) in [
        (with_headers("200 OK", "content-type: text/html\r\n", &page), "<title>Login"),
        (json("200 OK", "[]"), "the answer begins"),
        (json("200 OK", r#"{"experiment": 5}"#), "the answer begins"),
        (json("200 OK", ""), "the answer begins"),
        (Answer::Bytes(cut), "cannot reach"),
        (Answer::Bytes(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), "cannot reach"),
        (Answer::Silence(Duration::from_mins(1)), "no answer within 0.4 seconds"),
        (Answer::Endless(endless), "larger than 100000 bytes"),
        (Answer::Endless("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"), "larger than"),
        (json("200 OK", &format!("{{\"x\": {}", "[".repeat(90_000))), "EOF while parsing"),
        (
            with_headers("302 Found", "location: https://u:secret@sso.example/login\r\n", ""),
            "sso.example/login; use that address",
        ),
        (with_headers("404 Not Found", "content-type: text/html\r\n", &page), "an MLflow server"),
        (json("413 Too Large", "x"), "too large"),
        (Answer::Endless("HTTP/1.1 500 Oops\r\n\r\n"), "failed"),
    ] {
        let server = FakeServer::start(vec![answer]);
        let client = client_at(&server.url, Credentials::None, &limit);
        let start = Instant::now();
        let error = client.experiments.get("7").await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.len() < 600 && !error.contains("secret"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20), "{error}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn artifact_names_that_lead_elsewhere_are_refused() {
    for name in ["../../etc/passwd", "/etc/passwd", "..", "a\\\\..\\\\b", ""] {
        let body = format!(r#"{{"files": [{{"path": "{name}", "is_dir": false}}]}}"#);
        let server = FakeServer::start(vec![json("200 OK", &body)]);
        let error = client(&server).artifacts.list("mlflow-artifacts:/1", "").await.unwrap_err();
        assert!(matches!(error, Error::UnexpectedAnswer { .. }), "{name}: {error}");
    }
    let server = FakeServer::start(vec![json("200 OK", "{}")]);
    for root in ["s3://bucket/x", "dbfs:/x", "ftp://h/x", "http://h/x", "mlflow-artifacts://5000/x"]
    {
        let error = client(&server).artifacts.list(root, "").await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidParameterValue, "{root}: {error}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn downloads_that_break_off_are_errors() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf".to_vec();
    let server = FakeServer::start(vec![Answer::Bytes(cut)]);
    let body = client(&server).artifacts.download("mlflow-artifacts:/1", "a").await.unwrap();
    let chunks: Vec<_> = body.collect().await;
    assert!(chunks.last().unwrap().is_err(), "{chunks:?}");

    let silent = FakeServer::start(vec![Answer::Silence(Duration::from_mins(1))]);
    let settings = Settings { retries: 0, ..quick() };
    let client = client_at(&silent.url, Credentials::None, &settings);
    let start = Instant::now();
    assert!(client.artifacts.download("mlflow-artifacts:/1", "a").await.is_err());
    let stream = futures::stream::repeat_with(|| Ok(bytes::Bytes::from(vec![0; 1 << 20]))).take(64);
    assert!(client.artifacts.upload("mlflow-artifacts:/1", "a", Box::pin(stream)).await.is_err());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
