//! Files that are there whole or not at all, and stay when the machine loses its power.
//!
//! A file is written beside its place under a hidden name, synced, renamed into its place, and the folder
//! is synced: only then is the name on the disk too. Whoever is killed on the way leaves the old file as
//! it was, and at worst a hidden one beside it that nobody reads, and that the next replacement removes.
//!
//! Which hidden files still have a writer is told by a lock (`flock`), which the kernel lets go when the
//! writer is gone however it ended: ids of processes mean nothing in another container.

use std::ffi::OsStr;
use std::fs::{File, Permissions, TryLockError};
use std::io::{Error, Result, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How hidden files in the making end.
pub const UNFINISHED: &str = ".tmp";

/// Characters of the final name that the hidden one begins with: names have 255 bytes at most.
const NAME_CHARS_MAX: usize = 48;

/// How often a new hidden file is made when another process takes it for one that was left, in the moment
/// between its creation and its lock. Each time is a coincidence.
const ATTEMPTS_MAX: usize = 10;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// This user alone.
    Private,
    /// Whoever the umask lets.
    Usual,
}

/// Replaces a file by these bytes, durably. Its folder must be there. Hidden files that killed processes
/// left when they replaced it are removed.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<()> {
    remove_left(path);
    let mut new = NewFile::beside(path, access)?;
    new.file().write_all(bytes)?;
    new.put_in_place()
}

/// A file in the making. It is removed if it is dropped before it is [put in place](Self::put_in_place).
#[derive(Debug)]
pub struct NewFile {
    hidden: NamedTempFile,
    path: PathBuf,
}

impl NewFile {
    /// An empty file in the folder of `path`, which is to become `path`.
    pub fn beside(path: &Path, access: Access) -> Result<Self> {
        let mode = match access {
            Access::Private => 0o600,
            Access::Usual => 0o666,
        };
        for _attempt in 0..ATTEMPTS_MAX {
            let hidden = tempfile::Builder::new()
                .prefix(&hidden_prefix(path))
                .suffix(UNFINISHED)
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(folder_of(path))?;
            if is_ours(hidden.as_file())? {
                return Ok(Self { hidden, path: path.to_owned() });
            }
        }
        Err(Error::other("others remove each new file before it is written"))
    }

    /// The file, to be written.
    pub fn file(&mut self) -> &mut File {
        self.hidden.as_file_mut()
    }

    /// Makes it durable under its name, in the place of what was there.
    pub fn put_in_place(self) -> Result<()> {
        self.hidden.as_file().sync_all()?;
        self.hidden.persist(&self.path).map_err(|error| error.error)?;
        sync_folder(folder_of(&self.path))
    }
}

/// Locks a new file; whether it is still there then.
fn is_ours(file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(file.metadata()?.nlink() > 0),
        Err(TryLockError::WouldBlock) => Ok(false),
        // A file system without locks; nobody removes anything there either.
        Err(TryLockError::Error(_)) => Ok(true),
    }
}

/// Removes hidden files beside `path` that were to become it and whose writer is gone. What cannot be
/// removed stays for the next time: they cost room on the disk, and nothing else.
fn remove_left(path: &Path) {
    let prefix = hidden_prefix(path);
    let is_hidden = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.starts_with(prefix.as_bytes()) && name.ends_with(UNFINISHED.as_bytes())
    };
    let Ok(entries) = std::fs::read_dir(folder_of(path)) else { return };
    for entry in entries.flatten().filter(|entry| is_hidden(&entry.file_name())) {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file {
            remove_if_left(&entry.path());
        }
    }
}

/// Removes a hidden file whose writer is gone; whether it did. Where the file system has no locks, nobody can tell,
/// and it stays.
pub fn remove_if_left(hidden: &Path) -> bool {
    // Locked until it is removed, so that nobody begins to write it meanwhile.
    File::open(hidden)
        .is_ok_and(|file| file.try_lock().is_ok() && std::fs::remove_file(hidden).is_ok())
}

