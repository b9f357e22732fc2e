//! The one thread that writes to an SQLite file.
//!
//! Changes are committed in groups: a group takes in what comes while the commit before it is synced
//! ([`sqlite_sync`](super::sqlite_sync)), since it could be answered no sooner. When nothing is written for a while the
//! write-ahead log is folded into the file, so that whoever copies or mounts that one file has everything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::condition::{Condition, copy};
use super::database::{Connection, Dialect, Row, Value};
use super::sqlite_connection::SqliteConnection;
use super::sqlite_fold::{Folding, Lengths, fold, pages};
use super::sqlite_mend::rewrite;
use super::sqlite_sync::{Answer, SyncFile, Syncer};
use crate::error::{Error, Result};
use crate::metrics::METRICS;

/// Jobs in one commit: bounds how long the first of them waits for the last.
const GROUP_MAX: usize = 256;
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

/// What the thread works with.
pub(super) struct Writer {
    queue: mpsc::Receiver<Job>,
    condition: Arc<Condition>,
    sync: SyncFile,
    /// When it was tried last to bring the log onto the disk after all.
    mended: Option<Instant>,
    // These two are dropped before the connection is closed, which takes the log away.
    syncer: Syncer,
    folding: Folding,
    connection: SqliteConnection,
}

impl Writer {
    pub(super) fn new(
        connection: SqliteConnection,
        queue: mpsc::Receiver<Job>,
        condition: Arc<Condition>,
        sync: SyncFile,
    ) -> Result<Self> {
        let syncer = Syncer::start(Arc::clone(&condition), sync)?;
        let folding = Folding::new(Arc::clone(&condition), Lengths::default());
        connection.leave_log_to_others()?;
        Ok(Self { queue, condition, sync, mended: None, syncer, folding, connection })
    }

    /// Takes jobs until the store is dropped, and closes the connection.
    pub(super) fn run(mut self) {
        self.take_jobs();
        let Self { queue, condition, syncer, folding, connection, .. } = self;
        drop((queue, syncer, folding));
        // Of a log that is not on the disk nothing goes into the file before it is read anew.
        if condition.check_end().is_err()
            && let Err(error) = connection.leave_log_behind()
        {
            tracing::error!(%error, "the log of the tracking store cannot be left as it is");
        }
    }

    fn take_jobs(&mut self) {
        // To wait in, for this thread alone.
        let clock = match Builder::new_current_thread().enable_time().build() {
            Ok(clock) => clock,
            Err(error) => return tracing::error!(%error, "the tracking store cannot be written"),
        };
        // A process that was killed has left a log.
        let mut is_folded = false;
        loop {
            let waited = match self.queue.try_recv() {
                Ok(job) => Ok(Some(job)),
                Err(_none) if is_folded => Ok(self.queue.blocking_recv()),
                Err(_none) => {
                    let next = self.queue.recv();
                    clock.block_on(async { timeout(FOLD_AFTER, next).await })
                }
            };
            match waited {
                Ok(Some(job)) => {
                    is_folded = false;
                    self.run_group(job, &clock);
                }
                Ok(None) => return,
                Err(_elapsed) => is_folded = self.fold(),
            }
        }
    }

    /// Copies the log into the file; whether there is nothing more to do until the next write.
    fn fold(&mut self) -> bool {
        if self.condition.check_end().is_err() {
            self.mend();
            return false;
        }
        let _waits = self.condition.at_disk();
        // Writes are refused where the file is another one, and say why.
        self.condition.check_place().is_err() || fold(&mut self.connection, &self.condition)
    }

    /// Writes are taken again once all of the log is on the disk, which is tried once in a while.
    fn mend(&mut self) {
        if self.mended.is_some_and(|last| last.elapsed() < FOLD_AFTER) {
            return;
        }
        let mended = self.rewrite_log();
        self.mended = Some(Instant::now());
        match mended {
            Ok(()) => {
                self.condition.resume();
                tracing::warn!(
                    "the disk has all of the tracking database again: changes are stored"
                );
            }
            Err(error) => tracing::debug!(%error, "the disk does not keep the log yet"),
        }
    }

    fn rewrite_log(&mut self) -> Result<()> {
        let _waits = self.condition.at_disk();
        let frames = u64::try_from(pages(&mut self.connection)?).unwrap_or_default();
        // Nobody else writes to it meanwhile, or begins it anew.
        self.connection.execute("BEGIN IMMEDIATE", &[])?;
        let log = self.condition.place().open_log();
        let kept = log.and_then(|log| {
            let rewritten = if frames == 0 { Ok(()) } else { rewrite(&log, frames) };
            rewritten
                .and_then(|()| (self.sync)(&log))
                .map_err(|error| Error::NotKept { reason: error.to_string() })
        });
        self.connection.execute("ROLLBACK", &[])?;
        kept
    }

