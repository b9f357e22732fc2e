//! One change of a service at a time: an advisory lock that the kernel lets go when its holder dies.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock::now_ms;
use crate::error::{Error, Result};

/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// How long one who only looks has a lock, and how often one is waited for: together less than anybody notices.
const LOOKER_GOES: Duration = Duration::from_millis(1);
const LOOKERS_MAX: u32 = 5;

/// Who holds a lock, written into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// What it does (`release`, `stop`, …).
    pub what: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// A lock that another process held and gave away.
    pub(crate) fn inherited(file: File, path: &Path, what: &str) -> Result<Self> {
        let mut lock = Self { file };
        lock.sign(path, what)?;
        Ok(lock)
    }

    /// The lock for another process: held until both have let go.
    pub(crate) fn share(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Writes down who holds it.
    fn sign(&mut self, path: &Path, what: &str) -> Result<()> {
        let failed = |source| Error::io("cannot lock", path, source);
        let holder = Holder { pid: std::process::id(), what: what.to_owned(), since_ms: now_ms() };
        let text = serde_json::to_string(&holder).map_err(|error| failed(error.into()))?;
        // Written over the name before, which needs no room on a disk that is full.
        self.file.rewind().map_err(failed)?;
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.file.set_len(text.len() as u64).map_err(failed)
    }
}

/// Tries once; `Err` carries who holds it.
pub(crate) fn try_lock(path: &Path, what: &str) -> Result<std::result::Result<Lock, Holder>> {
    let failed = |source| Error::io("cannot lock", path, source);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // Whoever can open it can hold it, and keep the service from its owner.
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let mut lookers = 0;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            // Whoever asks who holds it has it for a moment, and is nobody to be refused for.
            Err(rustix::io::Errno::WOULDBLOCK) if lookers < LOOKERS_MAX => {
                lookers += 1;
                std::thread::sleep(LOOKER_GOES);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Err(read_holder(&mut file))),
            Err(error) => return Err(failed(error.into())),
        }
    }
    let mut lock = Lock { file };
    lock.sign(path, what)?;
    Ok(Ok(lock))
}

/// Waits for the lock up to a limit. `waiting` is told once who is waited for.
pub(crate) async fn lock(
    path: &Path,
    service: &str,
    what: &str,
    limit: Duration,
    waiting: impl Fn(&Holder),
) -> Result<Lock> {
    let start = Instant::now();
    let mut told = false;
    loop {
        let holder = match try_lock(path, what)? {
            Ok(lock) => return Ok(lock),
            Err(holder) => holder,
        };
        if start.elapsed() >= limit {
            return Err(Error::Locked {
                service: service.to_owned(),
                pid: holder.pid,
                seconds: now_ms().saturating_sub(holder.since_ms) / 1000,
                what: holder.what,
            });
        }
        if !told {
            waiting(&holder);
            told = true;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Who holds the lock now, if anybody.
pub(crate) fn holder(path: &Path) -> Option<Holder> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => Some(read_holder(&mut file)),
    }
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let parsed = file
        .rewind()
        .and_then(|()| file.take(4096).read_to_string(&mut text))
        .ok()
        .and_then(|_| serde_json::from_str(&text).ok());
    // Between taking the lock and writing the name there is nothing to read.
    parsed.unwrap_or(Holder { pid: 0, what: "unknown".to_owned(), since_ms: now_ms() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_hold_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _held = try_lock(&path, "release").unwrap().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    }

    #[tokio::test]
    async fn the_second_waits_and_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = try_lock(&path, "release").unwrap().unwrap();
        let refused = lock(&path, "iris", "stop", Duration::from_millis(120), |_| {}).await;
        let Err(Error::Locked { pid, what, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!((pid, what.as_str()), (std::process::id(), "release"));
        assert_eq!(holder(&path).unwrap().what, "release");
        let waiter = tokio::spawn({
            let path = path.clone();
            async move { lock(&path, "iris", "stop", Duration::from_secs(10), |_| {}).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiter.await.unwrap().is_ok());
        assert_eq!(holder(&path), None);
    }
}
