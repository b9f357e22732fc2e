//! One worker process: started, asked, killed.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};

use super::exchange::{self, Outcome, Question};

const SCRIPT: &str = include_str!("worker.py");

/// Lines of standard error that are kept for error messages, and how much of each.
const TAIL_LINES: usize = 30;
const TAIL_LINE_BYTES: usize = 400;

/// How a worker is started.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) interpreter: PathBuf,
    pub(crate) folder: PathBuf,
    /// Where the script is, and where workers run.
    pub(crate) directory: PathBuf,
    /// `RLIMIT_AS` of a worker; 0 for none.
    pub(crate) memory_bytes_max: u64,
    /// Threads that numeric libraries may use, unless the environment says otherwise.
    pub(crate) threads: usize,
    pub(crate) start_timeout: Duration,
}

impl Launch {
    /// Writes the script to the directory.
    pub(crate) fn prepare(&self) -> std::io::Result<()> {
        std::fs::write(self.script(), SCRIPT)
    }

    fn script(&self) -> PathBuf {
        self.directory.join("worker.py")
    }
}

/// Why a worker is not there.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// Whether another attempt must fail as well: the model itself cannot be loaded.
    pub(crate) is_final: bool,
}

/// The last lines of standard error.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn push(&self, line: &str) {
        let end = line.floor_char_boundary(TAIL_LINE_BYTES);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line.get(..end).unwrap_or_default().to_owned());
    }

    /// `: ` and the lines, or nothing.
    pub(crate) fn describe(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return String::new();
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        format!("; it said:\n{}", lines.join("\n"))
    }
}

/// A process with a loaded model.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    stream: UnixStream,
    tail: Tail,
    pub(crate) id: u32,
}

impl Worker {
    /// Starts a process and waits until its model is loaded.
    pub(crate) async fn start(launch: &Launch) -> Result<Self, Failure> {
        let failed = |reason: String| Failure { reason, is_final: false };
        let mut worker = Self::spawn(launch).map_err(|error| {
            failed(format!("{} does not start: {error}", launch.interpreter.display()))
        })?;
        let first = exchange::receive(&mut worker.stream);
        let reason = match tokio::time::timeout(launch.start_timeout, first).await {
            Ok(Ok((Outcome::Ready { python, mlflow, pyarrow }, _))) => {
                tracing::info!(
                    pid = worker.id,
                    python,
                    mlflow,
                    pyarrow,
                    "a Python worker is ready"
                );
                return Ok(worker);
            }
            Ok(Ok((Outcome::Unloadable { reason }, _))) => {
                let is_final = true;
                worker.kill().await;
                let hint = missing_package(&reason, &launch.interpreter);
                let reason = format!("Python cannot load the model: {reason}{hint}");
                return Err(Failure { reason, is_final });
            }
            Ok(Ok((other, _))) => format!("a Python worker began with {other:?}; this is a bug"),
            Ok(Err(_gone)) => {
                let how = worker.end().await;
                format!("a Python worker ended while loading the model ({how})")
            }
            Err(_elapsed) => format!(
                "a Python worker did not load the model within {} s",
                launch.start_timeout.as_secs_f64()
            ),
        };
        let tail = worker.tail.clone();
        worker.kill().await;
        Err(failed(format!("{reason}{}", tail.describe())))
    }

    fn spawn(launch: &Launch) -> std::io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        let mut command = Command::new(&launch.interpreter);
        command
            .arg(launch.script())
            .arg(&launch.folder)
            .arg(launch.memory_bytes_max.to_string())
            .current_dir(&launch.directory)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A group of its own: what the model starts is killed with it, and Ctrl-C in a
            // terminal reaches only the server, which lets requests finish first.
            .process_group(0)
            .kill_on_drop(true)
            .env("PYTHONUNBUFFERED", "1")
            .env("MLFLOW_DISABLE_TELEMETRY", "true");
        // All workers together use the machine once, not each of them.
        for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            if std::env::var_os(variable).is_none() {
                command.env(variable, launch.threads.to_string());
            }
        }
        let mut child = command.spawn()?;
        let id = child.id().unwrap_or_default();
        let tail = Tail::default();
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep_tail(stderr, tail.clone(), id));
        }
        Ok(Self { child, stream, tail, id })
    }

    /// Asks for predictions. An error means that the process is of no more use.
    pub(crate) async fn ask(&mut self, question: &Question) -> std::io::Result<(Outcome, Bytes)> {
        exchange::send(&mut self.stream, question).await?;
        exchange::receive(&mut self.stream).await
    }

    /// Waits for the end of the process, briefly, and says how it ended.
    pub(crate) async fn end(&mut self) -> String {
        /// Between the closed socket and the end of a process lies little.
        const PATIENCE: Duration = Duration::from_secs(2);
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => "it closed its socket".to_owned(),
        }
    }

    /// Ends when the process does.
    pub(crate) async fn ended(&mut self) {
        let _status = self.child.wait().await;
    }

    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Kills the process and what it started.
    pub(crate) async fn kill(mut self) {
        if let Some(group) = i32::try_from(self.id).ok().and_then(Pid::from_raw) {
            // The group may have ended by itself.
            let _gone = kill_process_group(group, Signal::KILL);
        }
        let _status = self.child.kill().await;
    }
}

async fn keep_tail(stderr: ChildStderr, tail: Tail, id: u32) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end();
                tracing::debug!(pid = id, text, "a Python worker says");
                tail.push(text);
            }
        }
    }
}

/// What to do when a package is missing that every worker needs.
fn missing_package(reason: &str, interpreter: &Path) -> String {
    let package = ["mlflow", "pyarrow", "pandas"]
        .into_iter()
        .find(|package| reason.contains(&format!("No module named '{package}'")));
    package.map_or_else(String::new, |package| {
        format!("\nhint: install {package} for {}", interpreter.display())
    })
}

/// Resident memory of a process; 0 when it is gone.
pub(crate) fn resident_bytes(id: u32) -> u64 {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * PAGE
}
