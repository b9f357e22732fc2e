//! Files and folders of what clients sent and were answered: for this user and nobody else.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a folder and those above it, where they are missing. Folders that are there stay as they are.
pub(crate) fn folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file that is not there, for appending.
pub(crate) fn file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)
}
