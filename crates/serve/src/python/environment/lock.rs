//! Locks of environments: shared by whoever uses one, held alone by whoever makes or removes it.
//!
//! The kernel lets go of a lock when the last process is gone that has the file open, however it ended. Tools that
//! install get the file too ([`Lock::held`]): when their server is killed, nobody else works where they still do.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How often it is tried to take a lock that another has.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a log says that it is waited for.
const PROGRESS: Duration = Duration::from_secs(10);

/// Longer than an environment may take to be made.
const PATIENCE: Duration = Duration::from_mins(30);

/// With whom a lock is held.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hold {
    Shared,
    Alone,
}

/// A lock that is held until the value is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes it; none if another holds it. The file is made if it is not there.
    pub(super) fn try_take(path: &Path, hold: Hold) -> Result<Option<Self>> {
        loop {
            let file = File::options().read(true).append(true).create(true).open(path)?;
            let taken = match hold {
                Hold::Shared => file.try_lock_shared(),
                Hold::Alone => file.try_lock(),
            };
            match taken {
                // Whoever held it alone may have removed it: then it is no lock any more.
                Ok(()) if file.metadata()?.nlink() == 0 => {}
                Ok(()) => return Ok(Some(Self { file, path: path.to_owned() })),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Takes it as soon as others let go.
    pub(super) async fn take(path: &Path, hold: Hold) -> Result<Self> {
        let taken = Self::take_unless(path, hold, || false).await?;
        taken.ok_or_else(|| Error::from(ErrorKind::WouldBlock))
    }

    /// The same; none as soon as it is not needed any more.
    pub(super) async fn take_unless(
        path: &Path,
        hold: Hold,
        is_needless: impl Fn() -> bool,
    ) -> Result<Option<Self>> {
        let began = Instant::now();
        let mut said = began;
        loop {
            if let Some(lock) = Self::try_take(path, hold)? {
                return Ok(Some(lock));
            }
            if is_needless() {
                return Ok(None);
            }
            if began.elapsed() > PATIENCE {
                let seconds = PATIENCE.as_secs();
                let reason = format!("another process holds it for more than {seconds} s");
                return Err(Error::new(ErrorKind::TimedOut, reason));
            }
            if said == began || said.elapsed() > PROGRESS {
                said = Instant::now();
                tracing::info!(
                    lock = %path.display(),
                    seconds = began.elapsed().as_secs(),
                    "another process makes this Python environment, which is waited for"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The lock as a file that a child may have: it is held for as long as the child has it.
    pub(super) fn held(&self) -> Result<File> {
        self.file.try_clone()
    }

    /// Notes the time, as that of the last use.
    pub(super) fn touch(&self) {
        // What cannot be noted makes the environment older than it is, and no worse.
        let _noted = self.file.set_modified(SystemTime::now());
    }

    /// Removes the file, for a lock that is held alone.
    pub(super) fn remove(self) {
        // One that stays is empty.
        let _gone = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_shared_or_held_alone_and_one_that_was_removed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let take = |hold| Lock::try_take(&path, hold).unwrap();
        let one = take(Hold::Shared).unwrap();
        let other = take(Hold::Shared).unwrap();
        assert!(take(Hold::Alone).is_none());
        // A child that has the file holds the lock as well.
        let child = one.held().unwrap();
        drop((one, other));
        assert!(take(Hold::Alone).is_none());
        drop(child);
        take(Hold::Alone).unwrap().remove();
        assert!(!path.exists());
        assert!(take(Hold::Alone).is_some() && path.exists());
    }
}
