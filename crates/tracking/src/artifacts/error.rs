//! What failures of a disk or a bucket are to clients.

use std::io::ErrorKind;

use object_store::path::Path as StorePath;
use trainyard_mlflow::Error;

/// Why a place cannot be opened.
pub(super) fn location_error(error: trainyard_storage::Error) -> Error {
    match error {
        // What the operator set wrong is not the client's business.
        error @ trainyard_storage::Error::Settings { .. } => Error::internal(error.to_string()),
        error => Error::invalid(error.to_string()),
    }
}

/// Nothing can be at this path: it leads through a file, or a name in it is too long for the disk.
pub(super) fn is_nowhere(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

/// Upstream's 404 for a file.
pub(super) fn no_such_artifact(name: &str) -> Error {
    Error::not_found(format!("No such artifact: '{name}'"))
}

/// Whether there is no such object.
pub(super) fn is_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
        || disk_error(error).is_some_and(|error| is_nowhere(error.kind()))
}

/// What the disk said, below what the store makes of it.
fn disk_error(error: &object_store::Error) -> Option<&std::io::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut found = None;
    while let Some(error) = cause {
        found = error.downcast_ref().or(found);
        cause = error.source();
    }
    found
}

/// What a storage refuses is never the caller's fault, except a path that cannot be one.
pub(super) fn storage(path: &StorePath, error: &object_store::Error) -> Error {
    match error {
        object_store::Error::InvalidPath { .. } => return Error::invalid("Invalid path"),
        object_store::Error::NotFound { .. } => return no_such_artifact(path.as_ref()),
        _ => {}
    }
    let Some(disk) = disk_error(error) else {
        // `Internal`: what a cloud or its metadata service answered is not for clients.
        return Error::internal(format!("artifact storage: {error}"));
    };
    match disk.kind() {
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Error::invalid("Invalid path: a part of it is a file")
        }
        ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty => {
            Error::invalid("Invalid path: it is a directory")
        }
        ErrorKind::InvalidFilename => Error::invalid("Invalid path: a name in it is too long"),
        _ => {
            // The log says where; clients need not know how the server's disk looks.
            tracing::error!(%path, %error, "artifact storage failed");
            Error::internal(format!("artifact storage: {disk}"))
        }
    }
}
