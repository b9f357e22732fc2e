//! `trainyard serve` as a process: signals, and models that only Python can run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::{KillOnDrop, free_port, python, run_python, wait_for_port, workspace_root};

use crate::project::{TestProject, trainyard};

/// A server of this model on a free port, when it is healthy.
fn serving(model: &str, flags: &[&str]) -> (KillOnDrop, u16) {
    serving_with(model, flags, &[])
}

/// The same with these variables.
fn serving_with(model: &str, flags: &[&str], variables: &[(&str, &str)]) -> (KillOnDrop, u16) {
    let port = free_port();
    let mut command = trainyard();
    command.envs(variables.iter().copied());
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

#[test]
fn killed_together_with_its_registry_it_comes_back_alone() {
    let project = TestProject::iris();
    let port = free_port();
    let registry = || {
        let mut command = trainyard();
        command.current_dir(project.path()).args(["server", "--port", &port.to_string()]);
        let child = KillOnDrop::spawn(command.stderr(Stdio::null()).stdout(Stdio::null()));
        wait_for_port(port, Duration::from_mins(1));
        child
    };
    let running = registry();
    let uri = format!("http://127.0.0.1:{port}");
    let trained = trainyard()
        .current_dir(project.path())
        .env("MLFLOW_TRACKING_URI", &uri)
        .arg("train")
        .output()
        .unwrap();
    assert!(trained.status.success(), "{trained:?}");
    let cache = project.file("cache");
    let folder = cache.display().to_string();
    let flags = ["--model-cache", folder.as_str(), "--poll", "50ms"];
    let variables = [("MLFLOW_TRACKING_URI", uri.as_str())];
    let start = || serving_with("models:/IrisClassifier/1", &flags, &variables);
    let health = |port| ask(port, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let (server, asked) = start();
    assert!(!health(asked).contains("from_copy_of"), "{}", health(asked));
    let started = Instant::now();
    let is_kept = || {
        let places = std::fs::read_dir(&cache).into_iter().flatten();
        places.flatten().any(|place| place.path().join("entry").exists())
    };
    while !is_kept() {
        assert!(started.elapsed() < Duration::from_mins(1), "nothing is kept");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Dropped is killed.
    drop((server, running));
    let (_server, asked) = start();
    let said = health(asked);
    assert!(said.contains("from_copy_of") && said.contains("\"version\":\"1\""), "{said}");
    // Pinned to a version, it asks nevertheless until the registry has confirmed it.
    let _running = registry();
    let started = Instant::now();
    while health(asked).contains("from_copy_of") {
        assert!(started.elapsed() < Duration::from_mins(1), "{}", health(asked));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a disk that is full, or a quota, does to a write: a part of it is there, then an error.
#[test]
fn feedback_that_was_written_half_is_taken_back() {
    let model = workspace_root().join("crates/serve/tests/models/iris_columns");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    // No file may be larger than 32 KiB; the signal for that is ignored, so writes fail.
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$@\"";
    let binary = trainyard().get_program().to_owned();
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash"]).arg(binary);
    command.args([
        "serve",
        "--model-uri",
        &model.display().to_string(),
        "--port",
        &port.to_string(),
    ]);
    command.arg("--prediction-log").arg(folder.path());
    let server = KillOnDrop::spawn(command.stderr(Stdio::null()).stdout(Stdio::null()));
    let started = Instant::now();
    while !ask(port, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .contains("200 ok")
    {
        assert!(started.elapsed() < Duration::from_mins(1), "not healthy");
        std::thread::sleep(Duration::from_millis(20));
    }
    let send = |name: &str, facts: usize| {
        let fact = format!(r#"{{"request_id": "{name}", "actual": 1}}"#);
        let body = format!("[{}]", vec![fact; facts].join(","));
        let length = body.len();
        let answer = ask(
            port,
            &format!(
                "POST /feedback HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
        answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).unwrap_or_default()
    };
    let mut expected = Vec::new();
    for round in 0..3 {
        assert_eq!(send(&format!("kept-{round}"), 20), 200);
        expected.extend(vec![format!("kept-{round}"); 20]);
        assert_eq!(send(&format!("lost-{round}"), 2000), 500);
    }
    drop(server);
    let file = std::fs::read_dir(folder.path().join("_feedback")).unwrap().next().unwrap().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    let found: Vec<String> = text
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["request_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(found, expected);
}

/// A clock that says 1969, for programs that are started with it.
const CLOCK: &str = r"
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME) { time->tv_sec = -1000000; }
    return result;
}
";

#[test]
fn a_clock_before_1970_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("clock.c"), folder.path().join("clock.so"));
    std::fs::write(&source, CLOCK).unwrap();
    let mut gcc = Command::new("gcc");
    let built = gcc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(built.unwrap().success());
    let model = workspace_root().join("crates/serve/tests/models/iris_columns");
    let mut command = trainyard();
    command.env("LD_PRELOAD", &library).args(["serve", "--port", "0", "--model-uri"]).arg(model);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("stands before 1970") && !error.contains("panicked"), "{error}");
}

const MODEL: &str = r#"
import json, os, sys, mlflow.pyfunc

class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if model_input["x"].iloc[0] == 1:
            return [json.dumps(dict(os.environ))]
        if model_input["x"].iloc[0] == 2:
            # A daemon without parent, session, environment or open files.
            here, there = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(there, str(os.getpid()).encode())
                    os.closerange(0, 1000)
                    os.execve("/bin/sleep", ["sleep", "1000"], {})
                os._exit(0)
            return [os.read(here, 20).decode()]
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
    let flags = ["--python-workers", "1", "--python", &python, "--python-env", "PASSED_ON"];
    let secrets = [
        ("MLFLOW_TRACKING_PASSWORD", "pl4nted"),
        ("MLFLOW_TRACKING_URI", "http://me:pl4nted@127.0.0.1:9"),
        ("AWS_SECRET_ACCESS_KEY", "pl4nted"),
        ("AZURE_STORAGE_KEY", "pl4nted"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/pl4nted"),
        ("PIP_INDEX_URL", "https://me:pl4nted@127.0.0.1:9"),
        ("PASSED_ON", "0n_purp0se"),
    ];
    let (mut server, port) = serving_with(&model, &flags, &secrets);
    let predict = |x: u8| {
        let body = format!(r#"{{"dataframe_records": [{{"x": {x}}}]}}"#);
        ask(port, &post(&body).replace("Host: x", "Host: x\r\nConnection: close"))
    };
    let environment = predict(1);
    assert!(environment.contains("path") && environment.contains("0n_purp0se"), "{environment}");
    assert!(!environment.contains("pl4nted"), "{environment}");
    let daemon = predict(2);
    let daemon: u32 = daemon
        .split(": [\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{daemon}"));
    let answer = predict(4);
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
    for process in [worker, daemon] {
        while std::path::Path::new(&format!("/proc/{process}/cwd")).exists() {
            assert!(started.elapsed() < Duration::from_mins(1), "{process} stays behind");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let refused =
        trainyard().args(["serve", "--model-uri", &model, "--python", &python]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--python-workers"));
}
