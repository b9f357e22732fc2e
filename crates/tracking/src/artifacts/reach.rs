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
    pub(super) fn new(roots: Vec<Address>, private: Vec<PathBuf>) -> Self {
        Self { roots, private }
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

    /// Whether a file or folder of this machine is really below a root, with all symlinks followed,
    /// and no private file. Looks at the disk.
    pub(super) fn holds(&self, file: &FilePath) -> bool {
        let Some(real) = real_path(file) else { return false };
        let address = Address::Local(file.to_owned());
        let below_root = self.roots.iter().any(|root| match root {
            Address::Local(folder) => {
                root.contains(&address)
                    && real_path(folder).is_some_and(|folder| real.starts_with(folder))
            }
            Address::Bucket { .. } => false,
        });
        below_root && !self.private_files().any(|private| private == real)
    }

    /// The private files as they really lie.
    pub(super) fn private_files(&self) -> impl Iterator<Item = PathBuf> {
        self.private.iter().filter_map(|file| real_path(file))
    }

    /// Whether removing a place would take a root or a private file with it. Looks at the disk.
    pub(super) fn needs(&self, place: &Address) -> bool {
        let holds_private = match place {
            Address::Local(folder) => real_path(folder)
                .is_none_or(|folder| self.private_files().any(|file| file.starts_with(&folder))),
            Address::Bucket { .. } => false,
        };
        holds_private || self.roots.iter().any(|root| place.contains(root))
    }
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
