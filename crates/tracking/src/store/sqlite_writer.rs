//! The one thread that writes to an SQLite file.
//!
//! What is committed is in the write-ahead log first. When nothing is written for a while the log is folded into
//! the file, so that whoever copies or mounts that one file has everything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::condition::{Condition, copy};
use super::database::{Connection, Dialect, Row, Value};
use super::sqlite_connection::SqliteConnection;
use crate::error::{Error, Result};
use crate::metrics::METRICS;

/// Jobs in one commit: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 256;
/// The log is folded into the file when nothing was written for so long. Each time costs two syncs of the disk,
/// which must not come between writes that follow each other.
const FOLD_AFTER: Duration = Duration::from_secs(1);

/// A change, and what to do with its outcome once the commit is known.
pub(super) type Job = Box<dyn FnOnce(&mut dyn Connection) -> Outcome + Send>;

/// What came of a job.
pub(super) struct Outcome {
    pub(super) failed: bool,
    pub(super) answer: Answer,
}

/// Told how the commit went.
type Answer = Box<dyn FnOnce(Option<Error>) + Send>;

/// Takes jobs until the store is dropped.
pub(super) fn write_loop(
    mut connection: SqliteConnection,
    mut queue: mpsc::Receiver<Job>,
    condition: &Condition,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    // To wait in, for this thread alone. Without it the log is folded in when it is long, as ever.
    let clock = Builder::new_current_thread().enable_time().build();
    if let Err(error) = &clock {
        tracing::warn!(%error, "the write-ahead log of the tracking store stays longer");
    }
    // A process that was killed has left a log.
    let mut is_folded = false;
    loop {
        let waited = match &clock {
            Ok(clock) if !is_folded => {
                clock.block_on(async { timeout(FOLD_AFTER, queue.recv()).await })
            }
            _ => Ok(queue.blocking_recv()),
        };
        let job = match waited {
            Ok(Some(job)) => job,
            Ok(None) => return,
            Err(_elapsed) => {
                is_folded = fold(&mut connection, condition);
                continue;
            }
        };
        is_folded = false;
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

/// Copies the log into the file; whether there is nothing more to do until the next write. Nobody is waited for:
/// what a reader still needs stays in the log, and the next time comes soon.
fn fold(connection: &mut SqliteConnection, condition: &Condition) -> bool {
    // Writes are refused then, and say why.
    if condition.place().check().is_err() {
        return true;
    }
    let mut is_whole = true;
    let mut read = |row: &dyn Row| -> Result<()> {
        let (busy, pages, copied) = (row.int(0)?, row.int(1)?, row.int(2)?);
        is_whole = busy == Some(0) && pages == copied;
        Ok(())
    };
    match connection.query("PRAGMA wal_checkpoint(PASSIVE)", &[], &mut read) {
        Ok(()) => is_whole,
        Err(error) => {
            // The log has everything; the next write says what is wrong with the disk.
            tracing::debug!(%error, "the write-ahead log is not folded into the tracking store");
            true
        }
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
