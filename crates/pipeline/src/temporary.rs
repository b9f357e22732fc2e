//! Folders that go away with the value, and those that a killed process left.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// A folder that is removed when the value is dropped. Its name starts with the process id, so
/// that what a killed process left can be told from what a living one uses.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes a folder below `state`/tmp.
    pub(crate) fn new(state: &Path) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let parent = state.join("tmp");
        remove_left_overs(&parent);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, source))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "a temporary folder stays behind");
        }
    }
}

/// Removes folders of processes that are gone.
fn remove_left_overs(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.split_once('-').and_then(|(process, _)| process.parse::<u32>().ok());
        if let Some(process) = process
            && !Path::new("/proc").join(process.to_string()).is_dir()
        {
            // Another process may be removing it too; the next one tries again.
            let _gone_or_busy = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_away_and_left_overs_too() {
        let state = tempfile::tempdir().unwrap();
        // No process has this id: it is above the kernel's limit of 2^22.
        let dead = state.path().join("tmp/9999999-0");
        std::fs::create_dir_all(&dead).unwrap();
        let folder = TemporaryFolder::new(state.path()).unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir() && !dead.exists());
        let other = TemporaryFolder::new(state.path()).unwrap();
        assert!(path.is_dir() && other.path() != path);
        drop(folder);
        assert!(!path.exists());
    }
}
