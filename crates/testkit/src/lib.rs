//! What tests share: the pinned Python, free ports, child processes that end with the test.
//!
//! `cargo xtask test` makes the environment below `target/test-env`; a test that needs a part of it
//! fails with that hint when the part is not there, it is never skipped in silence.

#![expect(clippy::panic, reason = "a test without its environment must fail, with the reason")]

pub mod alertmanager;
pub mod browser;
pub mod certificate;
pub mod docker;
pub mod engines;
pub mod mail_server;
#[cfg(feature = "tracking")]
pub mod patroni;
pub mod pebble;
#[cfg(feature = "tracking")]
pub mod postgres;
pub mod s3;
#[cfg(feature = "tracking")]
pub mod spark;
#[cfg(feature = "tracking")]
pub mod tracking_suite;
#[cfg(feature = "tracking")]
pub mod upstream;
pub mod warehouses;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Root of the checkout.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").components().collect()
}

/// Where `cargo xtask test` puts what tests need.
pub fn test_env() -> PathBuf {
    workspace_root().join("target/test-env")
}

/// The Python with the pinned `mlflow`, `scikit-learn`, `evidently` and their friends.
pub fn python() -> PathBuf {
    let python = test_env().join("python/bin/python");
    assert!(
        python.try_exists().unwrap_or(false),
        "{} is missing\nhint: `cargo xtask test` sets it up",
        python.display()
    );
    python
}

/// Prometheus' tool that checks and tests rules: the machine's own, or the one that was unpacked for the tests.
pub fn promtool() -> PathBuf {
    let unpacked = test_env().join("prometheus/usr/bin/promtool");
    if unpacked.is_file() { unpacked } else { PathBuf::from("promtool") }
}

/// What ends a script whose last line was reached: everything that a leaving interpreter does for
/// its users, but not the taking down of modules, in which the threads of pyarrow and onnxruntime
/// now and then abort the process (apache/arrow#34314), long after the answer was printed.
const LEAVE: &str = "
import atexit, os, sys, threading
threading._shutdown()
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)
";

/// Runs a Python script with arguments and returns its stdout; panics with its stderr on failure.
pub fn run_python(script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(python())
        .arg("-c")
        .arg(format!("{script}{LEAVE}"))
        .args(arguments)
        // Packages that report their use to their makers: not from tests.
        .env("ORT_DISABLE_TELEMETRY", "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("python did not start: {error}"));
    assert!(
        output.status.success(),
        "python failed with {}:\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("no free port: {error}"))
        .port()
}

/// Waits until something accepts connections on the port; panics after `deadline`.
pub fn wait_for_port(port: u16, deadline: Duration) {
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(start.elapsed() < deadline, "nothing listens on port {port} after {deadline:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the tracking server on the port has its database, which it has not as soon as it listens; panics after `deadline`.
pub fn wait_until_ready(port: u16, deadline: Duration) {
    let start = Instant::now();
    loop {
        let answer = asked_for_health(port).unwrap_or_else(|error| error.to_string());
        if answer.starts_with("HTTP/1.1 ") && !answer.starts_with("HTTP/1.1 503") {
            return;
        }
        assert!(
            start.elapsed() < deadline,
            "port {port} is not ready after {deadline:?}: {answer}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn asked_for_health(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A child process that is killed when the test ends, however it ends.
#[derive(Debug)]
pub struct KillOnDrop(pub Child);

impl KillOnDrop {
    /// Starts the command.
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} did not start: {error}")))
    }

    /// `kill -9` and wait.
    pub fn kill(&mut self) {
        let _already_dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.kill();
    }
}
