//! Whether the files of an SQLite database are still those that were opened.
//!
//! A file that is removed or replaced goes on working for whoever has it open, and what is written
//! to it is gone with the process. SQLite does not notice; so the names are looked up beside each
//! commit.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Device and number of a file.
type Identity = (u64, u64);

/// The files of a database as they were opened.
#[derive(Debug)]
pub(crate) struct Place {
    /// As its owner calls it, which may be a symlink.
    named: PathBuf,
    /// The file itself. SQLite keeps its log beside it, not beside a symlink.
    database: PathBuf,
    log: PathBuf,
    opened: Identity,
    /// None until the first write made it.
    opened_log: Option<Identity>,
}

impl Place {
    /// The files of a database that was just opened: `database` is what `named` leads to.
    pub(crate) fn of(named: &Path, database: &Path) -> Result<Self> {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let opened = identity(database).ok_or(Error::Moved)?;
        let log = PathBuf::from(log);
        let opened_log = identity(&log);
        Ok(Self { named: named.to_owned(), database: database.to_owned(), log, opened, opened_log })
    }

    /// The file itself.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// Bytes of the write-ahead log, if that can be known.
    pub(crate) fn log_bytes(&self) -> Option<u64> {
        match std::fs::metadata(&self.log) {
            Ok(metadata) => Some(metadata.len()),
            Err(error) => (error.kind() == ErrorKind::NotFound).then_some(0),
        }
    }

    /// The write-ahead log as a file to be read and written, if it is the one that is written to.
    pub(crate) fn open_log(&self) -> Result<File> {
        let log =
            File::options().read(true).write(true).open(&self.log).map_err(|error| match error
                .kind()
            {
                ErrorKind::NotFound => Error::Moved,
                _ => Error::database(format!("the write-ahead log cannot be opened: {error}")),
            })?;
        let found = log.metadata().ok().map(|metadata| identity_of(&metadata));
        if found.is_some() && found == self.opened_log { Ok(log) } else { Err(Error::Moved) }
    }

    /// Refuses when another file is there now, or none.
    pub(crate) fn check(&self) -> Result<()> {
        let is_opened = |name: &Path| identity(name) == Some(self.opened);
        // Mostly they are one name, and this is asked beside each commit.
        let is_named = self.named == self.database || is_opened(&self.named);
        let is_same = is_named && is_opened(&self.database);
        let same_log = self.opened_log.is_none() || identity(&self.log) == self.opened_log;
        if is_same && same_log { Ok(()) } else { Err(Error::Moved) }
    }

    /// The same within a write: the log is there then.
    pub(crate) fn check_writing(&mut self) -> Result<()> {
        if self.opened_log.is_none() {
            self.opened_log = identity(&self.log);
        }
        self.check()
    }
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|metadata| identity_of(&metadata))
}

fn identity_of(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}
