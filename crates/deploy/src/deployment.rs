//! One change of a service under its lock: the parts that release, rollback and stop share.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use crate::control::{Control, GatewayStatus, PROTOCOL, Retire};
use crate::error::{Error, Result, indent};
use crate::event::{HistoryEntry, JournalLine, Outcome, ReleaseEvent};
use crate::gateway::TargetSpec;
use crate::layout::{Layout, append_json, now_ms, read_json, read_lines, replace_json, tail};
use crate::lock::{self, Lock};
use crate::runtime::process::{DEPLOYMENT_VARIABLE, INSTANCE_VARIABLE};
use crate::runtime::{Instance, InstanceStatus, Runtime};
use crate::spec::{ReleaseSpec, Service};

/// How long a gateway may take to come up or to go.
const GATEWAY_LIMIT: Duration = Duration::from_secs(20);

/// How long requests of a gateway that was replaced may take.
const UPGRADE_LIMIT: Duration = Duration::from_mins(1);

/// How often a process that comes or goes is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Log lines shown with an error.
pub(crate) const LOG_LINES: usize = 20;

/// A journal of some thousand releases is put aside.
const MAX_JOURNAL_BYTES: u64 = 8 << 20;

/// Folders of old instances that are kept for rollbacks and logs.
const KEPT_INSTANCES: usize = 10;

/// What is told while a deployment goes on.
pub type Progress<'a> = &'a (dyn Fn(ReleaseEvent) + Sync);

/// A service whose lock is held.
pub(crate) struct Deployment<'a> {
    pub(crate) service: &'a Service,
    pub(crate) layout: Layout,
    pub(crate) runtime: &'a dyn Runtime,
    pub(crate) control: Control,
    progress: Progress<'a>,
    /// What the journal lines belong to.
    pub(crate) release: String,
    _lock: Lock,
}

impl<'a> Deployment<'a> {
    /// Takes the lock.
    pub(crate) async fn begin(
        service: &'a Service,
        layout: Layout,
        runtime: &'a dyn Runtime,
        what: &str,
        progress: Progress<'a>,
    ) -> Result<Self> {
        let tell = |holder: &lock::Holder| {
            progress(ReleaseEvent::Waiting { pid: holder.pid, what: holder.what.clone() });
        };
        let lock = lock::lock(&layout.lock(), &service.name, what, service.lock_wait, tell).await?;
        let control = Control::new(layout.gateway_socket());
        rotate_journal(&layout)?;
        let release = what.to_owned();
        let deployment = Self { service, layout, runtime, control, progress, release, _lock: lock };
        deployment.step(ReleaseEvent::Locked)?;
        Ok(deployment)
    }

    /// Writes a step into the journal, then tells it.
    pub(crate) fn step(&self, event: ReleaseEvent) -> Result<()> {
        let line = JournalLine {
            at_ms: now_ms(),
            pid: std::process::id(),
            release: self.release.clone(),
            step: event.step().to_owned(),
            text: event.to_string(),
        };
        append_json(&self.layout.journal(), &line)?;
        self.tell(event);
        Ok(())
    }

    /// Tells something that needs no journal line.
    pub(crate) fn tell(&self, event: ReleaseEvent) {
        (self.progress)(event);
    }

    /// Makes sure that the gateway runs, and says where requests go.
    pub(crate) async fn ensure_gateway(&self) -> Result<GatewayStatus> {
        if let Some(mut status) = self.control.status().await? {
            self.check_gateway(&status)?;
            // One of before this program's version; where it cannot be replaced without a gap, it stays.
            if !status.version.is_empty() && status.version != env!("CARGO_PKG_VERSION") {
                status = self.upgrade_gateway(&status).await?;
            }
            self.step(ReleaseEvent::GatewayReady { listen: status.listen, started: false })?;
            return Ok(status);
        }
        // Said here in one sentence rather than in the log of a process that ends at once.
        std::net::TcpListener::bind(self.service.listen).map_err(|error| Error::Listen {
            listen: self.service.listen,
            reason: error.to_string(),
        })?;
        let status = self.start_gateway(None).await?;
        self.step(ReleaseEvent::GatewayReady { listen: status.listen, started: true })?;
        Ok(status)
    }