/// How the names of hidden files begin that are to become `path`.
fn hidden_prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    format!(".{name}.")
}

/// Makes durable which names a folder has.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        replace(&path, b"old", Access::Usual).unwrap();
        replace(&path, b"new", Access::Private).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!((names(folder.path()), mode(&path)), (vec!["state.json".to_owned()], 0o600));
        // As long a name as there may be.
        replace(&folder.path().join("ä".repeat(127)), b"", Access::Usual).unwrap();
    }

    #[test]
    fn what_fails_on_the_way_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        replace(&path, b"old", Access::Usual).unwrap();
        let mut half = NewFile::beside(&path, Access::Usual).unwrap();
        half.file().write_all(b"ne").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(half);
        // A rename that fails: a folder with something in it is in the way.
        let taken = folder.path().join("taken");
        std::fs::create_dir_all(taken.join("x")).unwrap();
        replace(&taken, b"new", Access::Usual).unwrap_err();
        replace(&folder.path().join("none/x"), b"new", Access::Usual).unwrap_err();
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, ["state.json", "taken"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn what_has_no_writer_any_more_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut half = NewFile::beside(&path, Access::Usual).unwrap();
        half.file().write_all(b"half").unwrap();
        for left in [".state.json.Xa81bC.tmp", ".other.json.Xa81bC.tmp", "state.json.tmp"] {
            std::fs::write(folder.path().join(left), "left").unwrap();
        }
        replace(&path, b"new", Access::Usual).unwrap();
        let mut there = names(folder.path());
        there.sort();
        assert_eq!(there.len(), 4, "{there:?}");
        assert!(!there.contains(&".state.json.Xa81bC.tmp".to_owned()), "{there:?}");
        // Whoever was writing beside it is not disturbed.
        half.put_in_place().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"half");
    }

    #[test]
    fn several_replace_one_file_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::thread::scope(|scope| {
            for letter in [b'a', b'b', b'c'] {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        replace(path, &[letter; 4096], Access::Usual).unwrap();
                    }
                });
            }
        });
        assert_eq!(names(folder.path()), ["state"]);
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() == 4096 && bytes.iter().all(|byte| *byte == bytes[0]));
    }

    /// The file that a child of [`a_killed_process_leaves_a_whole_file`] replaces until it is killed.
    const VICTIM: &str = "TRAINYARD_TEST_REPLACED_FILE";
    const LENGTH: usize = 300_000;

    #[test]
    fn a_child_replaces_until_it_is_killed() {
        let Some(path) = std::env::var_os(VICTIM) else { return };
        for letter in (b'a'..=b'z').cycle() {
            replace(Path::new(&path), &vec![letter; LENGTH], Access::Usual).unwrap();
        }
    }

    #[test]
    fn a_killed_process_leaves_a_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        replace(&path, &vec![b'-'; LENGTH], Access::Usual).unwrap();
        for round in 0..8 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "file::tests::a_child_replaces_until_it_is_killed"])
                .env(VICTIM, &path)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            // Killed wherever it is, after it has begun.
            let before = std::fs::metadata(&path).unwrap().modified().unwrap();
            while std::fs::metadata(&path).unwrap().modified().unwrap() == before {
                assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(round));
            child.kill().unwrap();
            child.wait().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes.len(), LENGTH);
            assert!(bytes.iter().all(|byte| *byte == bytes[0]), "two states in one file");
            let hidden = |name: &String| name.starts_with(".state.") && name.ends_with(UNFINISHED);
            let left = names(folder.path());
            assert!(left.iter().all(|name| name == "state" || hidden(name)));
            assert!(left.len() <= 2, "those killed before left theirs: {left:?}");
        }
        replace(&path, b"last", Access::Usual).unwrap();
        assert_eq!(names(folder.path()), ["state"]);
    }
}
