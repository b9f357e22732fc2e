//! SQLite: one thread writes, many connections read.
//!
//! A commit that survives a power cut costs milliseconds, whatever it holds. So one thread owns the
//! only writing connection, takes all jobs that wait, runs each within its own savepoint and commits
//! once (group commit); another one syncs the log and then answers all of them. In WAL mode readers are
//! never blocked.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::call::{Call, ReadLimits, Waiting};
use super::condition::Condition;
use super::database::Connection;
use super::mark::Mark;
use super::permits::{Permits, Reading};
use super::sqlite_connection::{Access, SqliteConnection};
use super::sqlite_readers::Readers;
use super::sqlite_sync::SyncFile;
use super::sqlite_writer::{Job, Outcome, Writer};
use crate::artifacts::real_path;
use crate::error::{Error, Result};
use crate::metrics::METRICS;

/// Jobs that wait; beyond that callers wait before they queue, which bounds memory.
const QUEUE_MAX: usize = 1024;
/// How often whoever waits for a write looks whether the disk hangs.
const LOOK_EVERY: Duration = Duration::from_secs(1);
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
        Self::open_synced(path, limits, File::sync_data, prepare)
    }

    fn open_synced(
        path: &Path,
        limits: ReadLimits,
        sync: SyncFile,
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
        let writer = Writer::new(connection, queue, Arc::clone(&condition), sync)?;
        METRICS.watch(&condition);
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

    /// Whether writes would be kept: the disk takes something, the file is still there, the last commit did not fail, and
    /// somebody writes.
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

    /// Runs a change on the writer thread; returns after the commit, or when the disk hangs.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        if let Some(seconds) = self.condition.stalled() {
            return Err(Error::Stalled { seconds });
        }
        let (answer, result) = oneshot::channel();
        let turn = Arc::new(Turn::default());
        let taken = Arc::clone(&turn);
        let job: Job = Box::new(move |connection| {
            if !taken.take() {
                return Outcome { failed: true, answer: Box::new(|_error| {}) };
            }
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
        let sent = self.unless_it_hangs(jobs.send(job)).await;
        sent.map_err(|seconds| Error::Stalled { seconds })?.map_err(|_closed| Error::Stopped)?;
        METRICS.queued(jobs.max_capacity() - jobs.capacity());
        match self.unless_it_hangs(result).await {
            Ok(result) => result.map_err(|_dropped| Error::database("the change broke off"))?,
            // Nobody will begin it.
            Err(seconds) if turn.take() => Err(Error::Stalled { seconds }),
            Err(seconds) => {
                let reason = format!(
                    "the disk has not taken what was written to the tracking database for {seconds} s"
                );
                Err(Error::Doubtful { reason, is_repeatable: false })
            }
        }
    }

    /// Waits for something until it is there, or the disk hangs: then, for how many seconds.
    async fn unless_it_hangs<T>(&self, wait: impl Future<Output = T>) -> Result<T, u64> {
        let mut wait = std::pin::pin!(wait);
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut wait).await {
                Ok(there) => return Ok(there),
                Err(_elapsed) => self.condition.stalled().map_or(Ok(()), Err)?,
            }
        }
    }
}

/// Whose a change is: the writer's, which begins it, or that of whoever waited for it and gave up. The first one has it.
#[derive(Debug, Default)]
struct Turn(AtomicBool);

impl Turn {
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
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
    use std::io;
    use std::sync::{Condvar, Mutex};
    use std::time::Instant;

    use super::*;

