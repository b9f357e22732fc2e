//! Who keeps a service up: one supervisor at a time, by a lock that the kernel lets go with it, and what it says of
//! itself. The lock says whether it lives, the heartbeat whether it still does anything.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::file::{read_json, replace_json};
use super::folder::Folder;
use super::lock::{self, Lock};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::runtime::{runs, started};
use crate::service::Service;

/// How often a supervisor says that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// A supervisor that has said nothing for so long does nothing: a few heartbeats, as a busy disk may hold one up.
const SILENT_AFTER: Duration = Duration::from_secs(30);

/// How long a supervisor that is told to end may take: it ends no release in the middle of a step.
const END_LIMIT: Duration = Duration::from_mins(1);

/// How often one that was told to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What the lock is held for.
const WHAT: &str = "up";

/// What a supervisor says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    pid: u32,
    /// Start time of the process in clock ticks since boot: a later one may have the same number.
    started: u64,
    started_ms: u64,
    heartbeat_ms: u64,
    version: String,
    projects: Vec<PathBuf>,
}

/// The supervisor of a service, as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SupervisorSeen {
    /// Its process; 0 when unknown.
    pub pid: u32,
    /// Since when it runs, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it last said that it lives, in milliseconds since 1970.
    pub heartbeat_ms: u64,
    /// Version of its program; empty when unknown.
    pub version: String,
    /// Folders of the projects that it keeps up.
    pub projects: Vec<PathBuf>,
    /// Whether it has said nothing for so long that it does nothing (it is stopped, or hangs).
    pub is_silent: bool,
}

/// The supervisor that keeps a service up, if one does.
pub fn supervisor(service: &Service) -> Result<Option<SupervisorSeen>> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(None),
        folder => folder?,
    };
    let Some(holder) = lock::holder(&folder.supervisor_lock()) else { return Ok(None) };
    // A file that cannot be read says nothing of whether somebody holds the lock.
    let said: Option<Said> = read_json(&folder.supervisor_state()).ok().flatten();
    let said = said.filter(|said| said.pid == holder.pid);
    let heartbeat_ms = said.as_ref().map_or(holder.since_ms, |said| said.heartbeat_ms);
    let silent_ms = u64::try_from(SILENT_AFTER.as_millis()).unwrap_or(u64::MAX);
    Ok(Some(SupervisorSeen {
        pid: holder.pid,
        started_ms: said.as_ref().map_or(holder.since_ms, |said| said.started_ms),
        heartbeat_ms,
        is_silent: now_ms().saturating_sub(heartbeat_ms) > silent_ms,
        version: said.as_ref().map(|said| said.version.clone()).unwrap_or_default(),
        projects: said.map(|said| said.projects).unwrap_or_default(),
    }))
}

/// That this process keeps a service up; dropping it lets go, and leaves the service as it is.
#[derive(Debug)]
pub struct Supervision {
    folder: Folder,
    said: Said,
    _lock: Lock,
}

impl Supervision {
    /// Begins to keep a service up. Its folder is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Supervised`] where another process does.
    pub fn begin(service: &Service, projects: &[PathBuf]) -> Result<Self> {
        let folder = Folder::create(service)?;
        let lock = lock::try_lock(&folder.supervisor_lock(), WHAT)?;
        let lock = lock.map_err(|holder| Error::Supervised {
            service: service.name.clone(),
            pid: holder.pid,
            seconds: now_ms().saturating_sub(holder.since_ms) / 1000,
        })?;
        let pid = std::process::id();
        let said = Said {
            pid,
            started: started(pid).unwrap_or_default(),
            started_ms: now_ms(),
            heartbeat_ms: now_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            projects: projects.to_vec(),
        };
        let mut supervision = Self { folder, said, _lock: lock };
        // The lock is what counts: on a full disk a service is kept up all the same.
        if let Err(error) = supervision.beat() {
            tracing::warn!(%error, "the supervisor cannot be shown");
        }
        Ok(supervision)
    }

    /// Says that this process still keeps the service up: to be called each [`HEARTBEAT`].
    pub fn beat(&mut self) -> Result<()> {
        self.said.heartbeat_ms = now_ms();
        replace_json(&self.folder.supervisor_state(), &self.said)
    }
}

