//! Upgrades the database of an older MLflow in its place, after a backup.

use std::path::{Path, PathBuf};

use trainyard_mlflow::uri::{TrackingUri, without_credentials};

use crate::artifacts::real_path;
use crate::backup::beside;
use crate::error::{Result, invalid};
use crate::store::upgrade::{HEAD, Step, on_postgres, on_sqlite, outdated, run};

/// What is done.
#[derive(Debug)]
pub enum UpgradeEvent<'a> {
    /// A copy of the database is whole and on the disk.
    Copied {
        /// The copy.
        to: &'a Path,
    },
    /// A migration begins.
    Migrates {
        /// From 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// What it does, as upstream calls it.
        title: &'a str,
    },
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// The schema version that the database has now, `alembic_version.version_num`.
    pub version: &'static str,
    /// Migrations that ran; none if there was nothing to do.
    pub migrations: usize,
}

/// Brings the database that `uri` names (`sqlite:///…`, `postgresql://…`) from the tables of MLflow 2.0 or later to
/// those that this program works with. `tell` hears of each step.
///
/// With `with_backup` an SQLite file is copied beside itself first; a PostgreSQL database is refused then, because
/// `pg_dump` copies it. Each migration is one transaction: an upgrade that was broken off goes on when it is begun
/// again. Servers of older versions should not write meanwhile.
pub fn upgrade(
    uri: &str,
    with_backup: bool,
    tell: &mut (dyn FnMut(UpgradeEvent<'_>) + Send),
) -> Result<Upgraded> {
    let named = without_credentials(uri);
    let place: TrackingUri = uri.parse()?;
    let migrations = match &place {
        TrackingUri::Sqlite(path) => {
            let file = file(path)?;
            on_sqlite(&file, |connection| {
                let Some(found) = outdated(connection, &named)? else { return Ok(0) };
                if with_backup {
                    let copy = beside(&file, &found)?;
                    tell(UpgradeEvent::Copied { to: &copy });
                }
                run(connection, &named, &mut |step| announce(step, tell))
            })?
        }
        TrackingUri::Postgres(_) => on_postgres(&place.connection_url(), |connection| {
            if outdated(connection, &named)?.is_none() {
                return Ok(0);
            }
            if with_backup {
                return invalid!(
                    "{named} is not copied here: make a copy with pg_dump, then upgrade with --no-backup"
                );
            }
            run(connection, &named, &mut |step| announce(step, tell))
        })?,
        TrackingUri::SqliteMemory | TrackingUri::Http(_) => {
            return invalid!(
                "{named} is no database that could be upgraded (sqlite:///…, postgresql://…)"
            );
        }
    };
    Ok(Upgraded { version: HEAD, migrations })
}

fn announce(step: &Step, tell: &mut (dyn FnMut(UpgradeEvent<'_>) + Send)) {
    tell(UpgradeEvent::Migrates { number: step.number, of: step.of, title: step.title });
}

/// The file of an SQLite database that is there, whatever symlinks lead to it.
fn file(path: &Path) -> Result<PathBuf> {
    let named =
        std::path::absolute(path).map_err(|error| trainyard_mlflow::Error::io(path, error))?;
    match real_path(&named) {
        Some(file) if file.is_file() => Ok(file),
        _ => invalid!("there is no database at {}", path.display()),
    }
}
