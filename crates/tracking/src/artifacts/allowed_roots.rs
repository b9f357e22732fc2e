//! Which artifacts a storage may read and write. A server answers strangers with its own rights: its disk,
//! its keys of a cloud. So wherever experiments, runs and versions say that files lie, also those
//! that are in the database already, a server goes only to the roots that its owner named.

use std::path::{Component, Path as FilePath, PathBuf};

use trainyard_mlflow::uri::without_credentials;
use trainyard_mlflow::{Error, ErrorCode, Result};
use trainyard_storage::{Address, scheme};

use super::error::location_error;
use super::real_path::real_path;

/// Roots of artifacts, and what is no artifact wherever it lies.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    roots: Vec<Address>,
    climbing: Vec<Climbing>,
    private: Vec<PathBuf>,
}

/// A folder that its owner wrote with `..`: upstream puts it so into locations.
#[derive(Debug, Clone)]
struct Climbing {
    written: String,
    real: String,
}

impl Climbing {
    /// A location below this folder without the folder's `..`; what climbs after it stays.
    fn without(&self, uri: &str) -> Option<String> {
        let rest = uri.strip_prefix(self.written.as_str())?;
        let is_below = rest.is_empty() || rest.starts_with('/');
        is_below.then(|| format!("{}{rest}", self.real))
    }
}

impl Reach {
    /// No roots yet.
    pub(super) fn new(private: Vec<PathBuf>) -> Self {
        Self { roots: Vec::new(), climbing: Vec::new(), private }
    }

    /// Adds a root as its owner wrote it: a URI, or a path that may have `..` in it. Looks at the disk.
    pub(super) fn add_written(&mut self, root: &str) -> Result<()> {
        let path = FilePath::new(root);
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if scheme(root).is_some() || !climbs {
            self.add(Address::parse(root).map_err(location_error)?);
            return Ok(());
        }
        // Behind a symlink `..` is another folder than it seems: only the disk knows.
        let real = real_path(path)
            .ok_or_else(|| Error::invalid(format!("'{root}' is not a folder that can be")))?;
        let written = root.trim_end_matches('/').to_owned();
        self.climbing.push(Climbing { written, real: real.display().to_string() });
        self.add(Address::Local(real));
        Ok(())
    }

    /// Adds a root; a folder that is reached through symlinks also under its real name, for locations say
    /// the one or the other.
    pub(super) fn add(&mut self, root: Address) {
        if let Address::Local(folder) = &root
            && let Some(real) = real_path(folder)
            && real != *folder
        {
            self.roots.push(Address::Local(real));
        }
        self.roots.push(root);
    }

    /// The one answer to whether a location may be touched: the place it names, or an error that is the
    /// same whatever is there. Neither the disk nor a cloud is asked before it.
    pub(super) fn check(&self, uri: &str) -> Result<Address> {
        let plain = self.climbing.iter().find_map(|root| root.without(uri));
        let address = Address::parse(plain.as_deref().unwrap_or(uri)).ok();
        let allowed =
            address.filter(|address| self.roots.iter().any(|root| root.contains(address)));
        // What cannot be read is below no root.
        allowed.ok_or_else(|| outside(uri))
    }

    /// Whether a file or folder of this machine, as it is called with all symlinks followed, is below a
    /// root and no private file. A symlink may lead from one root into another: both may be touched.
    /// Looks at the disk.
    pub(super) fn holds(&self, real: &FilePath) -> bool {
        let mut roots = self.folders().filter_map(real_path);
        roots.any(|root| real.starts_with(root))
            && !self.private_files().any(|private| private == real)
    }

    /// The roots that are folders of this machine.
    fn folders(&self) -> impl Iterator<Item = &FilePath> {
        self.roots.iter().filter_map(|root| match root {
            Address::Local(folder) => Some(folder.as_path()),
            Address::Bucket { .. } => None,
        })
    }

    /// The private files as they really lie, and the symlinks that lead to them.
    pub(super) fn private_files(&self) -> impl Iterator<Item = PathBuf> {
        self.private.iter().flat_map(|file| places(file))
    }

    /// Whether removing a place would take a root or a private file with it. Looks at the disk.
    pub(super) fn needs(&self, place: &Address) -> bool {
        // Names are compared as well as places: a root may be a symlink in a folder that is one.
        if self.roots.iter().any(|root| place.contains(root)) {
            return true;
        }
        let Address::Local(file) = place else { return false };
        // Of a symlink only itself is removed, not what it leads to.
        let Some(removed) = own_place(file) else { return true };
        let mut kept = self.private_files().chain(self.folders().flat_map(places));
        kept.any(|kept| kept.starts_with(&removed))
    }
}

/// Where a file really lies, and where its name does: another place if it is a symlink.
fn places(file: &FilePath) -> impl Iterator<Item = PathBuf> + use<> {
    [real_path(file), own_place(file)].into_iter().flatten()
}

/// The path with the symlinks on the way followed, and not the one that it may itself be.
fn own_place(file: &FilePath) -> Option<PathBuf> {
    Some(real_path(file.parent()?)?.join(file.file_name()?))
}

fn outside(uri: &str) -> Error {
    Error::api(
        ErrorCode::PermissionDenied,
        format!(
            "this server reads and writes no artifacts at '{}': that is outside of its artifact roots. \
             Its owner can add a root with --allowed-artifact-root; clients can go there themselves.",
            without_credentials(uri)
        ),
    )
}
