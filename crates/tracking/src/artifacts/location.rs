//! Where an artifact URI points: an object store and a path in it.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path as StorePath;
use trainyard_mlflow::{Error, Result};
use trainyard_storage::{Address, Direct, Place, Stores};

use super::allowed_roots::Reach;
use super::bounds::Bounds;
use super::error::location_error;
use super::path::ArtifactPath;
use crate::error::invalid;

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
    pub(super) direct: Option<Direct>,
    /// The bucket, if it is one.
    bucket: Option<String>,
    /// Path of the root in `store`.
    base: StorePath,
    /// What its files must be inside of, if it is a folder of this machine.
    bounds: Option<Bounds>,
    /// Size of the parts of a streamed upload.
    pub(super) part_bytes: usize,
}

impl Location {
    /// Opens a root, in which files must be within `reach` too.
    pub(super) fn open(address: Address, stores: &Stores, reach: Option<&Reach>) -> Result<Self> {
        let bucket = match &address {
            Address::Bucket { bucket, .. } => Some(bucket.clone()),
            Address::Local(_) => None,
        };
        let Place { store, direct, path, local } = stores.at(address).map_err(location_error)?;
        let part_bytes = if local.is_some() { PART_BYTES_LOCAL } else { PART_BYTES_CLOUD };
        let bounds = local.map(|root| Bounds { root, reach: reach.cloned() });
        Ok(Self { store, direct, bucket, base: path, bounds, part_bytes })
    }

    /// The same location, deeper; files must still be inside of what they had to be.
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

    /// Refuses a path that a symlink leads out of the roots, or to a private file.
    pub(super) async fn check_inside(&self, path: &StorePath) -> Result<()> {
        let target = local_path(path);
        match self.on_disk(move |bounds| bounds.hold(&target)).await? {
            Some(false) => invalid!("Invalid path: it is outside of the artifact roots"),
            _ => Ok(()),
        }
    }

    /// Does what waits for the disk, if this is a folder of this machine.
    pub(super) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(Bounds) -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let Some(bounds) = self.bounds.clone() else { return Ok(None) };
        let done = tokio::task::spawn_blocking(move || work(bounds)).await;
        done.map(Some).map_err(|error| Error::internal(format!("artifacts on the disk: {error}")))
    }

    /// What an opened file must be inside of.
    pub(super) fn bounds(&self) -> Option<&Bounds> {
        self.bounds.as_ref()
    }

    /// The place of a path of the store.
    pub(super) fn address(&self, path: &StorePath) -> Address {
        match &self.bucket {
            Some(bucket) => Address::Bucket { bucket: bucket.clone(), path: path.clone() },
            None => Address::Local(local_path(path)),
        }
    }

    /// Whether this is a folder of this machine.
    pub(super) fn is_local(&self) -> bool {
        self.bounds.is_some()
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
