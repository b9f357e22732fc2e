//! Where a job writes: a folder of this machine or of an object store, whose objects appear whole or not at all.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use trainyard_base::file::{Access, UNFINISHED, replace, sync_folder};
use trainyard_mlflow::uri::without_credentials;

use crate::remote::is_remote;
use crate::{Error, Result};

/// The file with the lock of those who write to a folder. It is hidden: readers of tables leave it out.
const LOCK: &str = ".predict.lock";

/// A folder of objects.
#[derive(Clone)]
pub(super) enum Output {
    Folder(PathBuf),
    Store { uri: String, store: Arc<dyn ObjectStore>, root: StorePath },
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Store { uri, .. } => f.write_str(&without_credentials(uri)),
        }
    }
}

impl Output {
    /// The folder of this name, which is made where it is of this machine.
    pub(super) fn open(folder: &str) -> Result<Self> {
        if !is_remote(folder) {
            let folder = PathBuf::from(folder.strip_prefix("file://").unwrap_or(folder));
            std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, source))?;
            return Ok(Self::Folder(folder));
        }
        let place = trainyard_storage::open(folder)
            .map_err(|error| Error::Remote { uri: folder.to_owned(), reason: error.to_string() })?;
        Ok(Self::Store { uri: folder.to_owned(), store: place.store, root: place.path })
    }

    /// The folder, if it is of this machine.
    pub(super) fn local(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Store { .. } => None,
        }
    }

    /// The right to write to a folder of this machine together with others, or alone; it is the kernel's lock, which one
    /// that was killed has no more. None in a store, which has no locks.
    pub(super) fn claim(&self, is_alone: bool) -> Result<Option<File>> {
        let Self::Folder(folder) = self else { return Ok(None) };
        let path = folder.join(LOCK);
        let lock = match File::options().create(true).append(true).open(&path) {
            // Somebody else's of a folder that several write to: it is held, not written.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => File::open(&path),
            opened => opened,
        };
        let lock = lock.map_err(|source| Error::io(path, source))?;
        let locked = if is_alone { lock.try_lock() } else { lock.try_lock_shared() };
        match locked {
            Ok(()) => Ok(Some(lock)),
            // Some network disks have none.
            Err(TryLockError::Error(_)) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let what = format!("another job writes to {self}");
                Err(Error::predict(what, "wait until it is done, or end it, and try again"))
            }
        }
    }

    /// Names of what is in it, without hidden files.
    pub(super) async fn names(&self) -> Result<BTreeSet<String>> {
        match self {
            Self::Folder(folder) => {
                let failed = |source| Error::io(folder, source);
                let mut names = BTreeSet::new();
                for entry in std::fs::read_dir(folder).map_err(failed)? {
                    let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
                    if !name.starts_with('.') {
                        names.insert(name);
                    }
                }
                Ok(names)
            }
            Self::Store { store, root, .. } => {
                let found: Vec<_> = store
                    .list(Some(root))
                    .try_collect()
                    .await
                    .map_err(|error| self.failed(&error))?;
                let name = |meta: object_store::ObjectMeta| {
                    let first = meta.location.prefix_match(root)?.next()?;
                    Some(first.as_ref().to_owned())
                };
                Ok(found.into_iter().filter_map(name).collect())
            }
        }
    }

    /// An object; none if there is none of this name.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                match std::fs::read(&path) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(Error::io(path, source)),
                }
            }
            Self::Store { store, root, .. } => {
                let got = match store.get(&root.clone().join(name)).await {
                    Err(object_store::Error::NotFound { .. }) => return Ok(None),
                    got => got.map_err(|error| self.failed(&error))?,
                };
                let bytes = got.bytes().await.map_err(|error| self.failed(&error))?;
                Ok(Some(bytes.to_vec()))
            }
        }
    }

    /// Writes an object, in the place of one that is there.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                replace(&path, &bytes, Access::Usual).map_err(|source| Error::io(path, source))
            }
            Self::Store { store, root, .. } => {
                let put = store.put(&root.clone().join(name), PutPayload::from(bytes)).await;
                put.map(drop).map_err(|error| self.failed(&error))
            }
        }
    }

    /// Writes an object unless there is one; of several that do so at once one succeeds.
    pub(super) async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<bool> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                create(folder, &path, &bytes).map_err(|source| Error::io(path, source))
            }
            Self::Store { store, root, .. } => {
                let place = root.clone().join(name);
                let once = PutOptions::from(PutMode::Create);
                match store.put_opts(&place, PutPayload::from(bytes.clone()), once).await {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                    // A store without that condition: whoever is first by a second is first.
                    Err(object_store::Error::NotImplemented { .. }) => {
                        if self.get(name).await?.is_some() {
                            return Ok(false);
                        }
                        self.put(name, bytes).await.map(|()| true)
                    }
                    Err(error) => Err(self.failed(&error)),
                }
            }
        }
    }

    /// Removes an object.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                std::fs::remove_file(&path).map_err(|source| Error::io(path, source))
            }
            Self::Store { store, root, .. } => {
                let removed = store.delete(&root.clone().join(name)).await;
                removed.map_err(|error| self.failed(&error))
            }
        }
    }

    fn failed(&self, error: &object_store::Error) -> Error {
        Error::Remote { uri: self.to_string(), reason: error.to_string() }
    }
}

/// Makes a file with this content, durably; `false` if there is one.
fn create(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<bool> {
    let mut hidden = tempfile::Builder::new()
        .prefix(".predict.")
        .suffix(UNFINISHED)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    hidden.write_all(bytes)?;
    hidden.as_file().sync_all()?;
    match hidden.persist_noclobber(path) {
        Ok(_file) => sync_folder(folder).map(|()| true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::open(&folder.path().join("a/b").to_string_lossy()).unwrap();
        assert!(output.create("x", b"first".to_vec()).await.unwrap());
        assert!(!output.create("x", b"second".to_vec()).await.unwrap());
        assert_eq!(output.get("x").await.unwrap().unwrap(), b"first");
        output.put("x", b"third".to_vec()).await.unwrap();
        assert_eq!(output.get("x").await.unwrap().unwrap(), b"third");
        assert_eq!(output.names().await.unwrap().into_iter().collect::<Vec<_>>(), ["x"]);
        output.remove("x").await.unwrap();
        assert_eq!(output.get("x").await.unwrap(), None);
    }
}
