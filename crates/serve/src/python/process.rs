//! One worker: started, asked, ended.
//!
//! What is started is a keeper, which starts the model in a process of its own (`worker.py`). The keeper
//! adopts all that the model starts, daemons included, and ends it when the model ends or when this side of
//! the socket is closed, which it also is when this process is killed. So a worker is ended by closing its
//! socket; only what is no keeper (another interpreter than Python) must be killed.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};

use super::exchange::{self, Outcome, Question};
use super::group::Group;
use super::variables::Variables;

const SCRIPT: &str = include_str!("worker.py");

/// Lines of standard error that are kept for error messages, and how much of each.
const TAIL_LINES_MAX: usize = 30;
const TAIL_LINE_BYTES_MAX: usize = 400;

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
    /// The environment of a worker, whole.
    pub(crate) variables: Variables,
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
        let end = line.floor_char_boundary(TAIL_LINE_BYTES_MAX);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES_MAX {
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
    keeper: Child,
    group: Group,
    stream: UnixStream,
    tail: Tail,
    /// The process of the model.
    pub(crate) id: u32,
}

/// A keeper ends what it keeps within milliseconds, on a busy machine within seconds.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// What the model said when it did not load: a sentence, not a page.
const REASON_BYTES_MAX: usize = 1000;

impl Worker {
    /// Starts a process and waits until its model is loaded.
    pub(crate) async fn start(launch: &Launch) -> Result<Self, Failure> {
        let failed = |reason: String| Failure { reason, is_final: false };
        let mut worker = Self::spawn(launch).map_err(|error| {
            failed(format!("{} does not start: {error}", launch.interpreter.display()))
        })?;
        let first = exchange::receive(&mut worker.stream);
        let reason = match tokio::time::timeout(launch.start_timeout, first).await {
            Ok(Ok((Outcome::Ready { pid, python, mlflow, pyarrow }, _))) => {
                worker.id = pid;
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
                tracing::warn!("a Python worker cannot load the model{}", worker.tail.describe());
                worker.kill().await;
                let hint = missing_package(&reason, &launch.interpreter);
                let reason = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX));
                let reason =
                    format!("Python cannot load the model: {}{hint}", reason.unwrap_or_default());
                return Err(Failure { reason, is_final: true });
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
        // Anybody may ask why there is no model, so what was printed is for the log alone.
        tracing::error!("{reason}{}", worker.tail.describe());
        worker.kill().await;
        Err(failed(format!("{reason}; the server's log has what it said")))
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
            // A group of its own: Ctrl-C in a terminal reaches only the server, which lets
            // requests finish first.
            .process_group(0)
            .env_clear()
            .envs(launch.variables.iter().map(|(name, value)| (name, value)))
            .env("PYTHONUNBUFFERED", "1")
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("ORT_DISABLE_TELEMETRY", "1");
        // All workers together use the machine once, not each of them.
        for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            if !launch.variables.iter().any(|(name, _)| name == variable) {
                command.env(variable, launch.threads.to_string());
            }
        }
        let mut keeper = command.spawn()?;
        let id = keeper.id().unwrap_or_default();
        let tail = Tail::default();
        if let Some(stderr) = keeper.stderr.take() {
            tokio::spawn(keep_tail(stderr, tail.clone(), id));
        }
        // Not killed when this is dropped: the keeper has to end the others first.
        let group = Group::of(keeper.id(), Signal::TERM);
        Ok(Self { keeper, group, stream, tail, id })
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
        match tokio::time::timeout(PATIENCE, self.keeper.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => "it closed its socket".to_owned(),
        }
    }

    /// Ends when the process does.
    pub(crate) async fn ended(&mut self) {
        let _status = self.keeper.wait().await;
    }

    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Ends the model and all that it started, and waits until they are gone.
    pub(crate) async fn kill(self) {
        let Self { mut keeper, group, stream, .. } = self;
        drop(stream);
        if tokio::time::timeout(END_TIMEOUT, keeper.wait()).await.is_ok() {
            group.has_ended();
            return;
        }
        tracing::warn!(pid = keeper.id(), "a Python worker does not end, so it is killed");
        group.kill();
        let _status = keeper.wait().await;
        group.has_ended();
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
