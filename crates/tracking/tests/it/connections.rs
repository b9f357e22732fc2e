//! Connections over real sockets: who says nothing, sends slowly, does not read, or comes in crowds, is
//! let go, and `/health` is always answered.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use trainyard_tracking::server::{Limits, ServerOptions};

use crate::http::{get, post};
use crate::served::Served;

/// For what must happen: long, because a test must not fail for want of time.
const PATIENCE: Duration = Duration::from_mins(2);

fn limits() -> Limits {
    let mut limits = Limits::new(20);
    limits.idle = Duration::from_millis(400);
    limits.body_grace = Duration::from_millis(400);
    limits
}

fn serve(connections: Limits) -> Served {
    Served::with(ServerOptions { connections, ..ServerOptions::default() })
}

fn connect(server: &Served) -> TcpStream {
    let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the server closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "still open: {error}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn connections_that_say_nothing_are_closed() {
    let server = serve(limits());
    for said in ["", "P", "PRI * HT", "GET /health HTTP/1.1\r\n", "GET /health HTTP/1.1\r\nHost: x"]
    {
        let mut stream = connect(&server);
        stream.write_all(said.as_bytes()).unwrap();
        rest(&mut stream);
    }
    // Between two requests, too.
    let mut stream = connect(&server);
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(rest(&mut stream).ends_with("OK"));
}

#[test]
fn a_body_that_never_comes_holds_no_place() {
    let server = serve(limits());
    for (path, kind) in [
        ("/api/2.0/mlflow/runs/log-batch", "application/json"),
        ("/graphql", "application/json"),
        ("/ajax-api/2.0/mlflow/upload-artifact?run_uuid=x&path=a", "text/plain"),
    ] {
        let mut stream = connect(&server);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n\
             Content-Length: 1000000\r\n\r\n{{\"run"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let answer = rest(&mut stream);
        let answered = answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 2");
        assert!(answered || answer.is_empty(), "{path}: {answer}");
    }
    let mut stream = connect(&server);
    let head = "PUT /api/2.0/mlflow-artifacts/artifacts/a/b HTTP/1.1\r\nHost: 127.0.0.1\r\n\
                Content-Length: 1000000\r\n\r\nxx";
    stream.write_all(head.as_bytes()).unwrap();
    rest(&mut stream);
    assert!(!server.artifacts().join("a/b").exists(), "half a file was kept");
}

#[test]
fn health_is_answered_in_a_crowd() {
    let mut limits = limits();
    limits.idle = PATIENCE;
    limits.connections_max = 8;
    limits.per_address_max = 4;
    let server = serve(limits);
    let silent: Vec<TcpStream> = (0..80).map(|_| connect(&server)).collect();
    // The server has accepted those before: it answers in order.
    for path in ["/health", "/version"] {
        assert_eq!(get(&server.url, path).status, 200, "{path}");
    }
    let answer = get(&server.url, "/api/2.0/mlflow/experiments/get?experiment_id=0");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(silent);
    let deadline = Instant::now() + PATIENCE;
    while get(&server.url, "/api/2.0/mlflow/experiments/get?experiment_id=0").status != 200 {
        assert!(Instant::now() < deadline, "there is room again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn readers_that_do_not_read_are_let_go() {
    let mut server = serve(limits());
    let run =
        post(&server.url, "/api/2.0/mlflow/runs/create", &json!({"experiment_id": "0"})).json();
    let run_id = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    for part in 0..40 {
        let params: Vec<_> = (0..100)
            .map(|n| json!({"key": format!("p{part}-{n}"), "value": "x".repeat(6000)}))
            .collect();
        let body = json!({"run_id": run_id, "params": params});
        assert_eq!(post(&server.url, "/api/2.0/mlflow/runs/log-batch", &body).status, 200);
    }
    let mut streams: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = connect(&server);
            let head = format!(
                "GET /api/2.0/mlflow/runs/get?run_id={run_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // They are not read, and not closed either: the server stops all the same.
    let stopped = server.ask_to_stop();
    stopped.recv_timeout(PATIENCE).expect("the server ends");
    for stream in &mut streams {
        assert!(rest(stream).len() < 24_000_000, "all of it was sent");
    }
}
