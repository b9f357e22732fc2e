//! Putting a backup back where nothing is: all of it is checked before anything is written.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use trainyard_base::file::sync_folder;
use trainyard_mlflow::{Error, Result};

use super::checksums::{self, LIST_BYTES_MAX, Listed};
use super::places::{ARTIFACTS, CHECKSUMS, Made, Places, REGISTRY, USERS};
use super::tree::{copy, digest};
use crate::error::invalid;
use crate::store::files_of;

/// Writes databases and artifacts of the backup in the folder `source` to where `places` says. There must be no
/// database yet, and no artifacts.
pub fn restore(places: &Places, source: &Path) -> Result<Made> {
    let files = listed(source)?;
    let targets = targets(places, &files)?;
    for file in &files {
        let path = source.join(&file.path);
        let opened = File::open(&path).map_err(|error| Error::io(&path, error))?;
        let (_bytes, found) = digest(opened, &path, |_part| Ok(()))?;
        if found != file.sha256 {
            return invalid!(
                "{} is not what was copied: its digest is {found}, {CHECKSUMS} says {}",
                path.display(),
                file.sha256
            );
        }
    }
    let mut made = Made::default();
    // Databases come last: a server finds rows only when their files are there.
    for (file, target) in targets.iter().rev() {
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
        }
        let (bytes, found) = copy(&source.join(&file.path), target)?;
        if found != file.sha256 {
            return invalid!("{} changed while it was read", source.join(&file.path).display());
        }
        if let Some(parent) = target.parent() {
            sync_folder(parent).map_err(|error| Error::io(parent, error))?;
        }
        made.files += 1;
        made.bytes += bytes;
    }
    Ok(made)
}

/// The files that a backup says it has.
fn listed(source: &Path) -> Result<Vec<Listed>> {
    let path = source.join(CHECKSUMS);
    let file = File::open(&path).map_err(|error| Error::io(&path, error))?;
    let mut text = String::new();
    let mut limited = file.take(LIST_BYTES_MAX);
    limited.read_to_string(&mut text).map_err(|error| Error::io(&path, error))?;
    checksums::read(&text)
}

/// Where each file goes, databases first.
fn targets<'f>(places: &Places, files: &'f [Listed]) -> Result<Vec<(&'f Listed, PathBuf)>> {
    let databases = places.databases()?;
    for (name, path) in &databases {
        if let Some(there) = files_of(path).find(|file| file.symlink_metadata().is_ok()) {
            return invalid!("{} is there already; move it away, then restore", there.display());
        }
        if !files.iter().any(|file| file.path == *name) {
            return invalid!("the backup has no {name}");
        }
    }
    let artifacts = places.artifacts()?;
    let has_artifacts = files.iter().any(|file| file.path.starts_with(ARTIFACTS));
    if let Some(folder) = artifacts.as_ref().filter(|_| has_artifacts) {
        let is_empty =
            std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
        if !is_empty {
            return invalid!("{} is not empty; move it away, then restore", folder.display());
        }
    }
    let mut targets = Vec::new();
    for file in files {
        let database = databases.iter().find(|(name, _)| file.path == *name);
        let artifact = file.path.strip_prefix(ARTIFACTS).and_then(|path| path.strip_prefix('/'));
        match (database, artifact, &artifacts) {
            (Some((_, path)), ..) => targets.push((file, path.clone())),
            (None, Some(path), Some(folder)) => targets.push((file, folder.join(path))),
            // --no-artifacts
            (None, Some(_), None) => {}
            (None, None, _) if file.path == REGISTRY => {
                return invalid!(
                    "the backup has a {REGISTRY}; --registry-store-uri says where it goes"
                );
            }
            (None, None, _) if file.path == USERS => {
                return invalid!(
                    "the backup has a {USERS}; --app-name basic-auth puts it where the server's settings say"
                );
            }
            (None, None, _) => {
                return invalid!("the backup has {:?}, which is no part of one", file.path);
            }
        }
    }
    Ok(targets)
}
