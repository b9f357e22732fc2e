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
    condition: Arc<Condition>,
}

impl Readers {
    /// Connections to a file, none of them open yet.
    pub(super) fn new(path: PathBuf, condition: Arc<Condition>) -> Self {
        Self { path, idle: Mutex::new(Vec::new()), condition }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Closes those that are free.
    pub(super) fn close(&self) {
        self.lock().clear();
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

    fn lock(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        // The guarded list is whole between any two operations, so a panic elsewhere is no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
