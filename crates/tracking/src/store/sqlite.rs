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
use std::time::Duration;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{OpenFlags, ffi};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::database::{Connection, Dialect, Row, Value};
use crate::error::{Constraint, Error, Result};

/// Jobs in one commit: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 256;
/// Jobs that wait; beyond that callers wait before they queue, which bounds memory.
const QUEUE_MAX: usize = 1024;
/// Reading connections that are kept; more are opened when needed and closed afterwards.
const READERS_KEPT: usize = 6;
/// Large reads at a time, at most: each keeps a core and some memory busy for a while, so there are
/// no more of them than cores.
const LARGE_READS_MAX: usize = 8;
/// Prepared statements kept per connection, a few KiB each. One kind of work uses a dozen.
const STATEMENTS_KEPT: usize = 64;
/// How long to wait for another process that writes; upstream's default is the same order.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pages of the write-ahead log before it is copied into the database (4 KiB each).
const CHECKPOINT_PAGES: i64 = 4000;
/// Page cache of the writer, in KiB: a batch touches the ends of many indexes.
const WRITER_CACHE_KIB: i64 = 4096;
/// Page cache of each reader, in KiB; behind it is the system's. There is no memory map: it would
/// save a copy per page, but each connection would count the whole file as its memory.
const READER_CACHE_KIB: i64 = 3072;

/// A change, and what to do with its outcome once the commit is known.
type Job = Box<dyn FnOnce(&mut dyn Connection) -> Outcome + Send>;

struct Outcome {
    failed: bool,
    answer: Box<dyn FnOnce(Option<Error>) + Send>,
}

/// An SQLite database file.
pub(crate) struct Sqlite {
    readers: Arc<Readers>,
    large_reads: Arc<Semaphore>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.readers.path).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens or creates the file; `prepare` may create or check the schema with the connection
    /// that will write.
    pub(crate) fn open(
        path: &Path,
        prepare: impl FnOnce(&mut SqliteConnection) -> Result<()>,
    ) -> Result<Self> {
        let mut connection = SqliteConnection::open(path, Access::Write)?;
        prepare(&mut connection)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("trainyard-sqlite-writer".to_owned())
            .spawn(move || write_loop(connection, queue))
            .map_err(|error| Error::database(format!("no thread for the writer: {error}")))?;
        Ok(Self {
            readers: Arc::new(Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()) }),
            large_reads: Arc::new(Semaphore::new(large_reads())),
            jobs: Some(jobs),
            writer: Some(writer),
        })
    }

    /// Runs a short read on the calling thread: a few microseconds, less than a thread hop.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut dyn Connection) -> Result<T>) -> Result<T> {
        self.readers.with(work)
    }

    /// Runs a read of any size on a thread for blocking work, within one transaction.
    pub(crate) async fn read_many<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let _permit = self.large_reads.acquire().await.map_err(|_closed| Error::Stopped)?;
        let readers = Arc::clone(&self.readers);
        let task = tokio::task::spawn_blocking(move || {
            readers.with(|connection| {
                connection.execute("BEGIN", &[])?;
                let result = work(connection);
                connection.execute("COMMIT", &[])?;
                result
            })
        });
        task.await.map_err(|error| Error::database(format!("a read broke off: {error}")))?
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
        metrics::gauge!("trainyard_store_queue_depth")
            .set((jobs.max_capacity() - jobs.capacity()) as f64);
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
}

impl Readers {
    fn with<T>(&self, work: impl FnOnce(&mut dyn Connection) -> Result<T>) -> Result<T> {
        let idle = self.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => SqliteConnection::open(&self.path, Access::Read)?,
        };
        let result = work(&mut connection);
        // A connection that is still within a transaction is closed rather than handed on.
        if connection.inner.is_autocommit() {
            let mut idle = self.lock();
            if idle.len() < READERS_KEPT {
                idle.push(connection);
            }
        }
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        // The guarded list is whole between any two operations, so a panic elsewhere is no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn large_reads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.clamp(2, LARGE_READS_MAX)
}

/// Takes jobs until the store is dropped.
fn write_loop(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while let Some(job) = queue.blocking_recv() {
        batch.push(job);
        while batch.len() < BATCH_MAX
            && let Ok(job) = queue.try_recv()
        {
            batch.push(job);
        }
        metrics::histogram!("trainyard_store_commit_jobs").record(batch.len() as f64);
        run_batch(&mut connection, &mut batch);
    }
}

