//! How much of the disk may be taken by what is logged. A server that fills its disk takes others with it: the database beside
//! it, its own next deployment. So predictions and feedback stop before, and say so.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::options::LogOptions;

/// Left free of every disk: enough for others to go on until somebody looks.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// Of a small disk, one part in so many is left free instead.
const FREE_SHARE: u64 = 20;

/// How often the folder is measured, where it has a limit: others may write to it and remove from it.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// Folders within each other that are measured: days, hours, and the feedback's.
const DEPTH_MAX: usize = 8;

/// Why nothing more is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// The folder is as large as it may be.
    #[error("the prediction log and its feedback take {used} bytes, and may take {limit}")]
    Folder { used: u64, limit: u64 },
    /// The disk has little left.
    #[error("the disk of the prediction log has {free} bytes left, and {wanted} stay free")]
    Disk { free: u64, wanted: u64 },
}

/// What one folder may take.
#[derive(Debug)]
pub(crate) struct DiskQuota {
    dir: PathBuf,
    bytes_max: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    measured: Option<Instant>,
    used: u64,
    is_full: bool,
}

impl DiskQuota {
    pub(crate) fn new(log: &LogOptions) -> Self {
        // In an object store nothing is limited here but what waits in the folder.
        Self { dir: log.dir.clone(), bytes_max: log.bytes_max, state: Mutex::default() }
    }

    /// Whether so many bytes more may be written, which are counted as written then.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), Full> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.on_disk(bytes).and_then(|()| self.in_folder(&mut state, bytes));
        if found.is_err() != state.is_full {
            state.is_full = found.is_err();
            if let Err(full) = &found {
                tracing::error!(%full, "predictions and feedback are not kept");
            } else {
                tracing::info!("predictions and feedback are kept again");
            }
        }
        found
    }

    /// So much was written that nobody asked for: a segment's size is known when it is whole.
    pub(crate) fn wrote(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used = state.used.saturating_add(bytes);
    }

    fn on_disk(&self, bytes: u64) -> Result<(), Full> {
        // A folder that is not there is the writer's to report.
        let Ok(disk) = rustix::fs::statvfs(&self.dir) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let wanted = FREE_BYTES_MIN.min(disk.f_blocks.saturating_mul(disk.f_frsize) / FREE_SHARE);
        if free < wanted.saturating_add(bytes) { Err(Full::Disk { free, wanted }) } else { Ok(()) }
    }

    fn in_folder(&self, state: &mut State, bytes: u64) -> Result<(), Full> {
        let Some(limit) = self.bytes_max else { return Ok(()) };
        if state.measured.is_none_or(|measured| measured.elapsed() >= MEASURE_EVERY) {
            state.used = size_of(&self.dir, 0);
            state.measured = Some(Instant::now());
        }
        let used = state.used.saturating_add(bytes);
        if used > limit {
            return Err(Full::Folder { used: state.used, limit });
        }
        state.used = used;
        Ok(())
    }
}

/// Bytes of the files in a folder; what cannot be read is nobody's.
fn size_of(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().filter_map(|entry| {
        let about = entry.metadata().ok()?;
        match about.is_dir() {
            true if depth < DEPTH_MAX => Some(size_of(&entry.path(), depth + 1)),
            true => None,
            false => Some(about.len()),
        }
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_limit_and_a_disk_a_rest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("_feedback")).unwrap();
        std::fs::write(folder.path().join("_feedback/a"), [0; 600]).unwrap();
        std::fs::write(folder.path().join("b"), [0; 300]).unwrap();
        let mut log = LogOptions::new(folder.path());
        assert_eq!(DiskQuota::new(&log).take(1000), Ok(()));
        assert!(matches!(DiskQuota::new(&log).take(u64::MAX), Err(Full::Disk { .. })));
        log.bytes_max = Some(1000);
        let quota = DiskQuota::new(&log);
        assert_eq!(quota.take(60), Ok(()));
        assert_eq!(quota.take(60), Err(Full::Folder { used: 960, limit: 1000 }));
        assert_eq!(quota.take(40), Ok(()));
        assert!(DiskQuota::new(&LogOptions::new("/no/such/folder")).take(1000).is_ok());
    }
}
