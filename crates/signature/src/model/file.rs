//! Reading and writing the small files of a model folder, with limits and safe paths.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// The file's text, at most `bytes_max` of it.
pub(super) fn read_text(folder: &Path, relative: &str, bytes_max: u64) -> Result<String> {
    let bytes = read_file(folder, relative, bytes_max)?;
    let bytes = bytes.ok_or_else(|| {
        Error::io(folder.join(relative), std::io::Error::from(ErrorKind::NotFound))
    })?;
    String::from_utf8(bytes).map_err(|_| bad(&folder.join(relative), "not UTF-8"))
}

/// Reads a file of a model folder, of at most `bytes_max`; `None` where there is none.
///
/// See [`open_file`] for what is refused.
pub fn read_file(folder: &Path, relative: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
    let path = folder.join(relative);
    let Some(file) = open_file(folder, relative)? else { return Ok(None) };
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a file of exactly the limit passes.
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io(&path, error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(bad(&path, format!("larger than {bytes_max} bytes")));
    }
    Ok(Some(bytes))
}

/// Opens a file of a model folder for reading; `None` where there is none.
///
/// A model folder comes from others. Only a regular file is opened: a pipe would never end, a device might
/// do anything. A link is followed only to what lies in the same folder.
pub fn open_file(folder: &Path, relative: &str) -> Result<Option<File>> {
    let path = inside(folder, relative)?;
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(&path, error)),
    };
    let root = folder.canonicalize().map_err(|error| Error::io(folder, error))?;
    if !real.starts_with(&root) {
        return Err(bad(&path, "a link that leads out of the model folder"));
    }
    let regular = |metadata: std::io::Result<std::fs::Metadata>| match metadata {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(bad(&path, "not a file")),
        Err(error) => Err(Error::io(&path, error)),
    };
    // Before it is opened, as opening a device can do something; and after, as it may be another by then.
    regular(real.symlink_metadata())?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;

        // A pipe is opened without waiting for its writer, and a link that came in between is not followed.
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32);
    }
    let file = options.open(&real).map_err(|error| Error::io(&path, error))?;
    regular(file.metadata())?;
    Ok(Some(file))
}

/// Writes a file of a folder that is being made: it is a model when its MLmodel, the last of them, is there.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    std::fs::write(path, content).map_err(|error| Error::io(path, error))
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
    Error::File { path: path.display().to_string(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_regular_files_of_the_folder_are_opened() {
        use std::os::unix::fs::symlink;

        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("model");
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        let at = |name: &str| folder.join(name);
        std::fs::write(at("file"), "12345").unwrap();
        std::fs::write(place.path().join("secret"), "secret").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("../file", at("sub/link")).unwrap();
        for (name, target) in [
            ("out", "../secret"),
            ("device", "/dev/zero"),
            ("tty", "/dev/tty"),
            ("sub/out", "../../secret"),
        ] {
            symlink(target, at(name)).unwrap();
        }
        symlink(place.path(), at("outside")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        symlink("pipe", at("to_pipe")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for name in ["file", "./file", "link", "sub/link"] {
            assert_eq!(read_file(&folder, name, 5).unwrap().unwrap(), b"12345", "{name}");
        }
        assert!(read_file(&folder, "file", 4).unwrap_err().to_string().contains("larger than 4"));
        assert!(read_file(&folder, "gone", 4).unwrap().is_none());
        for name in [
            "out",
            "device",
            "tty",
            "sub/out",
            "outside/secret",
            "pipe",
            "to_pipe",
            "sub",
            "loop",
            "../secret",
            "/etc/passwd",
            "",
            "a\0b",
        ] {
            assert!(open_file(&folder, name).is_err(), "{name} was opened");
        }
        // The folder itself may be reached by a link.
        symlink(&folder, place.path().join("alias")).unwrap();
        assert!(open_file(&place.path().join("alias"), "link").unwrap().is_some());
    }
}
