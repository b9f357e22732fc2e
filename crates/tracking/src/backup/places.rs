//! What a backup is of, and where its parts lie in it.

use std::path::PathBuf;

use trainyard_mlflow::uri::TrackingUri;
use trainyard_mlflow::{Error, Result};

use crate::artifacts::real_path;
use crate::error::invalid;

/// The copy of the database.
pub(super) const DATABASE: &str = "mlflow.db";
/// The copy of the registry's database.
pub(super) const REGISTRY: &str = "registry.db";
/// The copy of the database of users, roles and tokens.
pub(super) const USERS: &str = "users.db";
/// The copies of artifacts.
pub(super) const ARTIFACTS: &str = "artifacts";
/// The digests of all of them.
pub(super) const CHECKSUMS: &str = "checksums.sha256";

/// Where a server keeps what it stores, as its flags say it.
#[derive(Debug, Clone)]
pub struct Places {
    /// `sqlite:///…`
    pub backend_store_uri: String,
    /// The same, if the registry has a database of its own.
    pub registry_store_uri: Option<String>,
    /// The same of users, roles and tokens, if the server has some.
    pub users_uri: Option<String>,
    /// A folder of this machine; none leaves artifacts out.
    pub artifacts: Option<String>,
}

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    pub files: u64,
    pub bytes: u64,
}

impl Places {
    /// The files of databases, with the names of their copies.
    pub(super) fn databases(&self) -> Result<Vec<(&'static str, PathBuf)>> {
        let mut databases = vec![(DATABASE, file(&self.backend_store_uri)?)];
        for (name, uri) in [(REGISTRY, &self.registry_store_uri), (USERS, &self.users_uri)] {
            let Some(uri) = uri else { continue };
            let file = file(uri)?;
            // Several may be in one file.
            if databases.iter().all(|(_name, known)| *known != file) {
                databases.push((name, file));
            }
        }
        Ok(databases)
    }

    /// The folder of artifacts.
    pub(super) fn artifacts(&self) -> Result<Option<PathBuf>> {
        let Some(uri) = &self.artifacts else { return Ok(None) };
        let place =
            trainyard_storage::open(uri).map_err(|error| Error::invalid(error.to_string()))?;
        match place.local {
            Some(folder) => Ok(Some(folder)),
            None => invalid!(
                "artifacts in {place:?} are not copied: object stores keep versions themselves; --no-artifacts \
                 leaves them out"
            ),
        }
    }
}

/// The file of an SQLite database, whatever symlinks lead to it.
fn file(uri: &str) -> Result<PathBuf> {
    let path = match uri.parse::<TrackingUri>()? {
        TrackingUri::Sqlite(path) => path,
        TrackingUri::Postgres(_) => {
            return invalid!(
                "a PostgreSQL database is copied by pg_dump, and put back by pg_restore"
            );
        }
        TrackingUri::SqliteMemory | TrackingUri::Http(_) => {
            return invalid!(
                "only a database in a file (sqlite:///…) is copied, not that of {}",
                trainyard_mlflow::uri::without_credentials(uri)
            );
        }
    };
    let named = std::path::absolute(&path).map_err(|error| Error::io(&path, error))?;
    Ok(real_path(&named).unwrap_or(named))
}