    /// Runs jobs in one transaction, unless the database gives it up midway, and has it committed.
    fn run_group(&mut self, first: Job, clock: &Runtime) {
        if self.condition.check_end().is_err() {
            self.mend();
        }
        let (mut answers, mut jobs) = (Vec::new(), 0);
        let mut next = Some(first);
        while let Some(job) = next {
            jobs += 1;
            self.run_job(job, &mut answers);
            next = if jobs < GROUP_MAX { self.another(clock) } else { None };
        }
        METRICS.commits(jobs);
        self.commit(answers);
        self.folding.keep_short(&mut self.connection);
    }

    /// One more job for the group: one that waits, or comes before the commit could be synced.
    fn another(&mut self, clock: &Runtime) -> Option<Job> {
        if let Ok(job) = self.queue.try_recv() {
            return Some(job);
        }
        if !self.syncer.is_busy() {
            return None;
        }
        let Self { queue, syncer, .. } = self;
        clock.block_on(async {
            tokio::select! {
                biased;
                job = queue.recv() => job,
                () = syncer.idle() => None,
            }
        })
    }

    /// Runs a job in the transaction of its group, which it may begin. One that failed is answered: it has changed
    /// nothing.
    fn run_job(&mut self, job: Job, answers: &mut Vec<Answer>) {
        // A savepoint costs a copy of each page that the job changes, and the first job needs none.
        let undo = if self.is_open() { Undo::Savepoint } else { Undo::Transaction };
        let begun = match undo {
            Undo::Transaction => self.begin(),
            Undo::Savepoint => self.connection.execute("SAVEPOINT job", &[]).map(|_none| ()),
        };
        if let Err(error) = begun {
            match undo {
                Undo::Transaction => self.refuse(job, &error),
                Undo::Savepoint => {
                    answer_unrun(job, copy(&error));
                    self.lose(&error, answers);
                }
            }
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| job(&mut self.connection)));
        let (failed, answer) = match outcome {
            Ok(outcome) => (outcome.failed, outcome.answer),
            Err(_panic) => {
                tracing::error!("a change to the tracking store panicked");
                let nobody: Answer = Box::new(|_error| {});
                (true, nobody)
            }
        };
        if !self.is_open() {
            // A full disk and the like: SQLite has rolled back everything.
            answers.push(answer);
            return self.lose(&Error::Full, answers);
        }
        let ended = match (undo, failed) {
            (Undo::Savepoint, true) => self
                .connection
                .execute("ROLLBACK TO job", &[])
                .and_then(|_none| self.connection.execute("RELEASE job", &[])),
            (Undo::Savepoint, false) => self.connection.execute("RELEASE job", &[]),
            (Undo::Transaction, true) => self.connection.execute("ROLLBACK", &[]),
            (Undo::Transaction, false) => Ok(0),
        };
        match ended {
            Ok(_none) if failed => answer(None),
            Ok(_none) => answers.push(answer),
            Err(error) => {
                answers.push(answer);
                self.lose(&error, answers);
            }
        }
    }

    /// Begins a transaction, on files that are still those that were opened.
    fn begin(&mut self) -> Result<()> {
        self.connection.execute("BEGIN IMMEDIATE", &[])?;
        let checked = self.condition.check_writing();
        if checked.is_err() {
            self.connection.execute("ROLLBACK", &[])?;
        }
        checked
    }

    /// No transaction could be begun. To wait again for each job that waits already would only make the queue longer;
    /// who asks once it was told what is wrong may have mended it.
    fn refuse(&mut self, first: Job, error: &Error) {
        self.condition.note(Some(error));
        let mut refused = vec![first];
        while refused.len() < GROUP_MAX
            && let Ok(job) = self.queue.try_recv()
        {
            refused.push(job);
        }
        for job in refused {
            answer_unrun(job, copy(error));
        }
    }

    /// Commits what the jobs of a group have changed, if it is anything.
    fn commit(&mut self, mut answers: Vec<Answer>) {
        if !self.is_open() {
            return;
        }
        let committed = {
            let _waits = self.condition.at_disk();
            self.connection.execute("COMMIT", &[])
        };
        match committed {
            Ok(_none) => {
                // Here, since a sync may end after a commit that failed behind it.
                self.condition.note(None);
                // Handing over is dearer than a sync that nobody waits behind.
                if answers.len() == 1 && self.queue.is_empty() {
                    self.syncer.sync(answers);
                } else {
                    self.syncer.hand_over(answers);
                }
            }
            Err(error) => self.lose(&error, &mut answers),
        }
    }

    /// Says of the whole transaction that it is not stored.
    fn lose(&mut self, error: &Error, answers: &mut Vec<Answer>) {
        self.condition.note(Some(error));
        if self.is_open()
            && let Err(error) = self.connection.execute("ROLLBACK", &[])
        {
            tracing::error!(%error, "cannot roll back a change to the tracking store");
        }
        for answer in answers.drain(..) {
            answer(Some(copy(error)));
        }
    }

    fn is_open(&self) -> bool {
        !self.connection.inner.is_autocommit()
    }
}

/// What takes back a job that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undo {
    Savepoint,
    /// The job is the first of the transaction.
    Transaction,
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
