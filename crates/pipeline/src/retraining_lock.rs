//! One process of this machine at a time decides whether to train and does it: a lock that the kernel lets go
//! when its holder dies. Machines that share a tracking store agree by what they write there
//! ([`crate::attempt`]).

use std::fs::{File, OpenOptions, TryLockError};

use crate::{Error, Project, Result};

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct RetrainingLock {
    _file: File,
}

impl RetrainingLock {
    /// The lock of the project's deployment; none if another process has it.
    pub(crate) fn take(project: &Project) -> Result<Option<Self>> {
        let folder = project.state_folder();
        std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, source))?;
        let path = folder.join("retraining.lock");
        let failed = |source| Error::io(&path, source);
        let mut open = OpenOptions::new();
        let file = open.create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FILE_NAME;

    #[test]
    fn only_one_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[model]\nname = \"M\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        let project = Project::open(folder.path(), None).unwrap();
        let first = RetrainingLock::take(&project).unwrap();
        assert!(first.is_some());
        assert!(RetrainingLock::take(&project).unwrap().is_none());
        drop(first);
        assert!(RetrainingLock::take(&project).unwrap().is_some());
    }
}