    fn make_table(connection: &mut SqliteConnection) -> Result<()> {
        connection.execute_script("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
    }

    async fn insert(sqlite: &Sqlite) -> Result<usize> {
        sqlite.write(|connection| connection.execute("INSERT INTO t VALUES (1)", &[])).await
    }

    async fn count(sqlite: &Sqlite) -> i64 {
        let count = |connection: &mut dyn Connection| {
            connection.first("SELECT count(*) FROM t", &[], |row| row.need_int(0))
        };
        sqlite.read(count).await.unwrap().unwrap()
    }

    /// Whether a disk that is not there takes anything.
    static HANGS: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    fn sync_unless_it_hangs(file: &File) -> io::Result<()> {
        let hangs = HANGS.0.lock().unwrap();
        drop(HANGS.1.wait_while(hangs, |hangs| *hangs).unwrap());
        file.sync_data()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_disk_that_hangs_is_said_and_nobody_waits_for_it_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mlflow.db");
        let opened =
            Sqlite::open_synced(&file, ReadLimits::default(), sync_unless_it_hangs, make_table);
        let sqlite = opened.unwrap();
        insert(&sqlite).await.unwrap();
        *HANGS.0.lock().unwrap() = true;
        let (first, second, third) =
            tokio::join!(insert(&sqlite), insert(&sqlite), insert(&sqlite));
        let answers = [first, second, third].map(Result::unwrap_err);
        // One has been committed, at least, and nobody knows more; of one that was not begun it is known.
        let is_honest = |error: &Error| {
            matches!(error, Error::Doubtful { is_repeatable: false, .. } | Error::Stalled { .. })
        };
        assert!(answers.iter().all(is_honest), "{answers:?}");
        assert!(matches!(answers[0], Error::Doubtful { .. }), "{answers:?}");
        let certain = answers.iter().filter(|error| matches!(error, Error::Stalled { .. })).count();
        assert!(matches!(sqlite.health(), Err(Error::Stalled { .. })));
        // Who comes now is told at once, and what can be read is read.
        assert!(matches!(insert(&sqlite).await, Err(Error::Stalled { .. })));
        count(&sqlite).await;
        assert!(METRICS.page().contains("\ntrainyard_store_writable 0\n"));

        *HANGS.0.lock().unwrap() = false;
        HANGS.1.notify_all();
        let deadline = Instant::now() + Duration::from_mins(1);
        while sqlite.health().is_err() {
            assert!(Instant::now() < deadline, "it is never well again");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        insert(&sqlite).await.unwrap();
        // What was said not to be stored is not.
        assert_eq!(count(&sqlite).await, 5 - i64::try_from(certain).unwrap());
    }

    static FAILS: AtomicBool = AtomicBool::new(false);

    fn sync_unless_it_fails(file: &File) -> io::Result<()> {
        if FAILS.load(Ordering::Acquire) {
            Err(io::Error::other("no disk"))
        } else {
            file.sync_data()
        }
    }

    /// Of a disk that takes everything again nobody has to restart anything.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_sync_did_not_keep_is_written_once_more_and_then_others_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mlflow.db");
        let opened =
            Sqlite::open_synced(&file, ReadLimits::default(), sync_unless_it_fails, make_table);
        let sqlite = opened.unwrap();
        insert(&sqlite).await.unwrap();
        FAILS.store(true, Ordering::Release);
        assert!(matches!(insert(&sqlite).await, Err(Error::Doubtful { .. })));
        assert!(matches!(insert(&sqlite).await, Err(Error::NotKept { .. })));
        assert!(matches!(sqlite.health(), Err(Error::NotKept { .. })));
        // A log that is not what was written is not taken for it: here, the checksum of its first page.
        let log = File::options().write(true).read(true).open(folder.path().join("mlflow.db-wal"));
        let (log, mut byte) = (log.unwrap(), [0]);
        std::os::unix::fs::FileExt::read_exact_at(&log, &mut byte, 48).unwrap();
        let put = |byte: u8| std::os::unix::fs::FileExt::write_all_at(&log, &[byte], 48).unwrap();
        put(!byte[0]);
        FAILS.store(false, Ordering::Release);
        let end = Instant::now() + 2 * LOOK_EVERY;
        while Instant::now() < end {
            assert!(matches!(insert(&sqlite).await, Err(Error::NotKept { .. })));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        put(byte[0]);
        // Nobody has to write for it.
        let deadline = Instant::now() + Duration::from_mins(1);
        while sqlite.health().is_err() {
            assert!(Instant::now() < deadline, "it is never well again");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        insert(&sqlite).await.unwrap();
        drop(sqlite);
        assert!(!folder.path().join("mlflow.db-wal").exists());
        let database = rusqlite::Connection::open(&file).unwrap();
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        assert_eq!(database.query_row("SELECT count(*) FROM t", [], count).unwrap(), 3);
    }

    /// A sync that is tried again succeeds, and the log would be removed over what the file never got.
    #[test]
    fn a_log_that_is_not_on_the_disk_stays_when_the_file_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, log) = (folder.path().join("mlflow.db"), folder.path().join("mlflow.db-wal"));
        let open =
            |sync| Sqlite::open_synced(&file, ReadLimits::default(), sync, make_table).unwrap();
        let sqlite = open(|_log| Err(io::Error::other("no disk")));
        sqlite.health().unwrap();
        sqlite.condition.note(Some(&Error::NotKept { reason: "no disk".to_owned() }));
        sqlite.condition.note(None);
        assert!(matches!(sqlite.health(), Err(Error::NotKept { .. })));
        drop(sqlite);
        assert!(log.exists());
        let sqlite = open(File::sync_data);
        sqlite.health().unwrap();
        drop(sqlite);
        assert!(!log.exists());
    }
}
