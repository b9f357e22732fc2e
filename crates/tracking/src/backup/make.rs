//! Making a backup. It is made hidden beside its place, and has its name when it is whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use trainyard_base::file::{self, Access, UNFINISHED};
use trainyard_mlflow::{Error, Result};

use super::checksums::{self, Listed};
use super::places::{ARTIFACTS, CHECKSUMS, Made, Places};
use super::tree::{copy_tree, digest};
use crate::error::invalid;

/// How long to wait where something has the database for itself.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Copies databases and artifacts into the folder `target`, which must not be there yet. The server may run.
pub fn make(places: &Places, target: &Path) -> Result<Made> {
    let (databases, artifacts) = (places.databases()?, places.artifacts()?);
    let target = std::path::absolute(target).map_err(|error| Error::io(target, error))?;
    if target.symlink_metadata().is_ok() {
        return invalid!("{} is there already; a backup is a folder of its own", target.display());
    }
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return invalid!("{} cannot be a folder of a backup", target.display());
    };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if artifacts.as_ref().is_some_and(|folder| real(parent).starts_with(real(folder))) {
        return invalid!("{} is among the artifacts: a backup would hold itself", target.display());
    }
    let hidden =
        format!(".{}.{}{UNFINISHED}", name.to_string_lossy(), uuid::Uuid::new_v4().simple());
    let unfinished = Unfinished(parent.join(hidden));
    let folder = &unfinished.0;
    std::fs::create_dir(folder).map_err(|error| Error::io(folder, error))?;

    let (mut files, mut made) = (Vec::new(), Made::default());
    for (name, database) in databases {
        let copy = folder.join(name);
        // Hashes of passwords are nobody's business, and what is in the others is for whoever the server lets in.
        file::replace(&copy, b"", Access::Private).map_err(|error| Error::io(&copy, error))?;
        let (bytes, sha256) = snapshot(&database, &copy)?;
        made.files += 1;
        made.bytes += bytes;
        files.push(Listed { path: name.to_owned(), sha256 });
    }
    if let Some(artifacts) = artifacts {
        let (copied, tree) = copy_tree(&artifacts, &folder.join(ARTIFACTS), ARTIFACTS)?;
        made.files += tree.files;
        made.bytes += tree.bytes;
        files.extend(copied);
    }
    let list = folder.join(CHECKSUMS);
    file::replace(&list, checksums::write(&files).as_bytes(), Access::Private)
        .map_err(|error| Error::io(&list, error))?;
    std::fs::rename(folder, &target).map_err(|error| Error::io(&target, error))?;
    file::sync_folder(parent).map_err(|error| Error::io(parent, error))?;
    Ok(made)
}

/// A folder that goes away unless it got its name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _renamed = std::fs::remove_dir_all(&self.0);
    }
}

/// Between the name of a database and the version that a copy of it has.
const BEFORE: &str = ".before-upgrade-";

/// Copies one database beside itself, before it is no more of the schema version `version`. Nothing is written over.
pub(crate) fn beside(database: &Path, version: &str) -> Result<PathBuf> {
    let failed = |error| Error::io(database, error);
    let named = |end: &str| {
        let mut name = database.as_os_str().to_owned();
        name.push(format!("{BEFORE}{version}{end}"));
        PathBuf::from(name)
    };
    let mut target = named("");
    let mut number = 1;
    while target.symlink_metadata().is_ok() {
        number += 1;
        target = named(&format!("-{number}"));
    }
    // Whole when it has its name; whoever may not read the database may not read this, also while it is written.
    let unfinished = named(&format!(".{}{UNFINISHED}", uuid::Uuid::new_v4().simple()));
    file::replace(&unfinished, b"", Access::Private).map_err(failed)?;
    let made = snapshot(database, &unfinished).and_then(|_digest| {
        let permissions = database.metadata().map_err(failed)?.permissions();
        std::fs::set_permissions(&unfinished, permissions).map_err(failed)?;
        std::fs::rename(&unfinished, &target).map_err(failed)?;
        file::sync_folder(target.parent().unwrap_or(Path::new("/"))).map_err(failed)
    });
    if made.is_err() {
        let _renamed = std::fs::remove_file(&unfinished);
    }
    made.map(|()| target)
}

/// The copies of a database that [`beside`] has made.
pub(crate) fn copies_beside(database: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (database.parent(), database.file_name()) else {
        return Vec::new();
    };
    let beginning = format!("{}{BEFORE}", name.to_string_lossy());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_copy =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&beginning);
    entries.filter(is_copy).map(|entry| entry.path()).collect()
}

/// Copies a database as it is at one moment. Whoever writes goes on meanwhile.
fn snapshot(database: &Path, target: &Path) -> Result<(u64, String)> {
    let failed = |error: rusqlite::Error| {
        Error::internal(format!("{} cannot be copied: {error}", database.display()))
    };
    if !database.is_file() {
        return invalid!("there is no database at {}", database.display());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(database, flags).map_err(failed)?;
    source.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let Some(path) = target.to_str() else {
        return invalid!("{} is not UTF-8", target.display());
    };
    source.execute("VACUUM INTO ?1", [path]).map_err(failed)?;
    let copy = std::fs::File::open(target).map_err(|error| Error::io(target, error))?;
    copy.sync_all().map_err(|error| Error::io(target, error))?;
    digest(copy, target, |_part| Ok(()))
}
