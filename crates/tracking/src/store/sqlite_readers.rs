//! The connections that read an SQLite file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::Call;
use super::condition::Condition;
use super::database::Connection;
use super::sqlite_connection::{Access, SqliteConnection};
use crate::error::Result;

/// Reading connections that are kept; more are opened when needed and closed afterwards.
const READERS_KEPT: usize = 6;

/// Read-only connections that are free.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
    /// The one that looks at versions: what it sees is compared with what it saw.
    looking: Mutex<Option<SqliteConnection>>,
    condition: Arc<Condition>,
}

impl Readers {
    /// Connections to a file, none of them open yet.
    pub(super) fn new(path: PathBuf, condition: Arc<Condition>) -> Self {
        Self { path, idle: Mutex::new(Vec::new()), looking: Mutex::new(None), condition }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Closes those that are free, and the one that looks at versions.
    pub(super) fn close(&self) {
        self.lock().clear();
        drop(self.looking().take());
    }

    /// A number that is another one once anybody has written to the file, in this process or elsewhere.
    pub(super) fn version(&self) -> Result<i64> {
        let mut looking = self.looking();
        let mut connection = match looking.take() {
            Some(connection) => connection,
            None => self.take()?,
        };
        let asked: &mut dyn Connection = &mut connection;
        let version = asked.first("PRAGMA data_version", &[], |row| row.need_int(0))?;
        *looking = Some(connection);
        Ok(version.unwrap_or_default())
    }

    /// Reads on the thread of the caller.
    pub(super) fn with<T>(
        &self,
        call: &Arc<Call>,
        work: impl FnOnce(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        let mut connection = self.take()?;
        connection.work_for(Some(Arc::clone(call)));
        let result = work(&mut connection);
        connection.work_for(None);
        self.give(connection);
        result
    }

    /// Reads one state of the database.
    pub(super) fn with_transaction<T>(
        &self,
        call: &Arc<Call>,
        work: impl FnOnce(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        if call.is_over() {
            return Err(call.stopped());
        }
        let mut connection = self.take()?;
        connection.execute("BEGIN", &[])?;
        connection.work_for(Some(Arc::clone(call)));
        let result = work(&mut connection);
        connection.work_for(None);
        connection.execute("COMMIT", &[])?;
        self.give(connection);
        result
    }

    fn take(&self) -> Result<SqliteConnection> {
        let idle = self.lock().pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let connection = SqliteConnection::open(&self.path, Access::Read)?;
        // It must not be another file than the one that is written to.
        self.condition.place().check()?;
        Ok(connection)
    }

    fn give(&self, connection: SqliteConnection) {
        // A connection that is still within a transaction is closed rather than handed on.
        if connection.inner.is_autocommit() {
            let mut idle = self.lock();
            if idle.len() < READERS_KEPT {
                idle.push(connection);
            }
        }
    }

    fn looking(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        // Whatever is there can be used or closed, so a panic elsewhere is no harm.
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        // The guarded list is whole between any two operations, so a panic elsewhere is no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
