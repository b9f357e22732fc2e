//! Where an artifact URI points: an object store and a path in it.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use percent_encoding::percent_decode_str;
use trainyard_mlflow::{Error, Result};

use super::path::ArtifactPath;

/// Bytes buffered before they are written: large enough that a disk is busy, small enough that a
/// hundred uploads at once fit in memory.
const PART_BYTES_LOCAL: usize = 1 << 20;

/// A root below which artifacts lie.
#[derive(Clone)]
pub(super) struct Location {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Path of the root in `store`.
    base: StorePath,
    /// The root on this machine's disk, if it is there: symlinks are checked against it.
    local_root: Option<PathBuf>,
    /// Size of the parts of a streamed upload.
    pub(super) part_bytes: usize,
}

impl Location {
    /// Opens a root by its URI: an absolute path, a relative one (made absolute) or `file://`.
    /// Other schemes are refused by name.
    pub(super) fn open(uri: &str) -> Result<Self> {
        match scheme(uri) {
            None => Self::local(FilePath::new(uri)),
            Some("file") => Self::local(&file_uri_path(uri)?),
            Some(other) => Err(Error::invalid(format!(
                "artifact locations with the scheme '{other}' are not supported by this server: \
                 use a local path or a file:// URI, not '{uri}'"
            ))),
        }
    }

    fn local(path: &FilePath) -> Result<Self> {
        let root = std::path::absolute(path).map_err(|error| Error::io(path, error))?;
        let base = StorePath::from_absolute_path(&root).map_err(|error| {
            Error::invalid(format!("artifact location '{}': {error}", root.display()))
        })?;
        // What was acknowledged is on the disk.
        let store = LocalFileSystem::new().with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            base,
            local_root: Some(root),
            part_bytes: PART_BYTES_LOCAL,
        })
    }

    /// The same location, deeper.
    pub(super) fn below(&self, path: &ArtifactPath) -> Result<Self> {
        Ok(Self { base: self.resolve(path)?, ..self.clone() })
    }

    /// Where `path` is in the store.
    pub(super) fn resolve(&self, path: &ArtifactPath) -> Result<StorePath> {
        let raw = format!("{}/{path}", self.base);
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

/// `scheme` of `scheme:…`; none for a path, on which a colon may be anywhere after a slash.
pub(crate) fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _rest) = uri.split_once(':')?;
    let mut chars = scheme.chars();
    let named = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    named.then_some(scheme)
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

fn file_uri_path(uri: &str) -> Result<PathBuf> {
    let rest = uri.get("file:".len()..).unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        Some(authority) => match authority.split_once('/') {
            Some(("" | "localhost", path)) => format!("/{path}"),
            _ => {
                return Err(Error::invalid(format!(
                    "file URIs must be absolute and of this machine (file:///path), not '{uri}'"
                )));
            }
        },
        None => rest.to_owned(),
    };
    let decoded = percent_decode_str(&path).decode_utf8().map_err(|_not_utf8| {
        Error::invalid(format!("the file URI does not decode to UTF-8: '{uri}'"))
    })?;
    Ok(PathBuf::from(decoded.into_owned()))
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
    fn schemes_are_told_from_paths() {
        assert_eq!(scheme("s3://bucket/x"), Some("s3"));
        assert_eq!(scheme("mlflow-artifacts:/1"), Some("mlflow-artifacts"));
        assert_eq!(scheme("/a/b:c"), None);
        assert_eq!(scheme("./mlartifacts"), None);
        assert_eq!(scheme("mlartifacts"), None);
    }

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

    #[test]
    fn file_uris_are_local_paths() {
        assert_eq!(file_uri_path("file:///tmp/a%20b").unwrap(), PathBuf::from("/tmp/a b"));
        assert_eq!(file_uri_path("file:/tmp/x").unwrap(), PathBuf::from("/tmp/x"));
        assert_eq!(file_uri_path("file://localhost/tmp").unwrap(), PathBuf::from("/tmp"));
        assert!(file_uri_path("file://other/tmp").is_err());
    }

    #[test]
    fn unknown_schemes_are_refused_by_name() {
        let error = Location::open("hdfs://x/y").unwrap_err().to_string();
        assert!(error.contains("'hdfs'"), "{error}");
    }
}
