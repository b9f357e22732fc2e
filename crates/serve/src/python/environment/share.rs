//! Files that two environments have are one file: hard links.
//!
//! uv links from its cache by itself; what pip wrote is compared byte by byte and linked here. Whichever did it, what
//! Python has compiled of the files is linked too, so that a second environment does not compile again: Python takes
//! a compiled file by time and size of its source, which are the same. Nobody writes into installed files; what
//! replaces one is a new file.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{Read as _, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::contents;

/// Bytes that are compared at once.
const CHUNK: usize = 64 << 10;

/// How what is compiled of a module is called: `__pycache__/core.cpython-311.pyc`.
const COMPILED: &str = "__pycache__";

/// What has been done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shared {
    /// Files that are the other's, those that were before among them.
    pub(super) files: u64,
    /// Bytes that are freed by it.
    pub(super) bytes: u64,
}

/// Of these environments the one that has most of what another has, of the same version of Python.
pub(super) fn donor(others: impl Iterator<Item = PathBuf>, environment: &Path) -> Option<PathBuf> {
    let packages = contents::packages(environment)?;
    let mine: HashSet<String> = contents::descriptions(&packages).ok()?.into_iter().collect();
    let common = |other: &Path| -> Option<usize> {
        let theirs = contents::packages(other)?;
        let same_python = theirs.parent()?.file_name() == packages.parent()?.file_name();
        let names = contents::descriptions(&theirs).ok()?;
        same_python.then(|| names.iter().filter(|name| mine.contains(*name)).count())
    };
    let counted = others.filter_map(|other| Some((common(&other)?, other)));
    counted.max().filter(|(count, _)| *count > 0).map(|(_, other)| other)
}

/// Has an environment share what it can with another one.
pub(super) fn share(donor: &Path, environment: &Path) -> Result<Shared> {
    let mut shared = Shared::default();
    let (Some(from), Some(to)) = (contents::packages(donor), contents::packages(environment))
    else {
        return Ok(shared);
    };
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut sources = HashSet::new();
        for entry in std::fs::read_dir(to.join(&folder))? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            let path = folder.join(&name);
            if kind.is_dir() && name != COMPILED && from.join(&path).is_dir() {
                folders.push(path);
            } else if kind.is_file() && one_file(&from.join(&path), &to.join(&path), &mut shared)? {
                sources.insert(name);
            }
        }
        share_compiled(&from.join(&folder), &to.join(&folder), &sources)?;
    }
    Ok(shared)
}

/// Makes two equal files one; whether they are one now.
fn one_file(donor: &Path, mine: &Path, shared: &mut Shared) -> Result<bool> {
    let Ok(theirs) = std::fs::symlink_metadata(donor) else { return Ok(false) };
    let ours = std::fs::symlink_metadata(mine)?;
    let is_one = (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino());
    if !is_one {
        if !could_be_one(&theirs, &ours) || !same_bytes(donor, mine)? {
            return Ok(false);
        }
        let mut hidden = mine.as_os_str().to_owned();
        hidden.push(".link");
        std::fs::hard_link(donor, &hidden)?;
        std::fs::rename(&hidden, mine)?;
        if ours.nlink() == 1 {
            shared.bytes += ours.blocks() * 512;
        }
    }
    shared.files += 1;
    Ok(true)
}

fn could_be_one(theirs: &Metadata, ours: &Metadata) -> bool {
    let of = |file: &Metadata| (file.is_file(), file.dev(), file.len(), file.mode(), file.uid());
    theirs.is_file() && of(theirs) == of(ours)
}

fn same_bytes(one: &Path, other: &Path) -> Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        let part = right.get_mut(..count).unwrap_or_default();
        if other.read_exact(part).is_err() || left.get(..count) != Some(&*part) {
            return Ok(false);
        }
    }
}

/// Links what is compiled of these modules.
fn share_compiled(from: &Path, to: &Path, sources: &HashSet<OsString>) -> Result<()> {
    let (from, to) = (from.join(COMPILED), to.join(COMPILED));
    let Ok(compiled) = std::fs::read_dir(&from) else { return Ok(()) };
    for entry in compiled.flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let source = text.split_once('.').map(|(module, _)| OsString::from(format!("{module}.py")));
        let is_theirs = source.is_some_and(|source| sources.contains(&source));
        // One that is half-written has another ending.
        if is_theirs && text.ends_with(".pyc") && entry.file_type()?.is_file() {
            std::fs::create_dir_all(&to)?;
            match std::fs::hard_link(entry.path(), to.join(&name)) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(error);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir_in(std::env::temp_dir()).unwrap();
        for (name, text) in files {
            let path = folder.path().join("lib/python3.11/site-packages").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn equal_files_become_one_with_what_is_compiled_of_them() {
        let one = environment(&[
            ("a/core.py", "x = 1"),
            ("a/__pycache__/core.cpython-311.pyc", "compiled"),
            ("a/other.py", "x = 1"),
            ("a/__pycache__/other.cpython-311.pyc", "compiled"),
            ("a-1.dist-info/RECORD", "a"),
        ]);
        let two = environment(&[
            ("a/core.py", "x = 1"),
            ("a/other.py", "x = 2"),
            ("a/mine.py", "x = 1"),
            ("a-1.dist-info/RECORD", "b"),
        ]);
        let far = environment(&[("b-1.dist-info/RECORD", "a")]);
        let others = [far.path().to_owned(), one.path().to_owned()];
        assert_eq!(donor(others.into_iter(), two.path()).unwrap(), one.path());
        assert_eq!(donor([far.path().to_owned()].into_iter(), two.path()), None);
        let shared = share(one.path(), two.path()).unwrap();
        assert_eq!(shared.files, 1);
        assert!(shared.bytes > 0);
        let meta = |folder: &tempfile::TempDir, name: &str| {
            std::fs::metadata(folder.path().join("lib/python3.11/site-packages/a").join(name))
        };
        for name in ["core.py", "__pycache__/core.cpython-311.pyc"] {
            assert_eq!(meta(&one, name).unwrap().ino(), meta(&two, name).unwrap().ino(), "{name}");
        }
        let other = two.path().join("lib/python3.11/site-packages/a/other.py");
        assert_eq!(std::fs::read_to_string(other).unwrap(), "x = 2");
        // A stale one would be taken for that of the source beside it.
        assert!(meta(&two, "__pycache__/other.cpython-311.pyc").is_err());
        assert_eq!(share(one.path(), two.path()).unwrap(), Shared { files: 1, bytes: 0 });
    }
}
