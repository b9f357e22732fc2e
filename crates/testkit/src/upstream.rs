//! A real, unmodified `mlflow server` to compare with.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{free_port, python, wait_for_port};

/// Starting takes 10 to 17 seconds on a quiet machine.
const START_DEADLINE: Duration = Duration::from_mins(2);

/// Ends the server when the test process ends, however it ends: its end closes our stdin.
const KEEPER: &str = "
import os, signal, subprocess, sys
server = subprocess.Popen(sys.argv[1:], start_new_session=True, stdin=subprocess.DEVNULL)
sys.stdin.read()
os.killpg(server.pid, signal.SIGKILL)
server.wait()
";

/// An `mlflow server` on a free port with a database and artifacts of its own.
#[derive(Debug)]
pub struct UpstreamServer {
    keeper: Child,
    port: u16,
    folder: TempDir,
}

impl UpstreamServer {
    /// Starts the server and waits until it accepts connections. `arguments` are added to the
    /// command line.
    pub fn start(arguments: &[&str]) -> Self {
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("server.log"))
            .unwrap_or_else(|error| panic!("no log file: {error}"));
        let mut command = Command::new(python());
        command
            .args(["-c", KEEPER])
            .arg(python())
            .args(["-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"])
            .args(["--port", &port.to_string()])
            .args(["--backend-store-uri", "sqlite:///mlflow.db"])
            .args(["--artifacts-destination", "./artifacts"])
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("MLFLOW_TRACKING_URI")
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        let keeper =
            command.spawn().unwrap_or_else(|error| panic!("mlflow server did not start: {error}"));
        wait_for_port(port, START_DEADLINE);
        Self { keeper, port, folder }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Working directory of the server, with `mlflow.db`, `artifacts/` and `server.log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for UpstreamServer {
    fn drop(&mut self) {
        // Closing its stdin makes the keeper end the server and itself.
        drop(self.keeper.stdin.take());
        let _reaped = self.keeper.wait();
    }
}
