//! A folder of copies, one for each source of models.
//!
//! ```text
//! DIR/lock                                       held while copies are made or read
//! DIR/models__Iris_Production-1f3a…/entry        what the copy is of, with the digest of each file
//! DIR/models__Iris_Production-1f3a…/model-8c…/   the copy
//! ```
//!
//! Several servers may share the folder. A source is a model URI in one registry: the same name elsewhere is
//! another model. A copy is made beside the one before, and is the one that counts from the moment its
//! entry is replaced; whoever is killed on the way leaves the one before, and files that the next removes.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use trainyard_base::file::{self, Access};
use trainyard_mlflow::resolve::ResolvedModel;
use trainyard_mlflow::uri::without_credentials;

use super::copy::{copy_checked, copy_folder};
use super::entry::Entry;
use crate::error::{Error, Result};
use crate::{clock, memory, private_files};

/// The file that says what a copy is of.
const ENTRY: &str = "entry";
/// How the names of copies begin.
const COPY: &str = "model-";
/// Bytes of an entry: some thousand files.
const ENTRY_BYTES_MAX: u64 = 4 << 20;
/// Digits of the digest in the name of a place.
const DIGEST_DIGITS: usize = 32;
/// Characters of a source in the name of its place: names have 255 bytes at most.
const NAME_CHARS_MAX: usize = 40;

/// Where models are kept that serve.
#[derive(Debug, Clone)]
pub struct ModelCache {
    dir: PathBuf,
    registry: String,
    bytes_max: u64,
}

/// A copy that was taken out, checked.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) resolved: ResolvedModel,
    pub(crate) kept_at: DateTime<Utc>,
}

impl ModelCache {
    /// How long the registry may take at the start where there is a copy to start from.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// Copies in `dir` (made when it is needed), of at most so many bytes together, of models of a registry:
    /// its tracking URI, of which credentials are no part. While a copy is replaced, the one before is there too.
    pub fn new(dir: impl Into<PathBuf>, registry: &str, bytes_max: u64) -> Self {
        Self { dir: dir.into(), registry: without_credentials(registry), bytes_max }
    }

    /// What a registry that says nothing for [`Self::PATIENCE`] comes to.
    pub(crate) fn no_answer(&self) -> trainyard_mlflow::Error {
        trainyard_mlflow::Error::Unreachable {
            url: self.registry.clone(),
            reason: format!("no answer within {} s", Self::PATIENCE.as_secs()),
        }
    }

    /// Whether there is a copy of what this source meant.
    pub fn holds(&self, source: &str) -> bool {
        self.place(source).join(ENTRY).is_file()
    }

    /// Keeps a copy of the folder in the place of the one before.
    pub(crate) fn keep(&self, source: &str, resolved: &ResolvedModel, folder: &Path) -> Result<()> {
        self.failing(private_files::folder(&self.dir))?;
        let _lock = self.failing(self.lock(Lock::Alone))?;
        let place = self.place(source);
        self.failing(private_files::folder(&place))?;
        let name = format!("{COPY}{}", uuid::Uuid::new_v4().simple());
        let kept = self.room_for(folder, &place).and_then(|()| {
            let target = place.join(&name);
            private_files::folder(&target)?;
            let files = copy_folder(folder, &target)?;
            file::sync_folder(&place)?;
            let now = clock::now().timestamp_millis();
            let entry = Entry::new(source.to_owned(), now, name.clone(), files, resolved);
            let bytes = entry.write().map_err(io::Error::other)?;
            file::replace(&place.join(ENTRY), &bytes, Access::Private)
        });
        // Copies that were replaced, or that a killed server left half.
        remove_copies(&place, current(&place).as_deref());
        self.failing(kept)
    }

    /// Makes room for a copy of the folder, if there can be.
    fn room_for(&self, folder: &Path, place: &Path) -> io::Result<()> {
        let bytes = memory::folder_bytes(folder, 0)?;
        if bytes > self.bytes_max {
            // An older version must not come back instead.
            forget(place);
            let most = self.bytes_max;
            let reason = format!("the model has {bytes} bytes, all copies may have {most}");
            return Err(io::Error::other(reason));
        }
        self.shrink(self.bytes_max - bytes, place);
        Ok(())
    }

