//! Whether a model folder holds files and folders, and nothing else. Reading a named pipe waits for ever, and a
//! device may never end.

use std::fs::Metadata;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use crate::error::{Error, Result};

/// Entries of a model folder: a large one has some thousand.
const ENTRIES_MAX: usize = 100_000;

/// Folders within each other; a link to a folder above would have no end.
const DEPTH_MAX: usize = 32;

/// Looks at every entry of the folder; links are what they lead to.
pub(crate) fn check(folder: &Path) -> Result<()> {
    let refused = |path: &Path, what: &str| {
        let path = path.strip_prefix(folder).unwrap_or(path);
        Error::Folder { reason: format!("{} {what}", path.display()) }
    };
    let io = |path: &Path, source| Error::Io { path: path.to_owned(), source };
    let mut entries = 0;
    let mut pending = vec![(folder.to_owned(), 0)];
    while let Some((path, depth)) = pending.pop() {
        entries += 1;
        if entries > ENTRIES_MAX || depth > DEPTH_MAX {
            return Err(refused(&path, "is beyond what a model folder may hold"));
        }
        let about = match std::fs::metadata(&path) {
            Ok(about) => about,
            // Whoever needs what is not there says so.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io(&path, error)),
        };
        if about.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(|error| io(&path, error))? {
                let entry = entry.map_err(|error| io(&path, error))?;
                pending.push((entry.path(), depth + 1));
            }
        } else if let Some(what) = special(&about) {
            return Err(refused(&path, what));
        }
    }
    Ok(())
}

/// What it is, if it is no plain file.
fn special(about: &Metadata) -> Option<&'static str> {
    let kind = about.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_fifo() => Some("is a named pipe"),
        () if kind.is_socket() => Some("is a socket"),
        () => Some("is a device"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_files_and_folders_are_a_model() {
        let made = || {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("data")).unwrap();
            std::fs::write(folder.path().join("data/model.bin"), "x").unwrap();
            symlink("data/model.bin", folder.path().join("linked")).unwrap();
            symlink("nowhere", folder.path().join("dangling")).unwrap();
            folder
        };
        assert!(check(made().path()).is_ok());
        assert!(check(Path::new("/no/such/folder")).is_ok());
        let told = |folder: &tempfile::TempDir| check(folder.path()).unwrap_err().to_string();

        let folder = made();
        let made_fifo =
            std::process::Command::new("mkfifo").arg(folder.path().join("data/f")).status();
        assert!(made_fifo.unwrap().success());
        assert!(told(&folder).ends_with("data/f is a named pipe"), "{}", told(&folder));
        let folder = made();
        let _socket = UnixListener::bind(folder.path().join("s")).unwrap();
        assert!(told(&folder).ends_with("s is a socket"));
        let folder = made();
        symlink("/dev/zero", folder.path().join("z")).unwrap();
        assert!(told(&folder).ends_with("z is a device"));
        let folder = made();
        symlink("..", folder.path().join("data/up")).unwrap();
        assert!(told(&folder).contains("beyond"));
    }
}
