//! Which artifacts a storage may read and write. A server answers strangers with its own rights: its disk,
//! its keys of a cloud. So wherever experiments, runs and versions say that files lie, also those
//! that are in the database already, a server goes only to the roots that its owner named.

use std::path::{Path as FilePath, PathBuf};

use trainyard_mlflow::uri::without_credentials;
use trainyard_mlflow::{Error, ErrorCode, Result};
use trainyard_storage::Address;

use super::local::real_path;

/// Roots of artifacts, and what is no artifact wherever it lies.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    roots: Vec<Address>,
    private: Vec<PathBuf>,
}

impl Reach {
    /// Looks at the disk.
    pub(super) fn new(roots: Vec<Address>, private: Vec<PathBuf>) -> Self {
        let mut reach = Self { roots: Vec::new(), private };
        for root in roots {
            reach.add(root);
        }
        reach
    }

    /// Adds a root; a folder that is reached through symlinks also under its real name, for locations say
    /// the one or the other.
    fn add(&mut self, root: Address) {
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
        let address = Address::parse(uri).ok();
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
