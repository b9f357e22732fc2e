//! SQLite: one thread writes, many connections read.
//!
//! A commit that survives a power cut costs milliseconds, whatever it holds. So one thread owns the
//! only writing connection, takes all jobs that wait, runs each within its own savepoint and commits
//! once (group commit); another one syncs the log and then answers all of them. In WAL mode readers are
//! never blocked.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::call::{Call, ReadLimits, Waiting};
use super::condition::Condition;
use super::database::Connection;
use super::mark::Mark;
use super::permits::{Permits, Reading};
use super::sqlite_connection::{Access, SqliteConnection};
use super::sqlite_readers::Readers;
use super::sqlite_writer::{Job, Outcome, Writer};
use crate::artifacts::real_path;
use crate::error::{Error, Result};
use crate::metrics::METRICS;

/// Jobs that wait; beyond that callers wait before they queue, which bounds memory.
const QUEUE_MAX: usize = 1024;
/// Large reads at a time, at least and at most: each keeps a core and some memory busy for a while,
/// so there are about as many as cores; two of them are left when two searches are slow.
const LARGE_READS: (usize, usize) = (4, 8);

/// An SQLite database file.
pub(crate) struct Sqlite {
    readers: Arc<Readers>,
    limits: ReadLimits,
    permits: Permits,
    condition: Arc<Condition>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.readers.path()).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens or creates the file (an absolute path); `prepare` may create or check the schema with
    /// the connection that will write.
    pub(crate) fn open(
        path: &Path,
        limits: ReadLimits,
        prepare: impl FnOnce(&mut SqliteConnection) -> Result<()>,
    ) -> Result<Self> {
        // SQLite would follow a symlink, too: whoever watches its files must know where they lie.
        let file = real_path(path)
            .ok_or_else(|| Error::database(format!("{} cannot be a file", path.display())))?;
        let prepared = SqliteConnection::open(&file, Access::Write).and_then(|mut connection| {
            prepare(&mut connection)?;
            Ok(connection)
        });
        let connection = prepared.map_err(|error| match error {
            Error::ReadOnly => Error::OpenedReadOnly { path: path.display().to_string() },
            error => error,
        })?;
        let condition = Arc::new(Condition::of(path, &file)?);
        let readers = Readers::new(file, Arc::clone(&condition));
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let writer = Writer::new(connection, queue, Arc::clone(&condition))?;
        let writer = std::thread::Builder::new()
            .name("trainyard-sqlite-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::database(format!("no thread for the writer: {error}")))?;
        Ok(Self {
            readers: Arc::new(readers),
            limits,
            permits: Permits::new(large_reads()),
            condition,
            jobs: Some(jobs),
            writer: Some(writer),
        })
    }

    /// Whether writes would be kept: the file is still there, the last commit did not fail, and somebody writes.
    pub(crate) fn health(&self) -> Result<()> {
        if self.writer.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(Error::Stopped);
        }
        self.condition.check()
    }

    /// What tells whether something was written since. It takes microseconds.
    pub(crate) fn mark(&self) -> Result<Mark> {
        self.readers.version().map(Mark::of_sqlite)
    }

    /// Runs a read on the calling thread if it is short: a few microseconds, less than a thread hop.
    /// One that turns out not to be is begun anew on a thread that may wait.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let result = self.readers.with(&Call::short(), &work);
        match result {
            Err(Error::NotShort) => self.read_many(Reading::Listing, work).await,
            result => result,
        }
    }

    /// Runs a read of any size on a thread for blocking work, within one transaction. It stops when
    /// nobody waits for it any more.
    pub(crate) async fn read_many<T, F>(&self, reading: Reading, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let call = Call::long(&self.limits)?;
        let _waiting = Waiting(Arc::clone(&call));
        let permit = self.permits.take(reading, call.end()).await?;
        let readers = Arc::clone(&self.readers);
        let task = tokio::task::spawn_blocking(move || {
            let result = readers.with_transaction(&call, work);
            (result, permit)
        });
        let (result, _permit) =
            task.await.map_err(|error| Error::database(format!("a read broke off: {error}")))?;
        result
    }

    /// Runs a change on the writer thread; returns after the commit.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = work(connection);
            Outcome {
                failed: result.is_err(),
                answer: Box::new(move |commit_error| {
                    let result = match (result, commit_error) {
                        (Ok(_), Some(error)) => Err(error),
                        (result, _) => result,
                    };
                    // The caller may have gone away; then nobody wants the answer.
                    let _gone = answer.send(result);
                }),
            }
        });
        let jobs = self.jobs.as_ref().ok_or(Error::Stopped)?;
        jobs.send(job).await.map_err(|_closed| Error::Stopped)?;
        METRICS.queued(jobs.max_capacity() - jobs.capacity());
        result.await.map_err(|_dropped| Error::database("the change broke off"))?
    }
}

impl Drop for Sqlite {
    /// Lets the writer finish what is queued and closes all connections, so that the write-ahead
    /// log is gone when this returns.
    fn drop(&mut self) {
        self.readers.close();
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer thread of the tracking store panicked");
        }
    }
}

fn large_reads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.clamp(LARGE_READS.0, LARGE_READS.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sync that is tried again succeeds, and the log would be removed over what the file never got.
    #[test]
    fn a_log_that_is_not_on_the_disk_stays_when_the_file_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, log) = (folder.path().join("mlflow.db"), folder.path().join("mlflow.db-wal"));
        let open = || {
            let prepare = |connection: &mut SqliteConnection| {
                connection.execute_script("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
            };
            Sqlite::open(&file, ReadLimits::default(), prepare).unwrap()
        };
        let sqlite = open();
        sqlite.health().unwrap();
        sqlite.condition.note(Some(&Error::NotKept { reason: "no disk".to_owned() }));
        sqlite.condition.note(None);
        assert!(matches!(sqlite.health(), Err(Error::NotKept { .. })));
        drop(sqlite);
        assert!(log.exists());
        let sqlite = open();
        sqlite.health().unwrap();
        drop(sqlite);
        assert!(!log.exists());
    }
}