/// Runs the jobs in as few transactions as possible: one, unless the database gave one up midway.
fn run_batch(connection: &mut SqliteConnection, batch: &mut Vec<Job>) {
    let mut jobs = batch.drain(..).peekable();
    while jobs.peek().is_some() {
        if let Err(error) = connection.execute("BEGIN IMMEDIATE", &[]) {
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
            None if !connection.inner.is_autocommit() => connection.execute("COMMIT", &[]).err(),
            lost => lost,
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
        other => Error::database(other.to_string()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// One connection with its statement cache.
#[derive(Debug)]
pub(crate) struct SqliteConnection {
    inner: rusqlite::Connection,
}

impl SqliteConnection {
    fn open(path: &Path, access: Access) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
            | match access {
                Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
                Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            };
        let inner = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|error| Error::database(format!("{error} ({})", path.display())))?;
        inner.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // The bundled library plans with statistics of bound values (STAT4) and therefore parses a
        // kept statement again whenever a value is bound to it. Plans that do not look at values
        // are kept.
        inner
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(convert)?;
        inner.busy_timeout(BUSY_TIMEOUT).map_err(convert)?;
        inner.pragma_update(None, "case_sensitive_like", true).map_err(convert)?;
        let cache_kib = match access {
            Access::Read => READER_CACHE_KIB,
            Access::Write => WRITER_CACHE_KIB,
        };
        inner.pragma_update(None, "cache_size", -cache_kib).map_err(convert)?;
        inner.pragma_update(None, "temp_store", "MEMORY").map_err(convert)?;
        if access == Access::Write {
            inner.pragma_update(None, "journal_mode", "WAL").map_err(convert)?;
            inner.pragma_update(None, "synchronous", "FULL").map_err(convert)?;
            inner.pragma_update(None, "foreign_keys", true).map_err(convert)?;
            inner.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(convert)?;
        }
        inner
            .create_scalar_function(
                "trainyard_number",
                1,
                FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
                |context| {
                    let text = context.get_raw(0).as_str_or_null().ok().flatten();
                    Ok(text.and_then(number))
                },
            )
            .map_err(convert)?;
        Ok(Self { inner })
    }
}

/// The finite number that a param's text is, if it is one.
fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|value| value.is_finite())
}

impl Connection for SqliteConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.inner.prepare_cached(sql).map_err(convert)?;
        bind(&mut statement, parameters)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(convert)? {
            each(row)?;
        }
        Ok(())
    }

    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<usize> {
        let mut statement = self.inner.prepare_cached(sql).map_err(convert)?;
        bind(&mut statement, parameters)?;
        statement.raw_execute().map_err(convert)
    }

    fn execute_script(&mut self, sql: &str) -> Result<()> {
        self.inner.execute_batch(sql).map_err(convert)
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, parameters: &[Value<'_>]) -> Result<()> {
    for (index, value) in parameters.iter().enumerate() {
        let index = index + 1;
        match value {
            Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Value::Bool(value) => statement.raw_bind_parameter(index, value),
            Value::Int(value) => statement.raw_bind_parameter(index, value),
            Value::Real(value) => statement.raw_bind_parameter(index, value),
            Value::Text(value) => statement.raw_bind_parameter(index, value.as_ref()),
        }
        .map_err(convert)?;
    }
    Ok(())
}

impl Row for rusqlite::Row<'_> {
    fn int(&self, column: usize) -> Result<Option<i64>> {
        match self.get_ref(column).map_err(convert)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value)),
            // A column without affinity may hold what Python computed as a float.
            ValueRef::Real(value) if value.fract() == 0.0 => Ok(Some(value as i64)),
            other => Err(unexpected(column, "a whole number", other)),
        }
    }

    fn real(&self, column: usize) -> Result<Option<f64>> {
        match self.get_ref(column).map_err(convert)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value as f64)),
            ValueRef::Real(value) => Ok(Some(value)),
            other => Err(unexpected(column, "a number", other)),
        }
    }

    fn text(&self, column: usize) -> Result<Option<&str>> {
        match self.get_ref(column).map_err(convert)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|error| Error::database(format!("column {column} is no UTF-8: {error}"))),
            other => Err(unexpected(column, "a text", other)),
        }
    }
}

fn unexpected(column: usize, expected: &str, found: ValueRef<'_>) -> Error {
    Error::database(format!("column {column} holds {:?}, not {expected}", found.data_type()))
}

/// SQLite's error as ours.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn convert(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return Error::database(error.to_string());
    };
    let words = message.clone().unwrap_or_else(|| error.to_string());
    match code.code {
        ffi::ErrorCode::ConstraintViolation => Error::Constraint {
            constraint: match code.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::Unique,
                ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
                _ => Constraint::Other,
            },
            message: words,
        },
        ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked => Error::Busy,
        ffi::ErrorCode::DiskFull => Error::Full,
        _ => Error::database(words),
    }
}
