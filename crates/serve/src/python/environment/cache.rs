//! A folder of environments: what is where, and whether it is whole.
//!
//! An environment is made in its place, since scripts in it name the place, and counts from the moment its entry is
//! there: a small file that is written beside, synced and renamed. A folder without an entry is half-made, or was
//! half removed, and is nobody's.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use trainyard_base::file::{self, Access};

use super::lock::{Hold, Lock};

/// Digits of a digest, as names of environments have them.
pub(super) const DIGITS: usize = 32;

/// Bytes of an entry: some digests.
const ENTRY_BYTES_MAX: u64 = 4096;

const INDEX: &str = "index.lock";

/// What an earlier version wrote last into an environment, and went by.
const COMPLETE: &str = ".trainyard-complete";

/// How long others may compare, link and remove, and how often it is looked whether they are done.
const INDEX_PATIENCE: Duration = Duration::from_mins(10);
const INDEX_PAUSE: Duration = Duration::from_millis(20);

/// Which environment has what somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The name of its folder.
    pub(super) environment: String,
    /// The digest of what it holds.
    pub(super) holds: String,
}

/// Where environments are kept.
#[derive(Debug, Clone)]
pub(super) struct Cache(PathBuf);

impl Cache {
    /// The folder, which is made if it is not there. Who else may write to it decides which programs run.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        // Tools run elsewhere.
        let folder = std::path::absolute(folder)?;
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Where an environment is, or would be.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn python(&self, name: &str) -> PathBuf {
        self.place(name).join("bin/python")
    }

    pub(super) fn lock(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.lock"))
    }

    /// The same, unless others have it.
    pub(super) fn try_index_lock(&self) -> Result<Option<Lock>> {
        Lock::try_take(&self.0.join(INDEX), Hold::Alone)
    }

    /// The lock under which entries and folders change.
    pub(super) fn index_lock(&self) -> Result<Lock> {
        // It is held for as long as it takes to compare and link files: a thread may wait for that.
        let began = Instant::now();
        loop {
            if let Some(lock) = self.try_index_lock()? {
                return Ok(lock);
            }
            if began.elapsed() > INDEX_PATIENCE {
                return Err(ErrorKind::TimedOut.into());
            }
            std::thread::sleep(INDEX_PAUSE);
        }
    }

    fn entry_path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    /// What was entered for a digest; none for what is no entry.
    pub(super) fn entry(&self, digest: &str) -> Option<Entry> {
        let mut bytes = Vec::new();
        let file = File::open(self.entry_path(digest)).ok()?;
        file.take(ENTRY_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let entry: Entry = serde_json::from_slice(&bytes).ok()?;
        is_name(&entry.environment).then_some(entry)
    }

    /// The entry of a digest whose environment is there, with a Python that is. A Python that was removed from the
    /// machine leaves a link to nothing.
    pub(super) fn whole(&self, digest: &str) -> Option<Entry> {
        self.entry(digest).filter(|entry| self.python(&entry.environment).is_file())
    }

    /// Enters an environment, durably: all of it is on the disk first.
    pub(super) fn put(&self, digest: &str, entry: &Entry) -> Result<()> {
        rustix::fs::syncfs(File::open(self.place(&entry.environment))?)?;
        let bytes = serde_json::to_vec(entry)?;
        file::replace(&self.entry_path(digest), &bytes, Access::Usual)
    }

    /// Enters an environment of an earlier version, whose servers run from it without a lock; whether it is one. Nobody
    /// asks for it by its name, which such a version made otherwise.
    pub(super) fn adopt(&self, name: &str) -> Result<bool> {
        if !self.place(name).join(COMPLETE).is_file() {
            return Ok(false);
        }
        self.put(name, &Entry { environment: name.to_owned(), holds: String::new() })?;
        Ok(true)
    }

    /// Removes the entry of a digest, durably; nothing is there any more if there was none.
    pub(super) fn forget(&self, digest: &str) -> Result<()> {
        match std::fs::remove_file(self.entry_path(digest)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => file::sync_folder(&self.0),
        }
    }

    /// Removes an environment, first what says that it is whole: what is left half is not taken for it.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let _of_before = std::fs::remove_file(self.place(name).join(COMPLETE));
        self.forget(name)?;
        match std::fs::remove_dir_all(self.place(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The digests that have an entry, and the folders that could be environments.
    pub(super) fn names(&self) -> Result<(Vec<String>, Vec<String>)> {
        let (mut entered, mut folders) = (Vec::new(), Vec::new());
        for found in std::fs::read_dir(&self.0)? {
            let found = found?;
            let Ok(name) = found.file_name().into_string() else { continue };
            match name.strip_suffix(".json") {
                Some(digest) if is_name(digest) => entered.push(digest.to_owned()),
                None if is_name(&name) && found.file_type()?.is_dir() => folders.push(name),
                _ => {}
            }
        }
        entered.sort();
        folders.sort();
        Ok((entered, folders))
    }
}

/// Whoever names a folder may have other things in it.
fn is_name(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
