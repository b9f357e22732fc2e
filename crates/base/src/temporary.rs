//! Folders that go away with the value. They hold models, programs that are run and data of others, so
//! nobody else may look into them.

use std::fs::Permissions;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How often a folder is removed in which other threads still make files.
const ATTEMPTS_MAX: usize = 10;

/// A folder that is removed when the value is dropped.
#[derive(Debug)]
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// A folder where the system keeps such; `purpose` becomes part of its name.
    pub fn create(purpose: &str) -> Result<Self> {
        make(&format!("trainyard-{purpose}-"), &tempfile::env::temp_dir())
    }

    /// A folder below `state`/tmp. Its name starts with the id of this process, so that what a killed
    /// one left can be told from what a living one uses; what was left is removed.
    pub fn below(state: &Path) -> Result<Self> {
        let parent = state.join("tmp");
        remove_left_overs(&parent);
        match std::fs::create_dir(&parent) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // A temporary folder that is gone was taken away from work that is to end: it is not made anew.
            Err(error) if state == tempfile::env::temp_dir() => return Err(error),
            Err(_its_parents_are_missing) => std::fs::create_dir_all(&parent)?,
        }
        make(&format!("{}-", std::process::id()), &parent)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn make(prefix: &str, parent: &Path) -> Result<TemporaryFolder> {
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)?;
    // Removed below, where a failure is told.
    Ok(TemporaryFolder(folder.keep()))
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        for attempt in 1..=ATTEMPTS_MAX {
            match std::fs::remove_dir_all(&self.0) {
                Ok(()) => return,
                Err(error) if attempt == ATTEMPTS_MAX => {
                    tracing::warn!(%error, path = %self.0.display(), "a temporary folder stays behind");
                }
                Err(_other_threads_make_files_in_it) => {}
            }
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
    fn a_folder_is_private_and_goes_away() {
        let folder = TemporaryFolder::create("test").unwrap();
        let path = folder.path().to_owned();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with("trainyard-test-"));
        std::fs::write(path.join("x"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_process_left_goes_away_too() {
        let state = tempfile::tempdir().unwrap();
        // No process has this id: it is above the kernel's limit of 2^22.
        let dead = state.path().join("tmp/9999999-0");
        std::fs::create_dir_all(&dead).unwrap();
        let folder = TemporaryFolder::below(state.path()).unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir() && !dead.exists());
        let other = TemporaryFolder::below(state.path()).unwrap();
        assert!(path.is_dir() && other.path() != path);
    }
}
