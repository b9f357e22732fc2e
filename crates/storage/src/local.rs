//! Folders of this machine.

use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::place::Place;

/// The path from the root of the disk. What climbs is refused: a path that is compared with a root must
/// mean what it says.
pub(crate) fn absolute(path: &FilePath) -> Result<PathBuf> {
    let shown = || path.display().to_string();
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(Error::uri(&shown(), "a NUL is in the path"));
    }
    let local = std::path::absolute(path)
        .map_err(|source| Error::Path { path: path.to_owned(), source })?;
    if is_plain(&local) {
        // Without the slashes and dots that mean nothing.
        Ok(local.components().collect())
    } else {
        Err(Error::uri(&shown(), "'..' is in the path"))
    }
}

/// Whether each part of a path is a name.
fn is_plain(path: &FilePath) -> bool {
    path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

pub(crate) fn place(local: PathBuf) -> Result<Place> {
    let path = Path::from_absolute_path(&local)
        .map_err(|error| Error::uri(&local.display().to_string(), error.to_string()))?;
    // What was acknowledged is on the disk.
    let store = LocalFileSystem::new().with_fsync(true);
    Ok(Place { store: Arc::new(store), direct: None, path, local: Some(local) })
}

pub(crate) fn file_uri_path(uri: &str) -> Result<PathBuf> {
    let rest = uri.get("file:".len()..).unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        Some(authority) => match authority.split_once('/') {
            Some(("" | "localhost", path)) => format!("/{path}"),
            _ => {
                return Err(Error::uri(
                    uri,
                    "file URIs must be absolute and of this machine (file:///path)",
                ));
            }
        },
        None => rest.to_owned(),
    };
    let decoded = percent_decode_str(&path)
        .decode_utf8()
        .map_err(|_not_utf8| Error::uri(uri, "the file URI does not decode to UTF-8"))?;
    Ok(PathBuf::from(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_uris_are_local_paths() {
        assert_eq!(file_uri_path("file:///tmp/a%20b").unwrap(), PathBuf::from("/tmp/a b"));
        assert_eq!(file_uri_path("file:/tmp/x").unwrap(), PathBuf::from("/tmp/x"));
        assert_eq!(file_uri_path("file://localhost/tmp").unwrap(), PathBuf::from("/tmp"));
        assert!(file_uri_path("file://other/tmp").is_err());
    }
}
