//! Copying the files of a model folder, and what they are by their digests.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trainyard_base::file::sync_folder;

use crate::private_files;

/// Folders within each other; a model's are two or three deep.
const DEPTH_MAX: usize = 32;

/// A file of a model folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CopiedFile {
    /// Below the folder, with `/` between.
    pub(super) path: String,
    pub(super) bytes: u64,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

/// Copies every file below `source` into `target`, which is there, durably. Links are what they lead to.
pub(super) fn copy_folder(source: &Path, target: &Path) -> Result<Vec<CopiedFile>> {
    let mut files = Vec::new();
    let mut pending = vec![(String::new(), 0)];
    while let Some((below, depth)) = pending.pop() {
        if depth > DEPTH_MAX {
            return Err(Error::new(ErrorKind::InvalidData, format!("{below} is too deep")));
        }
        private_files::folder(&target.join(&below))?;
        for entry in std::fs::read_dir(source.join(&below))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(Error::new(ErrorKind::InvalidData, "a name that is not UTF-8"));
            };
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if std::fs::metadata(entry.path())?.is_dir() {
                pending.push((path, depth + 1));
                continue;
            }
            let (bytes, sha256) = copy(&entry.path(), &target.join(&path), Durable::Yes)?;
            files.push(CopiedFile { path, bytes, sha256 });
        }
        sync_folder(&target.join(&below))?;
    }
    Ok(files)
}

/// Copies a file, which must be what it was when it was written down.
pub(super) fn copy_checked(source: &Path, target: &Path, file: &CopiedFile) -> Result<()> {
    let damaged = |what: String| Err(Error::new(ErrorKind::InvalidData, what));
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if file.path.is_empty() || !Path::new(&file.path).components().all(is_plain) {
        return damaged(format!("{:?} leaves the folder", file.path));
    }
    let to = target.join(&file.path);
    if let Some(parent) = to.parent() {
        private_files::folder(parent)?;
    }
    let (bytes, sha256) = copy(&source.join(&file.path), &to, Durable::No)?;
    if bytes != file.bytes || sha256 != file.sha256 {
        return damaged(format!(
            "{} has {bytes} bytes and the digest {sha256}, it had {} and {} when it was kept",
            file.path, file.bytes, file.sha256
        ));
    }
    Ok(())
}

/// Whether a copy must outlive the power.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durable {
    Yes,
    No,
}

/// Copies a file that is not there yet; its bytes and their digest.
fn copy(source: &Path, target: &Path, durable: Durable) -> Result<(u64, String)> {
    let named = |path: &Path, error: Error| {
        Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    let mut from = File::open(source).map_err(|error| named(source, error))?;
    let mut to = private_files::file(target).map_err(|error| named(target, error))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = from.read(&mut buffer).map_err(|error| named(source, error))?;
        let part = buffer.get(..count).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        digest.update(part);
        to.write_all(part).map_err(|error| named(target, error))?;
        bytes += part.len() as u64;
    }
    if durable == Durable::Yes {
        to.sync_all().map_err(|error| named(target, error))?;
    }
    Ok((bytes, hex::encode(digest.finalize())))
}
