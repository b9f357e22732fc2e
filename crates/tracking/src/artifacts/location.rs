//! Where an artifact URI points: an object store and a path in it.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path as StorePath;
use trainyard_mlflow::{Error, Result};
use trainyard_storage::{DirectStore, Place, Stores};

use super::path::ArtifactPath;

/// Bytes buffered before they are written: large enough that a disk is busy, small enough that a
/// hundred uploads at once fit in memory.
const PART_BYTES_LOCAL: usize = 1 << 20;
/// The same for a bucket: S3 takes no smaller parts than 5 MiB, and no more than 10,000 of them.
const PART_BYTES_CLOUD: usize = 8 << 20;

/// A root below which artifacts lie.
#[derive(Clone)]
pub(super) struct Location {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The store, if clients can go there themselves.
    pub(super) direct: Option<Arc<dyn DirectStore>>,
    /// Path of the root in `store`.
    base: StorePath,
    /// The root on this machine's disk, if it is there: symlinks are checked against it.
    local_root: Option<PathBuf>,
    /// Size of the parts of a streamed upload.
    pub(super) part_bytes: usize,
}

impl Location {
    /// Opens a root by its URI, of one of the schemes that [`trainyard_storage`] knows.
    pub(super) fn open(uri: &str, stores: &Stores) -> Result<Self> {
        let Place { store, direct, path, local } =
            stores.open(uri).map_err(|error| match error {
                // What the operator set wrong is not the client's business.
                error @ trainyard_storage::Error::Settings { .. } => {
                    Error::internal(error.to_string())
                }
                error => Error::invalid(error.to_string()),
            })?;
        let part_bytes = if local.is_some() { PART_BYTES_LOCAL } else { PART_BYTES_CLOUD };
        Ok(Self { store, direct, base: path, local_root: local, part_bytes })
    }

    /// The same location, deeper.
    pub(super) fn below(&self, path: &ArtifactPath) -> Result<Self> {
        Ok(Self { base: self.resolve(path)?, ..self.clone() })
    }

    /// Where `path` is in the store.
    pub(super) fn resolve(&self, path: &ArtifactPath) -> Result<StorePath> {
        let raw = match self.base.as_ref() {
            "" => path.to_string(),
            base => format!("{base}/{path}"),
        };
        StorePath::parse(&raw).map_err(|_error| Error::invalid("Invalid path"))
    }

    /// Refuses a path that a symlink leads out of the root.
    pub(super) async fn check_inside(&self, path: &StorePath) -> Result<()> {
        let Some(root) = self.local_root.clone() else { return Ok(()) };
        let target = local_path(path);
        let inside = tokio::task::spawn_blocking(move || {
            // The root itself may be, or lie behind, a symlink that its owner made.
            resolve_existing(&target).starts_with(resolve_existing(&root))
        })
        .await
        .map_err(|error| Error::internal(format!("artifact path check failed: {error}")))?;
        if inside { Ok(()) } else { Err(Error::invalid("Invalid path")) }
    }

    /// Whether `path` is this root or above it: nothing may remove it.
    pub(super) fn contains_root(&self, path: &StorePath) -> bool {
        self.base.prefix_matches(path)
    }

    /// Whether this is a folder of this machine.
    pub(super) fn is_local(&self) -> bool {
        self.local_root.is_some()
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.base)
    }
}

/// The file that a path of the local store names.
pub(super) fn local_path(path: &StorePath) -> PathBuf {
    FilePath::new("/").join(path.as_ref())
}

/// The path of `mlflow-artifacts:/a/b` and `mlflow-artifacts://host:port/a/b`.
pub(super) fn proxied_path(uri: &str) -> Result<ArtifactPath> {
    let rest = uri.split_once(':').map_or(uri, |(_scheme, rest)| rest);
    let path = match rest.strip_prefix("//") {
        Some(authority) => authority.split_once('/').map_or("", |(_host, path)| path),
        None => rest,
    };
    ArtifactPath::parse(path.trim_start_matches('/'))
}

/// The path with every symlink of its existing part resolved.
fn resolve_existing(path: &FilePath) -> PathBuf {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        if let Ok(resolved) = existing.canonicalize() {
            return missing.iter().rev().fold(resolved, |path, name| path.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                // A dangling symlink does not canonicalize, yet writing through it would follow it.
                if let Ok(target) = existing.read_link() {
                    return missing
                        .iter()
                        .rev()
                        .fold(parent.join(target), |path, name| path.join(name));
                }
                missing.push(name);
                existing = parent;
            }
            _ => return path.to_path_buf(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxied_uris_are_paths_below_the_destination() {
        for (uri, path) in [
            ("mlflow-artifacts:/1/abc/artifacts", "1/abc/artifacts"),
            ("mlflow-artifacts://host:5000/1/abc", "1/abc"),
            ("mlflow-artifacts:/", ""),
            ("mlflow-artifacts://host", ""),
        ] {
            assert_eq!(proxied_path(uri).unwrap().as_str(), path, "{uri}");
        }
        assert!(proxied_path("mlflow-artifacts:/a/../../b").is_err());
    }
}