    /// Forgets copies of other sources, the oldest first, until they have at most so many bytes.
    fn shrink(&self, bytes_max: u64, place: &Path) {
        let Ok(places) = std::fs::read_dir(&self.dir) else { return };
        let mut others = Vec::new();
        for other in places.flatten() {
            let other = other.path();
            // Whoever names a folder may have other things in it.
            if other == place || !is_place(&other) {
                continue;
            }
            match read(&other) {
                Ok(Some(entry)) => others.push((entry.kept_at_ms, entry.bytes(), other)),
                Ok(None) => {}
                // Nothing that can be started from.
                Err(_) => forget(&other),
            }
        }
        others.sort();
        let mut bytes = others.iter().fold(0_u64, |sum, other| sum.saturating_add(other.1));
        for (_, size, other) in others {
            if bytes <= bytes_max {
                return;
            }
            forget(&other);
            bytes = bytes.saturating_sub(size);
        }
    }

    /// Copies what the source meant into `target`, and checks every file of it. None: there is no copy.
    pub(crate) fn take(&self, source: &str, target: &Path) -> Result<Option<Taken>> {
        let place = self.place(source);
        if !place.is_dir() {
            return Ok(None);
        }
        let _lock = self.failing(self.lock(Lock::Together))?;
        let Some(entry) = self.failing(read(&place))? else { return Ok(None) };
        let folder = place.join(&entry.folder);
        for file in &entry.files {
            self.failing(copy_checked(&folder, target, file))?;
        }
        let kept_at = DateTime::from_timestamp_millis(entry.kept_at_ms).unwrap_or_default();
        Ok(Some(Taken { resolved: entry.resolved(), kept_at }))
    }

    /// The registry says that there is no such thing any more.
    pub(crate) fn forget(&self, source: &str) {
        let place = self.place(source);
        if place.is_dir()
            && let Ok(_lock) = self.lock(Lock::Alone)
        {
            forget(&place);
        }
    }

    /// Where the copy of a source is. Its name tells people which it is, and no two sources have the same.
    fn place(&self, source: &str) -> PathBuf {
        let whole = format!("{}\n{source}", self.registry);
        let digest = hex::encode(Sha256::digest(whole));
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = source.chars().take(NAME_CHARS_MAX).map(plain).collect();
        self.dir.join(format!("{name}-{}", digest.get(..DIGEST_DIGITS).unwrap_or_default()))
    }

    fn lock(&self, lock: Lock) -> io::Result<File> {
        let path = self.dir.join("lock");
        let file = match lock {
            Lock::Alone => File::options().create(true).append(true).open(path)?,
            // Where nothing may be written, nothing is replaced either.
            Lock::Together => File::open(path)?,
        };
        match lock {
            Lock::Alone => file.lock()?,
            Lock::Together => file.lock_shared()?,
        }
        Ok(file)
    }

    fn failing<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(|source| Error::ModelCache { dir: self.dir.clone(), source })
    }
}

/// Who may hold the lock with us.
#[derive(Clone, Copy)]
enum Lock {
    Alone,
    Together,
}

/// What a place has; none if it has no copy.
fn read(place: &Path) -> io::Result<Option<Entry>> {
    let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let path = place.join(ENTRY);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(about) if about.len() > ENTRY_BYTES_MAX => {
            return Err(damaged(format!("{ENTRY} is larger than {ENTRY_BYTES_MAX} bytes")));
        }
        Ok(_) => {}
    }
    Entry::read(&std::fs::read(path)?).map(Some).map_err(damaged)
}

/// The copy that counts.
fn current(place: &Path) -> Option<String> {
    Some(read(place).ok()??.folder)
}

/// Whether a folder has the name of a place.
fn is_place(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_digest = |text: &str| {
        text.len() == DIGEST_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    name.rsplit_once('-').is_some_and(|(_, digest)| is_digest(digest))
}

/// Removes a place: first what makes it one.
fn forget(place: &Path) {
    let _is_none = std::fs::remove_file(place.join(ENTRY));
    remove_copies(place, None);
    let _is_not_empty = std::fs::remove_dir(place);
}

/// Removes the copies of a place but one; what stays is tried again with the next copy.
fn remove_copies(place: &Path, but: Option<&str>) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(COPY) || but == Some(&*name) {
            continue;
        }
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::debug!(%error, path = %entry.path().display(), "stays in the model cache");
        }
    }
}
