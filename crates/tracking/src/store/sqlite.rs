//! SQLite: one thread writes, many connections read.
//!
//! A commit that survives a power cut costs milliseconds, whatever it holds. So one thread owns the
//! only writing connection, takes all jobs that wait, runs each within its own savepoint, commits
//! once and then answers all of them (group commit). In WAL mode readers are never blocked.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::call::{Call, ReadLimits, Waiting};
use super::database::{Connection, Dialect, Row, Value};
use super::permits::{Permits, Reading};
use super::place::Place;
use super::sqlite_connection::{Access, SqliteConnection};
use crate::artifacts::real_path;
use crate::error::{Error, Result};
use crate::metrics::METRICS;

/// Jobs in one commit: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 256;
/// Jobs that wait; beyond that callers wait before they queue, which bounds memory.
const QUEUE_MAX: usize = 1024;
/// Reading connections that are kept; more are opened when needed and closed afterwards.
const READERS_KEPT: usize = 6;
/// Large reads at a time, at least and at most: each keeps a core and some memory busy for a while,
/// so there are about as many as cores; two of them are left when two searches are slow.
const LARGE_READS: (usize, usize) = (4, 8);

/// A change, and what to do with its outcome once the commit is known.
type Job = Box<dyn FnOnce(&mut dyn Connection) -> Outcome + Send>;

struct Outcome {
    failed: bool,
    answer: Box<dyn FnOnce(Option<Error>) + Send>,
}

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
        f.debug_struct("Sqlite").field("path", &self.readers.path).finish_non_exhaustive()
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
        let readers =
            Readers { path: file, idle: Mutex::new(Vec::new()), condition: Arc::clone(&condition) };
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let observed = Arc::clone(&condition);
        let writer = std::thread::Builder::new()
            .name("trainyard-sqlite-writer".to_owned())
            .spawn(move || write_loop(connection, queue, &observed))
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

    /// Whether writes would be kept: the file is still there, and the last commit did not fail.
    pub(crate) fn health(&self) -> Result<()> {
        self.condition.check()
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
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer thread of the tracking store panicked");
        }
    }
}

/// Read-only connections that are free.
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
    condition: Arc<Condition>,
}