    /// Replaces the running gateway by one of this program. Clients notice nothing; returns when the old
    /// one has finished its last request.
    pub(crate) async fn upgrade_gateway(&self, before: &GatewayStatus) -> Result<GatewayStatus> {
        let status = self.start_gateway(Some(before.pid)).await?;
        let start = Instant::now();
        // What it still works on is in no count of the new one.
        while is_running(before.pid) {
            if start.elapsed() > GATEWAY_LIMIT + UPGRADE_LIMIT {
                return Err(Error::Control {
                    request: "upgrade",
                    reason: format!("the old gateway (process {}) still runs", before.pid),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.step(ReleaseEvent::GatewayUpgraded { from: before.pid, to: status.pid })?;
        Ok(status)
    }

    fn check_gateway(&self, status: &GatewayStatus) -> Result<()> {
        if status.protocol != PROTOCOL {
            return Err(Error::Control {
                request: "status",
                reason: format!(
                    "it speaks protocol {} and this program {PROTOCOL}; stop the service with the \
                     program that started it",
                    status.protocol
                ),
            });
        }
        let wanted = self.service.listen;
        if wanted.port() != 0 && wanted != status.listen {
            return Err(Error::GatewayAddress {
                service: self.service.name.clone(),
                running: status.listen,
                wanted,
            });
        }
        Ok(())
    }

    /// Starts a gateway, as the successor of another process if there is one.
    async fn start_gateway(&self, predecessor: Option<u32>) -> Result<GatewayStatus> {
        let log_path = self.layout.gateway_log();
        let failed = |reason: String| Error::GatewayStart {
            reason,
            log: tail(&log_path, LOG_LINES).map(|lines| indent(&lines)).unwrap_or_default(),
            log_path: log_path.clone(),
        };
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(|source| Error::io("cannot open", &log_path, source))?;
        let errors =
            log.try_clone().map_err(|source| Error::io("cannot open", &log_path, source))?;
        let mut arguments = self.gateway_command()?.into_iter();
        let program = arguments.next().unwrap_or_default();
        let mut child = Command::new(&program)
            .args(arguments)
            .arg("--state-dir")
            .arg(&self.layout.root)
            .arg("--listen")
            .arg(self.service.listen.to_string())
            .args(self.service.gateway_arguments())
            .args(predecessor.map(|_| "--take-over"))
            // The gateway is no instance, whoever starts it.
            .env_remove(DEPLOYMENT_VARIABLE)
            .env_remove(INSTANCE_VARIABLE)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(format!("{}: {error}", program.display())))?;
        let start = Instant::now();
        loop {
            // While the old one hands over, a question may be cut off.
            let status = match self.control.status().await {
                Err(_) if predecessor.is_some() => None,
                answered => answered?,
            };
            if let Some(status) = status.filter(|status| Some(status.pid) != predecessor) {
                return Ok(status);
            }
            // Where there is no predecessor, one that was started by a deployer that died may be coming up.
            let comes_another =
                predecessor.is_none() && lock::holder(&self.layout.gateway_lock()).is_some();
            if let Ok(Some(status)) = child.try_wait()
                && !comes_another
            {
                return Err(failed(format!("it ended with {status}")));
            }
            if start.elapsed() > GATEWAY_LIMIT {
                return Err(failed(format!("no answer within {} s", GATEWAY_LIMIT.as_secs())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn gateway_command(&self) -> Result<Vec<OsString>> {
        if let Some(command) = &self.service.gateway_command {
            return Ok(command.clone());
        }
        let program = std::env::current_exe()
            .map_err(|source| Error::io("cannot find", "this program".as_ref(), source))?;
        Ok(vec![program.into_os_string(), "gateway".into()])
    }

    /// Ends the gateway; requests in flight may finish within the limit.
    pub(crate) async fn stop_gateway(&self, limit: Duration) -> Result<()> {
        if self.control.status().await?.is_none() {
            return Ok(());
        }
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.control.shutdown(crate::control::Shutdown { limit_ms }).await?;
        let start = Instant::now();
        // It lets go of its lock as the last thing.
        while lock::holder(&self.layout.gateway_lock()).is_some() {
            if start.elapsed() > limit + GATEWAY_LIMIT {
                return Err(Error::Control {
                    request: "shutdown",
                    reason: "it still runs".to_owned(),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.step(ReleaseEvent::GatewayStopped)
    }

    /// Ends every instance but the one that serves: what an interrupted deployment left.
    ///
    /// Returns the serving instance, if its process runs.
    pub(crate) async fn recover(&self, status: &GatewayStatus) -> Result<Option<Instance>> {
        let current = status.route.current.as_ref().map(|target| target.id.clone());
        for id in self.runtime.list(&self.layout.root).await? {
            if Some(&id) == current.as_ref() {
                continue;
            }
            let spec = self.read_spec(&id)?;
            let (drain, grace) = spec
                .map_or((Duration::from_secs(10), Duration::from_secs(10)), |spec| {
                    (spec.drain_limit, spec.stop_grace)
                });
            self.retire(&id, drain).await?;
            self.runtime.remove(&self.layout.root, &id, grace).await?;
            self.step(ReleaseEvent::Recovered { id })?;
        }
        let Some(id) = current else { return Ok(None) };
        let Some(instance) = self.read_instance(&id)? else { return Ok(None) };
        match self.runtime.status(&instance).await? {
            InstanceStatus::Running => {
                // The release that brought it up may have died before it said so.
                self.runtime.keep(&instance).await?;
                Ok(Some(instance))
            }
            InstanceStatus::Ended(_) => Ok(None),
        }
    }

    /// Takes an instance out of the gateway; how many of its requests did not finish in time.
    pub(crate) async fn retire(&self, id: &str, limit: Duration) -> Result<usize> {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Ok(self.control.retire(&Retire { id: id.to_owned(), limit_ms }).await?.left)
    }

    /// A new id with its folder.
    pub(crate) fn new_instance(&self, spec: &ReleaseSpec) -> Result<String> {
        let folder = self.layout.instances();
        let highest = self.numbered()?.into_iter().max().unwrap_or(0);
        let finished = self.history()?.iter().filter_map(|entry| number(&entry.id)).max();
        let id = format!("r{}", highest.max(finished.unwrap_or(0)) + 1);
        let path = folder.join(&id);
        std::fs::create_dir_all(&path)
            .map_err(|source| Error::io("cannot create", &path, source))?;
        replace_json(&path.join("spec.json"), spec)?;
        Ok(id)
    }

    fn numbered(&self) -> Result<Vec<u64>> {
        let folder = self.layout.instances();
        let failed = |source| Error::io("cannot read", &folder, source);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            numbers.extend(number(&name.to_string_lossy()));
        }
        Ok(numbers)
    }

    pub(crate) fn write_instance(&self, instance: &Instance) -> Result<()> {
        replace_json(&self.layout.instance(&instance.id).join("instance.json"), instance)
    }

    pub(crate) fn read_instance(&self, id: &str) -> Result<Option<Instance>> {
        read_json(&self.layout.instance(id).join("instance.json"))
    }

    pub(crate) fn read_spec(&self, id: &str) -> Result<Option<ReleaseSpec>> {
        read_json(&self.layout.instance(id).join("spec.json"))
    }

    pub(crate) fn history(&self) -> Result<Vec<HistoryEntry>> {
        read_lines(&self.layout.history())
    }

    /// Writes how a release ended, and removes the folders of instances long gone.
    pub(crate) fn finish(
        &self,
        id: &str,
        from: Option<&str>,
        spec: &ReleaseSpec,
        took: Duration,
        outcome: Outcome,
    ) -> Result<()> {
        let entry = HistoryEntry {
            id: id.to_owned(),
            at_ms: now_ms(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            outcome,
            from: from.map(str::to_owned),
            label: spec.label.clone(),
        };
        append_json(&self.layout.history(), &entry)?;
        let mut numbers = self.numbered()?;
        numbers.sort_unstable();
        let old = numbers.len().saturating_sub(KEPT_INSTANCES);
        for number in numbers.into_iter().take(old) {
            let id = format!("r{number}");
            if from == Some(id.as_str()) {
                continue;
            }
            let path = self.layout.instance(&id);
            std::fs::remove_dir_all(&path)
                .map_err(|source| Error::io("cannot remove", &path, source))?;
        }
        Ok(())
    }

    /// The last log lines of an instance, for a message.
    pub(crate) async fn log_lines(&self, instance: &Instance) -> Vec<String> {
        // The message is about something else; a log that cannot be read must not hide it.
        self.runtime.logs(instance, LOG_LINES).await.unwrap_or_else(|error| vec![error.to_string()])
    }
}

/// Whether a process runs; a zombie does not.
fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(crate::runtime::runs)
}

/// What the gateway needs to know of an instance.
pub(crate) fn target(instance: &Instance, spec: &ReleaseSpec) -> TargetSpec {
    TargetSpec {
        id: instance.id.clone(),
        address: instance.address,
        health_path: spec.health_path.clone(),
    }
}

/// Puts a long journal aside, over the one put aside before.
fn rotate_journal(layout: &Layout) -> Result<()> {
    let journal = layout.journal();
    if std::fs::metadata(&journal).is_ok_and(|file| file.len() > MAX_JOURNAL_BYTES) {
        std::fs::rename(&journal, journal.with_extension("jsonl.1"))
            .map_err(|source| Error::io("cannot put aside", &journal, source))?;
    }
    Ok(())
}

/// The number in an instance's id.
fn number(id: &str) -> Option<u64> {
    id.strip_prefix('r')?.parse().ok()
}
