//! `trainyard serve` as a process: signals, and models that only Python can run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::{KillOnDrop, free_port, python, run_python, workspace_root};

use crate::project::trainyard;

/// A server of this model on a free port, when it is healthy.
fn serving(model: &str, flags: &[&str]) -> (KillOnDrop, u16) {
    let port = free_port();
    let mut command = trainyard();
    command.args(["serve", "--model-uri", model, "--port", &port.to_string()]).args(flags);
    let child = KillOnDrop::spawn(command.stderr(Stdio::null()).stdout(Stdio::null()));
    let started = Instant::now();
    while !ask(port, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .contains("200 ok")
    {
        assert!(started.elapsed() < Duration::from_mins(2), "not healthy");
        std::thread::sleep(Duration::from_millis(20));
    }
    (child, port)
}

/// The whole answer to a request; nothing when nobody listens.
fn ask(port: u16, request: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    stream.write_all(request.as_bytes()).unwrap();
    rest(&mut stream)
}

fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is an end as well.
    let _reset = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).to_lowercase()
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn sigterm_lets_requests_in_flight_finish() {
    let model = workspace_root().join("crates/serve/tests/models/onnx_rf");
    let (mut server, port) = serving(&model.display().to_string(), &["--drain-delay", "4s"]);
    let request = post(r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#);
    let (start, end) = request.split_at(request.len() - 10);
    let mut slow = TcpStream::connect(("127.0.0.1", port)).unwrap();
    slow.write_all(start.as_bytes()).unwrap();
    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let started = Instant::now();
    // First it says that it is about to go, and still answers.
    let health = loop {
        let health = ask(port, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        if !health.contains("200 ok") {
            break health;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{health}");
    };
    assert!(health.contains(" 503 ") && health.contains("draining"), "{health}");
    assert!(health.contains("connection: close"), "{health}");
    let answer = ask(port, &request);
    assert!(answer.contains("200 ok") && answer.contains("connection: close"), "{answer}");
    // Then nobody new comes in.
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "still accepts");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(server.0.try_wait().unwrap().is_none(), "it did not wait for the request in flight");
    slow.write_all(end.as_bytes()).unwrap();
    let answer = rest(&mut slow);
    assert!(answer.contains("200 ok") && answer.contains("connection: close"), "{answer}");
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

const MODEL: &str = r#"
import sys, mlflow.pyfunc

class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["x"] * 2

mlflow.pyfunc.save_model(sys.argv[1], python_model=Twice(), pip_requirements=["mlflow"])
"#;

#[test]
fn a_python_model_runs_in_workers_that_end_with_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model").display().to_string();
    run_python(MODEL, &[&model], &[]);
    let python = python().display().to_string();
    // `failed` is final, so without workers the command says so at once in its health.
    let (mut server, port) = serving(&model, &["--python-workers", "1", "--python", &python]);
    let answer = ask(
        port,
        &post(r#"{"dataframe_records": [{"x": 4}]}"#).replace("Host: x", "Connection: close"),
    );
    assert!(answer.contains(r#"{"predictions": [{"x": 8}]}"#), "{answer}");
    let health = ask(port, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let worker: u32 = health
        .split("\"ready\":[")
        .nth(1)
        .and_then(|rest| rest.split(']').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{health}"));
    // Not even a server that is killed leaves its workers behind.
    server.kill();
    let started = Instant::now();
    while std::path::Path::new(&format!("/proc/{worker}/cwd")).exists() {
        assert!(started.elapsed() < Duration::from_secs(20), "worker {worker} stays behind");
        std::thread::sleep(Duration::from_millis(20));
    }
    let refused =
        trainyard().args(["serve", "--model-uri", &model, "--python", &python]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--python-workers"));
}
