//! Every prediction that a model server acknowledged as logged is in the log, and none is there twice: clients ask
//! while the process is killed again and again.
//!
//! Three kills in the usual run, fifty in the long form (`cargo xtask test --long`).

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use trainyard_testkit::{KillOnDrop, free_port, run_python, wait_for_port, workspace_root};

use crate::project::trainyard;

const CLIENTS: usize = 4;
/// Acknowledged answers between two kills.
const ANSWERS: usize = 25;
const DEADLINE: Duration = Duration::from_mins(2);

fn kills() -> usize {
    if std::env::var_os("TRAINYARD_TEST_LONG").is_some() { 50 } else { 3 }
}

fn serving(port: u16, log: &Path) -> KillOnDrop {
    let model = workspace_root().join("crates/serve/tests/models/onnx_rf");
    let mut command = trainyard();
    command.args(["serve", "--port", &port.to_string(), "--prediction-log-commit"]);
    command.arg("--model-uri").arg(model).arg("--prediction-log").arg(log);
    let child = KillOnDrop::spawn(command.stderr(Stdio::null()).stdout(Stdio::null()));
    wait_for_port(port, DEADLINE);
    child
}

/// Whether the answer to this request came, and said that it is in the log.
fn is_acknowledged(port: u16, id: &str) -> std::io::Result<bool> {
    const BODY: &str = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let length = BODY.len();
    write!(
        stream,
        "POST /invocations HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{BODY}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let answer = answer.to_lowercase();
    let is_whole = answer.contains("200 ok") && answer.contains("predictions");
    Ok(is_whole && answer.contains("x-prediction-logged: yes"))
}

/// Asks until it is told to stop, and remembers what was acknowledged.
fn client(port: u16, number: usize, acknowledged: &Mutex<BTreeSet<String>>, stop: &AtomicBool) {
    for request in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("client{number}-{request}");
        match is_acknowledged(port, &id) {
            Ok(true) => {
                acknowledged.lock().unwrap().insert(id);
            }
            // The server was killed, or does not listen yet.
            Ok(false) | Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn what_was_acknowledged_is_in_the_log_once_whatever_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let port = free_port();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let mut server = serving(port, &log);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            std::thread::spawn(move || client(port, number, &acknowledged, &stop))
        })
        .collect();
    let wait_for = |answers: usize| {
        let started = Instant::now();
        while acknowledged.lock().unwrap().len() < answers {
            assert!(started.elapsed() < DEADLINE, "nothing is acknowledged");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    for kill in 1..=kills() {
        wait_for(kill * ANSWERS);
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        server = serving(port, &log);
    }
    wait_for((kills() + 1) * ANSWERS);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));

    let script = "import glob, sys, pyarrow.parquet as parquet\n\
        for path in glob.glob(sys.argv[1] + '/*.parquet'):\n    \
        print(*parquet.read_table(path)['trainyard.request_id'].to_pylist(), sep='\\n')";
    let logged = run_python(script, &[&log.display().to_string()], &[]);
    let logged: Vec<&str> = logged.split_whitespace().collect();
    let once: BTreeSet<&str> = logged.iter().copied().collect();
    assert_eq!(logged.len(), once.len(), "something is there twice");
    let acknowledged = acknowledged.lock().unwrap();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !once.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "lost of {}: {lost:?}", acknowledged.len());
    let left = std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".journal")).collect();
    assert!(left.is_empty(), "{left:?}");
}