/// Appends a line to what supervisors of a service said. The log is beside those of the gateway and the instances, for
/// hosts where nothing keeps what a supervisor prints; on a full disk a line is lost.
pub fn log_line(service: &Service, line: &str) {
    let Ok(folder) = Folder::open(service) else { return };
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(log_path(&folder));
    // In one call, so that lines of two supervisors do not mix while one takes over.
    if let Err(error) = log.and_then(|mut log| log.write_all(format!("{line}\n").as_bytes())) {
        tracing::debug!(%error, "a line of the supervisor's log is lost");
    }
}

/// Where supervisors of a service say what they do.
pub(crate) fn log_path(folder: &Folder) -> PathBuf {
    folder.root.join("supervisor.log")
}

/// Ends the supervisor of a service, if there is one, and waits until it has let go; whether there was. The service
/// goes on.
///
/// # Errors
///
/// [`Error::Supervised`] where it does not end, or cannot be told to.
pub async fn end_supervisor(service: &Service) -> Result<bool> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(false),
        folder => folder?,
    };
    let Some(holder) = lock::holder(&folder.supervisor_lock()) else { return Ok(false) };
    let refused = || Error::Supervised {
        service: service.name.clone(),
        pid: holder.pid,
        seconds: now_ms().saturating_sub(holder.since_ms) / 1000,
    };
    let said: Option<Said> = read_json(&folder.supervisor_state())?;
    // The number alone may be that of another process, or of another container.
    let said =
        said.filter(|said| said.pid == holder.pid && started(said.pid) == Some(said.started));
    let pid = said.and_then(|said| Pid::from_raw(i32::try_from(said.pid).ok()?));
    let pid = pid.ok_or_else(refused)?;
    let tell = |signal| kill_process(pid, signal).map_err(|_gone_or_not_ours| refused());
    tell(Signal::TERM)?;
    // One that is stopped hears it when it goes on.
    tell(Signal::CONT)?;
    let start = Instant::now();
    while runs(holder.pid) && lock::holder(&folder.supervisor_lock()).is_some() {
        if start.elapsed() > END_LIMIT {
            return Err(refused());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_others_see_who() {
        let root = tempfile::tempdir().unwrap();
        let service = Service::new("iris", root.path(), ([127, 0, 0, 1], 0).into());
        assert_eq!(supervisor(&service).unwrap(), None, "nothing is there");
        assert!(!end_supervisor(&service).await.unwrap());
        let projects = [PathBuf::from("/p")];
        let mut first = Supervision::begin(&service, &projects).unwrap();
        let Err(Error::Supervised { pid, .. }) = Supervision::begin(&service, &projects) else {
            panic!("a second one began");
        };
        assert_eq!(pid, std::process::id());
        let seen = supervisor(&service).unwrap().unwrap();
        assert_eq!((seen.pid, seen.is_silent), (std::process::id(), false));
        assert_eq!(seen.projects, projects);
        // Long ago: it hangs.
        first.said.heartbeat_ms = 1;
        replace_json(&first.folder.supervisor_state(), &first.said).unwrap();
        assert!(supervisor(&service).unwrap().unwrap().is_silent);
        log_line(&service, "r1 serves");
        log_line(&service, "r1 ended");
        let said = std::fs::read_to_string(log_path(&first.folder)).unwrap();
        assert_eq!(said, "r1 serves\nr1 ended\n");
        first.beat().unwrap();
        assert!(!supervisor(&service).unwrap().unwrap().is_silent);
        drop(first);
        assert_eq!(supervisor(&service).unwrap(), None);
    }

    #[tokio::test]
    async fn nobody_is_told_to_end_by_a_number_alone() {
        let root = tempfile::tempdir().unwrap();
        let service = Service::new("iris", root.path(), ([127, 0, 0, 1], 0).into());
        let mut held = Supervision::begin(&service, &[]).unwrap();
        // This process must live to tell: another one had its number before.
        held.said.started += 1;
        held.beat().unwrap();
        let refused = end_supervisor(&service).await;
        assert!(matches!(refused, Err(Error::Supervised { .. })), "{refused:?}");
    }
}
