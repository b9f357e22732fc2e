//! A model server and a tracking server under all attacks at once, beside good clients that predict, log
//! and probe: the processes stay, memory stays below a limit, and good requests are answered.
//!
//! A minute in the usual run; `cargo xtask test --long` runs twenty and holds waiting times to a bar, which
//! a machine that does other things may miss.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use trainyard_testkit::{KillOnDrop, free_port, workspace_root};

use crate::project::trainyard;

/// What each of the processes may take, in bytes.
const MEMORY: u64 = 1 << 30;

/// Time that an attacker waits for an answer.
const ATTACKERS_PATIENCE: Duration = Duration::from_secs(5);

/// Waiting time of a good request, in the long form.
const P99_MAX: Duration = Duration::from_millis(250);

/// What a process may hold more in the second half than in the first, in bytes: attacks meet by chance,
/// and one of them takes up to twelve times its 16 MiB.
const GROWTH_MAX: u64 = 128 << 20;

fn long() -> bool {
    std::env::var_os("TRAINYARD_TEST_LONG").is_some()
}

fn start(arguments: &[&str], folder: &std::path::Path, port: u16) -> KillOnDrop {
    let mut command = trainyard();
    command.args(arguments).args(["--port", &port.to_string()]).current_dir(folder);
    let child = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let started = Instant::now();
    while !matches!(good(port, "GET", "/health", "", ""), Some((200, _))) {
        assert!(started.elapsed() < Duration::from_mins(2), "{arguments:?} is not healthy");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

fn head(method: &str, path: &str, kind: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// Status and waiting time of a request; nothing where there was no answer.
fn good(port: u16, method: &str, path: &str, kind: &str, body: &str) -> Option<(u16, Duration)> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
    stream.write_all(head(method, path, kind, body.len()).as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    Some((status, started.elapsed()))
}

/// Sends what no good client sends; the answer does not matter.
fn bad(port: u16, parts: &[&[u8]]) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let _timeouts = (
        stream.set_read_timeout(Some(ATTACKERS_PATIENCE)),
        stream.set_write_timeout(Some(ATTACKERS_PATIENCE)),
    );
    if parts.iter().all(|part| stream.write_all(part).is_ok()) {
        let _any = stream.read(&mut [0; 1024]);
    }
}

/// A kilobyte of Parquet that says gigabytes of text.
fn parquet_bomb() -> Vec<u8> {
    let texts: ArrayRef = Arc::new(DictionaryArray::new(
        Int32Array::from(vec![0; 65_536]),
        Arc::new(StringArray::from(vec!["a".repeat(65_536)])),
    ));
    let batch = RecordBatch::try_from_iter([("sepal length (cm)", texts)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Attacks, by name. Each thread of [`attack`] goes through its own again and again.
type Attacks = Vec<(&'static str, Box<dyn Fn() + Send>)>;

fn attacks_on_models(port: u16) -> Attacks {
    let post = |kind: &'static str, body: Vec<u8>| -> Box<dyn Fn() + Send> {
        let head = head("POST", "/invocations", kind, body.len());
        Box::new(move || bad(port, &[head.as_bytes(), &body]))
    };
    let json = "application/json";
    vec![
        (
            "a file that unpacks to gigabytes",
            post("application/vnd.apache.parquet", parquet_bomb()),
        ),
        ("commas as CSV", post("text/csv", vec![b','; 15 << 20])),
        (
            "short rows",
            post("text/csv", [b"a,b,c,d\n".as_slice(), &b"1\n".repeat(4 << 20)].concat()),
        ),
        ("nesting", post(json, [b"{\"inputs\": ".as_slice(), &vec![b'['; 4 << 20]].concat())),
        (
            "empty lists",
            post(json, format!("{{\"inputs\": [{}[]]}}", "[],".repeat(4 << 20)).into_bytes()),
        ),
        (
            "unknown members",
            post(json, format!("[{{{}\"z\":1}}]", "\"y\":[{}],".repeat(1 << 20)).into_bytes()),
        ),
        ("malformed chunks", {
            let head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                        transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n";
            Box::new(move || bad(port, &[head.as_bytes()]))
        }),
    ]
}

fn attacks_on_tracking(port: u16) -> Attacks {
    let post = |path: &'static str, body: String| -> Box<dyn Fn() + Send> {
        let head = head("POST", path, "application/json", body.len());
        Box::new(move || bad(port, &[head.as_bytes(), body.as_bytes()]))
    };
    let search = |filter: String| {
        let body = serde_json::json!({ "experiment_ids": ["0"], "filter": filter }).to_string();
        post("/api/2.0/mlflow/runs/search", body)
    };
    vec![
        (
            "lists of lists",
            post(
                "/api/2.0/mlflow/runs/log-batch",
                format!("{{\"metrics\": [{}[]]}}", "[],".repeat(12 << 20)),
            ),
        ),
        ("costly patterns", search(format!("tags.long LIKE '%{}b%'", "a%".repeat(200)))),
        ("many terms", search(vec!["params.a = '1'"; 5000].join(" AND "))),
        ("files of the server", {
            Box::new(move || {
                let path = "/get-artifact?path=..%2F..%2Fetc%2Fpasswd&run_uuid=x";
                bad(port, &[head("GET", path, "text/plain", 0).as_bytes()]);
            })
        }),
    ]
}

/// Connections that say nothing, say little, or do not listen, renewed now and then.
fn silence(port: u16, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut held = Vec::new();
        for number in 0..400 {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let said = match number % 4 {
                0 => String::new(),
                1 => "PRI * HT".to_owned(),
                2 => "GET /health HTTP/1.1\r\nhost".to_owned(),
                _ => format!("{}{{", head("POST", "/predict", "application/json", 1000)),
            };
            let _gone = stream.write_all(said.as_bytes());
            held.push(stream);
        }
        let until = Instant::now() + Duration::from_secs(8);
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What good clients got.
#[derive(Debug, Default)]
struct Got {
    answered: u64,
    turned_away: u64,
    failed: Vec<String>,
    waits: Vec<Duration>,
}

impl Got {
    fn note(&mut self, what: &str, answer: Option<(u16, Duration)>) {
        match answer {
            Some((200, wait)) => {
                self.answered += 1;
                self.waits.push(wait);
            }
            Some((429 | 503, _)) => self.turned_away += 1,
            other => self.failed.push(format!("{what}: {other:?}")),
        }
    }

    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.turned_away += other.turned_away;
        self.failed.extend(other.failed);
        self.waits.extend(other.waits);
    }
}

fn good_clients(models: u16, tracking: u16, run_id: &str, stop: &AtomicBool) -> Got {
    const ROW: &str = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;
    const JSON: &str = "application/json";
    let mut got = Got::default();
    let mut step = 0;
    while !stop.load(Ordering::Relaxed) {
        step += 1;
        got.note("predict", good(models, "POST", "/invocations", JSON, ROW));
        let metric = format!(
            r#"{{"run_id": "{run_id}", "key": "loss", "value": 0.5, "timestamp": 1, "step": {step}}}"#
        );
        let path = "/api/2.0/mlflow/runs/log-metric";
        got.note("log", good(tracking, "POST", path, JSON, &metric));
        got.note("health of models", good(models, "GET", "/health", "", ""));
        got.note("health of tracking", good(tracking, "GET", "/health", "", ""));
        std::thread::sleep(Duration::from_millis(2));
    }
    got
}

/// The highest that a process has held so far, and what it holds now, in bytes.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let bytes = |key: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
    };
    (bytes("VmHWM:"), bytes("VmRSS:"))
}

fn create_run(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let body = r#"{"experiment_id": "0"}"#;
    let request = head("POST", "/api/2.0/mlflow/runs/create", "application/json", body.len());
    stream.write_all(format!("{request}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let json = answer.split_once("\r\n\r\n").unwrap().1;
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    json["run"]["info"]["run_id"].as_str().unwrap().to_owned()
}

#[test]
fn all_attacks_at_once_keep_no_good_client_out() {
    let length = if long() { Duration::from_mins(20) } else { Duration::from_mins(1) };
    let folder = tempfile::tempdir().unwrap();
    let model = workspace_root().join("crates/serve/tests/models/onnx_rf").display().to_string();
    let (models_port, tracking_port) = (free_port(), free_port());
    let log = folder.path().join("log").display().to_string();
    let limit = MEMORY.to_string();
    let models = start(
        &["serve", "--model-uri", &model, "--memory-limit", &limit, "--prediction-log", &log],
        folder.path(),
        models_port,
    );
    let tracking = start(
        &["server", "--backend-store-uri", "sqlite:///mlflow.db", "--memory-limit", &limit],
        folder.path(),
        tracking_port,
    );
    let run_id = create_run(tracking_port);
    let stop = AtomicBool::new(false);
    // What each process holds, second by second.
    let mut over_time = [Vec::new(), Vec::new()];
    let got = std::thread::scope(|scope| {
        let silent = &stop;
        for port in [models_port, tracking_port] {
            scope.spawn(move || silence(port, silent));
        }
        for attacks in [attacks_on_models(models_port), attacks_on_tracking(tracking_port)] {
            let stop = &stop;
            scope.spawn(move || {
                for (_name, attack) in attacks.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    attack();
                }
            });
        }
        let clients: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| good_clients(models_port, tracking_port, &run_id, &stop)))
            .collect();
        let started = Instant::now();
        while started.elapsed() < length {
            std::thread::sleep(Duration::from_secs(1));
            for (child, held) in [&models, &tracking].into_iter().zip(&mut over_time) {
                held.push(memory(child.0.id()).1);
            }
        }
        stop.store(true, Ordering::Relaxed);
        let mut got = Got::default();
        for client in clients {
            got.add(client.join().unwrap());
        }
        got
    });
    let total = got.answered + got.turned_away + got.failed.len() as u64;
    let mut waits = got.waits.clone();
    waits.sort_unstable();
    let p99 = waits[waits.len() * 99 / 100];
    let held: Vec<(u64, u64)> = [&models, &tracking].map(|child| memory(child.0.id())).to_vec();
    eprintln!(
        "{total} good requests, {} turned away, {} failed, p99 {p99:?}; memory (peak, now): {held:?}",
        got.turned_away,
        got.failed.len()
    );
    let shown = &got.failed[..got.failed.len().min(5)];
    assert!(got.failed.len() as u64 * 1000 <= total, "of {total} failed: {shown:?}");
    assert!(got.turned_away * 100 <= total, "{} of {total} were turned away", got.turned_away);
    for (peak, _now) in &held {
        assert!(*peak < MEMORY, "{held:?} bytes");
    }
    if long() {
        assert!(p99 < P99_MAX, "p99 {p99:?}");
        for (seconds, (_peak, afterwards)) in over_time.iter().zip(&held) {
            let (first, second) = seconds.split_at(seconds.len() / 2);
            let first = first.iter().max().unwrap();
            let later = second.iter().max().unwrap();
            assert!(*later <= first + GROWTH_MAX, "memory grows: {first}, then {later} bytes");
            assert!(*afterwards <= first + GROWTH_MAX, "{afterwards} bytes stay, {first} before");
        }
    }
    for mut child in [models, tracking] {
        assert!(child.0.try_wait().unwrap().is_none(), "a server ended");
        let pid = child.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(child.0.wait().unwrap().code(), Some(0));
    }
}
