//! Copying files with their digests.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use trainyard_base::file::{UNFINISHED, sync_folder};
use trainyard_mlflow::{Error, Result};

use super::checksums::Listed;
use super::places::Made;
use crate::error::invalid;

/// Folders within each other; artifacts are a handful deep.
const DEPTH_MAX: usize = 64;

/// Copies the files below `source` to `target`, which is made; `below` is how the list calls it. Symlinks are not
/// followed: the server does not follow them out of its folder either.
pub(super) fn copy_tree(source: &Path, target: &Path, below: &str) -> Result<(Vec<Listed>, Made)> {
    let (mut files, mut made) = (Vec::new(), Made::default());
    let mut pending = vec![(String::new(), 0)];
    while let Some((folder, depth)) = pending.pop() {
        if depth > DEPTH_MAX {
            return invalid!(
                "{} is more than {DEPTH_MAX} levels deep",
                source.join(&folder).display()
            );
        }
        let (from, to) = (source.join(&folder), target.join(&folder));
        std::fs::create_dir_all(&to).map_err(|error| Error::io(&to, error))?;
        let entries = match std::fs::read_dir(&from) {
            Ok(entries) => entries,
            // Removed since it was seen, or there are no artifacts yet.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io(&from, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(&from, error))?;
            let kind = entry.file_type().map_err(|error| Error::io(entry.path(), error))?;
            let Ok(name) = entry.file_name().into_string() else {
                return invalid!("{} has a name that is not UTF-8", entry.path().display());
            };
            let is_unfinished = name.starts_with('.') && name.ends_with(UNFINISHED);
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if kind.is_dir() {
                pending.push((path, depth + 1));
            } else if kind.is_file() && !is_unfinished {
                match copy(&entry.path(), &target.join(&path)) {
                    Ok((bytes, sha256)) => {
                        made.files += 1;
                        made.bytes += bytes;
                        files.push(Listed { path: format!("{below}/{path}"), sha256 });
                    }
                    Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            } else if !is_unfinished {
                tracing::warn!(path = %entry.path().display(), "no plain file: not copied");
            }
        }
        sync_folder(&to).map_err(|error| Error::io(&to, error))?;
    }
    Ok((files, made))
}

/// Copies a file durably to where none is; its bytes and their digest.
pub(super) fn copy(source: &Path, target: &Path) -> Result<(u64, String)> {
    let from = File::open(source).map_err(|error| Error::io(source, error))?;
    // What runs and models hold is for whoever the server lets in.
    let mut options = OpenOptions::new();
    let to = options.write(true).create_new(true).mode(0o600).open(target);
    let mut to = to.map_err(|error| Error::io(target, error))?;
    let read =
        digest(from, source, |part| to.write_all(part).map_err(|error| Error::io(target, error)))?;
    to.sync_all().map_err(|error| Error::io(target, error))?;
    Ok(read)
}

/// The bytes of a file and their digest, each part of which is passed on.
pub(super) fn digest(
    mut file: File,
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(u64, String)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer).map_err(|error| Error::io(path, error))?;
        let part = buffer.get(..count).unwrap_or_default();
        if part.is_empty() {
            return Ok((bytes, hex::encode(digest.finalize())));
        }
        digest.update(part);
        each(part)?;
        bytes += part.len() as u64;
    }
}
