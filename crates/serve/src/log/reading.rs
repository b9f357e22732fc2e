//! Who reads a prediction log, and who removes from it: never both at a time.
//!
//! A reader lists the segments of a folder and reads one after the other, for minutes where there are many. So
//! readers hold a lock on a file of the folder together, and whoever removes holds it alone, for a moment, or
//! comes again later. It is the kernel's lock: one of a process that was killed is gone with it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::lock;
use crate::private_files;

/// The file with the lock. It is hidden, as all that is no part of the log.
const LOCK: &str = ".predictions.lock";

/// How often a reader looks whether a remover is done, and how many times: one that was stopped with the lock must
/// not stop readers with it.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 500;

/// Makes the file, so that readers of this folder find it before anything is ever removed.
pub(super) fn prepare(dir: &Path) -> io::Result<()> {
    match private_files::file(&dir.join(LOCK)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Nothing is removed from a prediction log while this is there.
#[derive(Debug)]
pub struct LogReading {
    _lock: File,
}

impl LogReading {
    /// Begins to read a folder, or a file or a pattern of files in one. None where no model server of today
    /// writes: from such a folder nothing is removed either.
    /// It may wait for a moment: for threads that may.
    pub fn begin(source: &Path) -> Option<Self> {
        let folder = if source.is_dir() { source } else { source.parent()? };
        let lock = File::open(folder.join(LOCK)).ok()?;
        for _look in 0..LOOKS_MAX {
            match lock.try_lock_shared() {
                Ok(()) => return Some(Self { _lock: lock }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
                // Some network disks have no locks.
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }
}

/// The right to remove; none while somebody reads or removes.
pub(super) fn alone(dir: &Path) -> io::Result<Option<File>> {
    lock::alone(File::options().append(true).open(dir.join(LOCK))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_go_together_and_removers_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(LogReading::begin(folder.path()).is_none());
        prepare(folder.path()).unwrap();
        prepare(folder.path()).unwrap();
        let one = LogReading::begin(folder.path()).unwrap();
        let two = LogReading::begin(&folder.path().join("*.parquet")).unwrap();
        assert!(alone(folder.path()).unwrap().is_none());
        drop((one, two));
        let removing = alone(folder.path()).unwrap().unwrap();
        assert!(alone(folder.path()).unwrap().is_none());
        drop(removing);
        assert!(LogReading::begin(folder.path()).is_some());
    }
}
