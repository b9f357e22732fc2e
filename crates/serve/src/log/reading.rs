//! Who reads a prediction log, and who removes from it: never both at a time.
//!
//! A reader lists the segments of a folder and reads one after the other, for minutes where there are many. So
//! readers hold a lock on a file of the folder together, and whoever removes holds it alone, for a moment, or
//! comes again later. It is the kernel's lock: one of a process that was killed is gone with it.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::private_files;

/// The file with the lock. It is hidden, as all that is no part of the log.
const LOCK: &str = ".lock";

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
    pub fn begin(source: &Path) -> Option<Self> {
        let folder = if source.is_dir() { source } else { source.parent()? };
        let lock = File::open(folder.join(LOCK)).ok()?;
        // Whoever removes holds it for a moment.
        lock.lock_shared().ok()?;
        Some(Self { _lock: lock })
    }
}

/// The right to remove; none while somebody reads or removes.
pub(super) fn alone(dir: &Path) -> io::Result<Option<File>> {
    let lock = File::options().append(true).open(dir.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
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
