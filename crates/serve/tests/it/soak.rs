//! Everything at once, for a while: good and bad requests, swaps, kills of Python workers.
//!
//! No good request may fail, and memory must stay where it is. Twenty seconds by default;
//! `TRAINYARD_SOAK_SECONDS=600` for a real one, with `--nocapture` to see the figures.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trainyard_mlflow::Tracking;
use trainyard_serve::ModelSource;

use crate::python::{asks, good, pids, workers};
use crate::registry::{BODY, options, point, register, registry};
use crate::support::{Running, model};

/// Said to the process that is for the soak alone.
const ALONE: &str = "TRAINYARD_SOAK_ALONE";

/// What is asked, and how often.
#[derive(Debug, Default)]
struct Counts {
    native: AtomicU64,
    python: AtomicU64,
    bad: AtomicU64,
    swaps: AtomicU64,
    kills: AtomicU64,
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

async fn good_requests(server: Arc<Running>, counts: Arc<Counts>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let answer = server.post("/invocations", BODY).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.text.contains("label\": [0]"), "{answer:?}");
        add(&counts.native);
        tokio::task::yield_now().await;
    }
}

async fn good_python_requests(server: Arc<Running>, counts: Arc<Counts>, stop: CancellationToken) {
    let mut x = 0.5;
    while !stop.is_cancelled() {
        let answer = server.post("/models/py/invocations", good(x)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["predictions"], json!([x * 3.0]));
        add(&counts.python);
        x += 1.0;
    }
}

async fn bad_requests(server: Arc<Running>, counts: Arc<Counts>, stop: CancellationToken) {
    let mut crashed = Instant::now();
    while !stop.is_cancelled() {
        for (path, body, status) in [
            ("/invocations", "{".to_owned(), 400),
            ("/invocations", r#"{"inputs": [[1, 2, 3]]}"#.to_owned(), 400),
            ("/invocations", r#"{"inputs": [["a", "b", "c", "d"]]}"#.to_owned(), 400),
            ("/invocations", format!("{{\"inputs\": {}", "[".repeat(100_000)), 400),
            ("/nowhere", String::new(), 404),
            ("/models/py/invocations", r#"{"dataframe_records": [{"x": "a"}]}"#.to_owned(), 400),
            ("/models/py/invocations", asks("raise"), 400),
        ] {
            let answer = server.post(path, body).await;
            assert_eq!(answer.status, status, "{answer:?}");
            add(&counts.bad);
        }
        // One that goes away in the middle.
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let half = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{";
        stream.write_all(half).await.unwrap();
        drop(stream);
        // One that takes two workers with it: others wait until Python has started again.
        if crashed.elapsed() > Duration::from_mins(1) {
            assert_eq!(server.post("/models/py/invocations", asks("crash")).await.status, 500);
            crashed = Instant::now();
        }
    }
}

async fn swaps(
    tracking: Tracking,
    versions: [String; 2],
    counts: Arc<Counts>,
    stop: CancellationToken,
) {
    for version in versions.iter().cycle() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        point(&tracking, version).await;
        add(&counts.swaps);
    }
}

async fn kills(server: Arc<Running>, counts: Arc<Counts>, stop: CancellationToken) {
    let mut turn = 0;
    while !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let health = server.get("/models/py/health").await.json();
        // Two kills in a row could take the same request twice, which is one too many.
        if let [one, other] = pids(&health)[..] {
            turn += 1;
            let pid = if turn % 2 == 0 { one } else { other }.to_string();
            let mut kill = tokio::process::Command::new("kill");
            assert!(kill.args(["-9", &pid]).status().await.unwrap().success());
            add(&counts.kills);
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}

/// Other tests of this program run beside it, and their memory is none of this one's: it has a process of its own.
#[test]
fn nothing_fails_and_memory_stays_where_it_is() {
    if std::env::var_os(ALONE).is_none() {
        let program = std::env::current_exe().unwrap();
        let name = "soak::nothing_fails_and_memory_stays_where_it_is";
        let status = Command::new(program)
            .args(["--exact", name, "--nocapture"])
            .env(ALONE, "1")
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(soak());
}

#[expect(clippy::print_stderr, reason = "the figures are for whoever watches")]
async fn soak() {
    let seconds = std::env::var("TRAINYARD_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(20));
    let directory = tempfile::tempdir().unwrap();
    let tracking = registry(directory.path());
    let first = register(&tracking, &model("onnx_rf")).await;
    let second = register(&tracking, &model("onnx_rf_nozipmap")).await;
    point(&tracking, &first).await;
    let mut options = options();
    options.python = Some(workers(2));
    let folder = crate::python::model("obedient").display().to_string();
    options.more.push(("py".to_owned(), ModelSource::Uri(folder.parse().unwrap())));
    let server = Arc::new(Running::start(options, Some(tracking.clone())).await);
    server.wait_healthy().await;
    let started = Instant::now();
    while pids(&server.get("/models/py/health").await.json()).len() < 2 {
        assert!(started.elapsed() < Duration::from_mins(3), "the workers do not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let counts = Arc::new(Counts::default());
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(tasks.spawn(good_requests(
            Arc::clone(&server),
            Arc::clone(&counts),
            stop.clone(),
        )));
        running.push(tasks.spawn(good_python_requests(
            Arc::clone(&server),
            Arc::clone(&counts),
            stop.clone(),
        )));
    }
    running.push(tasks.spawn(bad_requests(Arc::clone(&server), Arc::clone(&counts), stop.clone())));
    running.push(tasks.spawn(kills(Arc::clone(&server), Arc::clone(&counts), stop.clone())));
    running.push(tasks.spawn(swaps(tracking, [second, first], Arc::clone(&counts), stop.clone())));
    let started = Instant::now();
    let mut memory = Vec::new();
    while started.elapsed() < length && running.iter().all(|task| !task.is_finished()) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        memory.push(resident());
    }
    stop.cancel();
    for task in running {
        task.await.unwrap();
    }
    eprintln!("{counts:?} in {:?}, memory in KiB {memory:?}", started.elapsed());
    for (what, count) in [
        ("good requests", &counts.native),
        ("good requests of Python", &counts.python),
        ("bad requests", &counts.bad),
        ("swaps", &counts.swaps),
        ("kills", &counts.kills),
    ] {
        assert!(count.load(Ordering::Relaxed) > 1, "hardly any {what}: {counts:?}");
    }
    // The first half fills caches and the pools of the allocator.
    let quarter = memory.len() / 4;
    let highest = |samples: &[u64]| samples.iter().copied().max().unwrap();
    let (before, after) = (highest(&memory[quarter..2 * quarter]), highest(&memory[3 * quarter..]));
    assert!(after < before + before / 10 + 8192, "{before} KiB, then {after} KiB: {memory:?}");
    Arc::into_inner(server).unwrap().stop().await;
}