impl Readers {
    fn with<T>(
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

    fn with_transaction<T>(
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        // The guarded list is whole between any two operations, so a panic elsewhere is no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn large_reads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.clamp(LARGE_READS.0, LARGE_READS.1)
}

/// Whether what is written is kept.
#[derive(Debug)]
struct Condition {
    place: Mutex<Place>,
    /// Why the last commit failed, if it did.
    failure: Mutex<Option<Error>>,
}

impl Condition {
    fn of(named: &Path, file: &Path) -> Result<Self> {
        Ok(Self { place: Mutex::new(Place::of(named, file)?), failure: Mutex::new(None) })
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<()> {
        self.place().check()?;
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map_or(Ok(()), |error| Err(copy(error)))
    }

    /// Remembers how a commit went. That somebody else writes for long is not this file's condition.
    fn note(&self, failure: Option<&Error>) {
        let failure = failure.filter(|error| !matches!(error, Error::Busy));
        if let Some(error) = failure {
            tracing::error!(%error, "a change to the tracking store could not be committed");
        }
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure.map(copy);
    }
}

/// Takes jobs until the store is dropped.
fn write_loop(
    mut connection: SqliteConnection,
    mut queue: mpsc::Receiver<Job>,
    condition: &Condition,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while let Some(job) = queue.blocking_recv() {
        batch.push(job);
        while batch.len() < BATCH_MAX
            && let Ok(job) = queue.try_recv()
        {
            batch.push(job);
        }
        METRICS.commits(batch.len());
        run_batch(&mut connection, &mut batch, condition);
    }
}

/// Runs the jobs in as few transactions as possible: one, unless the database gave one up midway.
fn run_batch(connection: &mut SqliteConnection, batch: &mut Vec<Job>, condition: &Condition) {
    let mut jobs = batch.drain(..).peekable();
    while jobs.peek().is_some() {
        if let Err(error) = begin(connection, condition) {
            condition.note(Some(&error));
            // To wait again for each job would only make the queue longer.
            for job in jobs.by_ref() {
                answer_unrun(job, copy(&error));
            }
            return;
        }
        let mut answers = Vec::new();
        let mut lost = None;
        let undo = if jobs.len() == 1 { Undo::Transaction } else { Undo::Savepoint };
        for job in jobs.by_ref() {
            match run_job(connection, job, undo) {
                Ok(answer) => answers.push(answer),
                Err((error, answer)) => {
                    answers.extend(answer);
                    lost = Some(error);
                    break;
                }
            }
        }
        let failure = match lost {
            // A lone job that failed has been rolled back: nothing is open.
            None if !connection.inner.is_autocommit() => {
                // Looked at again: what went into a file that is gone by now is not kept.
                let committed = connection.execute("COMMIT", &[]);
                let failure = committed.and_then(|_none| condition.place().check()).err();
                condition.note(failure.as_ref());
                failure
            }
            None => None,
            Some(error) => {
                condition.note(Some(&error));
                Some(error)
            }
        };
        if failure.is_some()
            && !connection.inner.is_autocommit()
            && let Err(error) = connection.execute("ROLLBACK", &[])
        {
            tracing::error!(%error, "cannot roll back a change to the tracking store");
        }
        for answer in answers {
            answer(failure.as_ref().map(copy));
        }
    }
}

/// Begins a transaction, on files that are still those that were opened.
fn begin(connection: &mut SqliteConnection, condition: &Condition) -> Result<()> {
    connection.execute("BEGIN IMMEDIATE", &[])?;
    let checked = condition.place().check_writing();
    if checked.is_err() {
        connection.execute("ROLLBACK", &[])?;
    }
    checked
}

type Answer = Box<dyn FnOnce(Option<Error>) + Send>;

/// What takes back a job that fails. A savepoint costs a copy of each page that the job changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undo {
    Savepoint,
    /// The job is the only one of the transaction.
    Transaction,
}

/// Runs one job. `Err` means that the whole transaction is lost.
fn run_job(
    connection: &mut SqliteConnection,
    job: Job,
    undo: Undo,
) -> Result<Answer, (Error, Option<Answer>)> {
    if undo == Undo::Savepoint
        && let Err(error) = connection.execute("SAVEPOINT job", &[])
    {
        answer_unrun(job, copy(&error));
        return Err((error, None));
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| job(connection)));
    let lost = connection.inner.is_autocommit();
    let (failed, answer) = match outcome {
        Ok(outcome) => (outcome.failed, outcome.answer),
        Err(_panic) => {
            tracing::error!("a change to the tracking store panicked");
            let nobody: Answer = Box::new(|_error| {});
            (true, nobody)
        }
    };
    if lost {
        // A full disk and the like: SQLite has rolled back everything.
        return Err((Error::Full, Some(answer)));
    }
    let ended = match (undo, failed) {
        (Undo::Savepoint, true) => connection
            .execute("ROLLBACK TO job", &[])
            .and_then(|_none| connection.execute("RELEASE job", &[])),
        (Undo::Savepoint, false) => connection.execute("RELEASE job", &[]),
        (Undo::Transaction, true) => connection.execute("ROLLBACK", &[]),
        (Undo::Transaction, false) => Ok(0),
    };
    match ended {
        Ok(_none) => Ok(answer),
        Err(error) => Err((error, Some(answer))),
    }
}

/// Answers a job that was never run: it runs against a connection that refuses everything.
fn answer_unrun(job: Job, error: Error) {
    struct Refuse(Error);
    impl Connection for Refuse {
        fn dialect(&self) -> Dialect {
            Dialect::Sqlite
        }
        fn query(
            &mut self,
            _sql: &str,
            _parameters: &[Value<'_>],
            _each: &mut dyn FnMut(&dyn Row) -> Result<()>,
        ) -> Result<()> {
            Err(copy(&self.0))
        }
        fn execute(&mut self, _sql: &str, _parameters: &[Value<'_>]) -> Result<usize> {
            Err(copy(&self.0))
        }
        fn execute_script(&mut self, _sql: &str) -> Result<()> {
            Err(copy(&self.0))
        }
    }
    let refused = copy(&error);
    let outcome = job(&mut Refuse(error));
    (outcome.answer)(Some(refused));
}

/// The same failure for another caller.
fn copy(error: &Error) -> Error {
    match error {
        Error::Busy => Error::Busy,
        Error::Full => Error::Full,
        Error::Moved => Error::Moved,
        Error::ReadOnly => Error::ReadOnly,
        other => Error::database(other.to_string()),
    }
}
