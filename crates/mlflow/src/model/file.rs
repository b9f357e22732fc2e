//! Reading and writing the small files of a model folder, with limits and safe paths.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// The text of a file of the model folder, at most `bytes_max` of it.
///
/// The file must be one, and lie in the folder once links are followed: a pipe or a device would be read
/// for ever, and a link may lead to what is nobody's business.
pub(super) fn read_text(folder: &Path, relative: &str, bytes_max: u64) -> Result<String> {
    let path = &inside(folder, relative)?;
    let real = |path: &Path| path.canonicalize().map_err(|error| Error::io(path, error));
    if !real(path)?.starts_with(real(folder)?) {
        return Err(bad(path, "a link that leads out of the model folder"));
    }
    // Asked before it is opened: opening a pipe waits for whoever writes to it.
    let metadata = path.metadata().map_err(|error| Error::io(path, error))?;
    if !metadata.is_file() {
        return Err(bad(path, "not a file"));
    }
    if metadata.len() > bytes_max {
        return Err(bad(path, format!("larger than {bytes_max} bytes")));
    }
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let mut text = String::new();
    // One byte more than allowed, so that a file of exactly the limit passes.
    file.take(bytes_max + 1).read_to_string(&mut text).map_err(|error| Error::io(path, error))?;
    if text.len() as u64 > bytes_max {
        return Err(bad(path, format!("larger than {bytes_max} bytes")));
    }
    Ok(text)
}

/// Writes the file through a neighbour, so that it is there whole or not at all.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    std::fs::write(&partial, content).map_err(|error| Error::io(&partial, error))?;
    std::fs::rename(&partial, path).map_err(|error| Error::io(path, error))
}

/// `folder` joined with a path that a file of the folder names; it must stay inside.
pub(super) fn inside(folder: &Path, relative: &str) -> Result<PathBuf> {
    let path = Path::new(relative);
    let stays = !relative.is_empty()
        && !relative.contains('\0')
        && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if stays {
        Ok(folder.join(path))
    } else {
        Err(bad(folder, format!("the path {relative:?} leaves the model folder")))
    }
}

/// What is wrong with `path`.
pub(super) fn bad(path: &Path, reason: impl Into<String>) -> Error {
    Error::ModelFile { path: path.display().to_string(), reason: reason.into() }
}
