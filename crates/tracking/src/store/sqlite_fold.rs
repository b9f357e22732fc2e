//! Folds the write-ahead log of an SQLite file into the file, beside the thread that writes.
//!
//! SQLite would do so within a commit, and the writer would wait until thousands of pages are copied and both files are
//! synced. Here another connection copies what is there while the writer goes on. What came meanwhile is little: the
//! writer copies that itself, and the log begins anew.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::condition::Condition;
use super::database::{Connection as _, Row};
use super::sqlite_connection::{Access, SqliteConnection};
use crate::error::{Error, Result};

/// How many pages of the log (4 KiB each) lead to what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    /// So many more than at the last time, and the log is folded in.
    pub(super) fold: i64,
    /// From here on the writer waits a moment for those who read the log, so that it begins anew.
    pub(super) restart: i64,
    /// So many came while the log was copied, and the writer waits for that: the disk takes more time to copy them than
    /// the writer to write them. A log of this length that stays is also told of.
    pub(super) most: i64,
}

impl Default for Lengths {
    fn default() -> Self {
        Self { fold: 4000, restart: 8000, most: 60_000 }
    }
}

/// For how long the writer waits for whoever reads the log: most reads take less, and no write should wait for more.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is copied beside the writer.
#[derive(Debug)]
pub(super) struct Folding {
    condition: Arc<Condition>,
    lengths: Lengths,
    /// Pages of the log at the last time: those before them need not be tried again.
    tried: i64,
    /// Pages at which somebody is told that the log cannot be folded in.
    telling: i64,
    /// Kept from one time to the next, once it was needed.
    connection: Option<SqliteConnection>,
    copying: Option<JoinHandle<Option<SqliteConnection>>>,
}

impl Folding {
    /// Of the file that `condition` knows, whose log nobody else folds in by itself.
    pub(super) fn new(condition: Arc<Condition>, lengths: Lengths) -> Self {
        let telling = lengths.most;
        Self { condition, lengths, tried: 0, telling, connection: None, copying: None }
    }

    /// Keeps the log of `writer` short, which is between two transactions.
    pub(super) fn keep_short(&mut self, writer: &mut SqliteConnection) {
        let pages = match log(writer, "NOOP") {
            Ok(log) => log.pages,
            Err(error) => return tell(&self.condition, &error),
        };
        if pages < self.tried {
            // It has begun anew.
            (self.tried, self.telling) = (0, self.lengths.most);
        }
        // A log that is not on the disk is left as it is, and a file that was moved away is not made anew.
        let may_fold = |condition: &Condition| condition.check_place().is_ok();
        let Some(copying) = &self.copying else {
            if pages - self.tried >= self.lengths.fold && may_fold(&self.condition) {
                self.tried = pages;
                self.begin(writer);
            }
            return;
        };
        if copying.is_finished() || pages - self.tried >= self.lengths.most {
            self.wait();
            if may_fold(&self.condition) {
                self.end(writer);
            }
        }
    }

    /// Copies what came meanwhile. The log begins anew with the next write, unless somebody reads it just then; of one
    /// that grew nevertheless they are waited for. Who reads what is in the file by now reads that, so it is only they.
    fn end(&mut self, writer: &mut SqliteConnection) {
        let mode = if self.tried >= self.lengths.restart { "RESTART" } else { "PASSIVE" };
        let folded = {
            let _waits = self.condition.at_disk();
            writer.with_patience(PATIENCE, |writer| log(writer, mode))
        };
        match folded {
            Ok(log) => {
                self.tried = log.pages;
                self.tell_of(log);
            }
            Err(error) => tell(&self.condition, &error),
        }
    }

    /// Says, each time that it has doubled, that somebody keeps the log from being folded in.
    fn tell_of(&mut self, log: Log) {
        if log.pages >= self.telling && log.copied < log.pages {
            self.telling = log.pages.saturating_mul(2);
            let megabytes = log.pages / 256;
            tracing::warn!(
                megabytes,
                "the write-ahead log of the database grows: somebody has read one state of it for long, maybe another \
                 program that keeps a transaction open, and until that ends the log cannot be folded into the file"
            );
        }
    }

    fn begin(&mut self, writer: &mut SqliteConnection) {
        let (kept, condition) = (self.connection.take(), Arc::clone(&self.condition));
        let file = condition.place().database().to_owned();
        let copy = move || {
            let opened = kept.map_or_else(|| SqliteConnection::open(&file, Access::Write), Ok);
            let mut connection = opened.map_err(|error| tell(&condition, &error)).ok()?;
            fold(&mut connection, &condition);
            Some(connection)
        };
        let thread = std::thread::Builder::new().name("trainyard-sqlite-fold".to_owned());
        match thread.spawn(copy) {
            Ok(copying) => self.copying = Some(copying),
            Err(error) => {
                tracing::debug!(%error, "no thread that folds the log in");
                fold(writer, &self.condition);
            }
        }
    }

    fn wait(&mut self) {
        if let Some(copying) = self.copying.take() {
            // It panics for nothing of the database's; a connection is opened anew then.
            let _waits = self.condition.at_disk();
            self.connection = copying.join().unwrap_or_default();
        }
    }
}

impl Drop for Folding {
    /// The last connection takes the log away, and must not be this one.
    fn drop(&mut self) {
        self.wait();
    }
}

/// Copies the log into the file; whether nothing is left of it. Nobody is waited for: what a reader still needs stays in
/// the log until the next time.
pub(super) fn fold(connection: &mut SqliteConnection, condition: &Condition) -> bool {
    match log(connection, "PASSIVE") {
        Ok(log) => log.is_free && log.pages == log.copied,
        Err(error) => {
            tell(condition, &error);
            true
        }
    }
}

/// The log, once it was folded in, or just looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Log {
    /// Whether nobody else was folding it in.
    is_free: bool,
    pages: i64,
    copied: i64,
}

/// Pages of the log, as the connection sees it.
pub(super) fn pages(connection: &mut SqliteConnection) -> Result<i64> {
    Ok(log(connection, "NOOP")?.pages)
}

fn log(connection: &mut SqliteConnection, mode: &str) -> Result<Log> {
    let mut log = Log::default();
    let mut read = |row: &dyn Row| -> Result<()> {
        let is_free = row.int(0)? == Some(0);
        log = Log { is_free, pages: row.need_int(1)?, copied: row.need_int(2)? };
        Ok(())
    };
    connection.query(&format!("PRAGMA wal_checkpoint({mode})"), &[], &mut read)?;
    Ok(log)
}

/// The log has everything, and the next write says what is wrong with the disk, mostly. A sync that failed is told once,
/// and that of the log may be meant: if it were tried again it would succeed, and prove nothing.
fn tell(condition: &Condition, error: &Error) {
    if matches!(error, Error::NotKept { .. }) {
        return condition.note(Some(error));
    }
    tracing::debug!(%error, "the write-ahead log is not folded into the tracking store");
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const LENGTHS: Lengths = Lengths { fold: 40, restart: 80, most: 400 };

    struct Log {
        _folder: tempfile::TempDir,
        writer: SqliteConnection,
        folding: Folding,
    }

    impl Log {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("mlflow.db");
            let mut writer = SqliteConnection::open(&file, Access::Write).unwrap();
            writer.leave_log_to_others().unwrap();
            writer.execute_script("CREATE TABLE t (n)").unwrap();
            let condition = Arc::new(Condition::of(&file, &file).unwrap());
            Self { _folder: folder, writer, folding: Folding::new(condition, LENGTHS) }
        }

        fn reader(&self) -> SqliteConnection {
            let file = self.folding.condition.place().database().to_owned();
            SqliteConnection::open(&file, Access::Read).unwrap()
        }

        /// Writes some ten pages; how many the log has then.
        fn write(&mut self) -> i64 {
            self.writer.execute("INSERT INTO t VALUES (zeroblob(40000))", &[]).unwrap();
            self.folding.keep_short(&mut self.writer);
            pages(&mut self.writer).unwrap()
        }
    }

    fn read(reader: &mut SqliteConnection) {
        reader.execute("BEGIN", &[]).unwrap();
        reader.query("SELECT count(*) FROM t", &[], &mut |_row| Ok(())).unwrap();
    }

    #[test]
    fn a_log_that_somebody_always_reads_begins_anew_nevertheless() {
        let mut log = Log::new();
        let is_over = AtomicBool::new(false);
        let mut readers: Vec<_> = (0..3).map(|_reader| log.reader()).collect();
        std::thread::scope(|scope| {
            for reader in &mut readers {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Acquire) {
                        read(reader);
                        std::thread::sleep(Duration::from_millis(5));
                        reader.execute("COMMIT", &[]).unwrap();
                    }
                });
            }
            let longest = (0..600).map(|_write| log.write()).max().unwrap();
            is_over.store(true, Ordering::Release);
            // Of some 6,000 pages that were written.
            assert!(longest < 2000, "{longest}");
        });
    }

    #[test]
    fn who_reads_one_state_for_long_is_told_of_and_afterwards_the_log_is_short() {
        let mut log = Log::new();
        let mut reader = log.reader();
        log.write();
        read(&mut reader);
        let telling = log.folding.telling;
        while log.folding.telling == telling {
            assert!(log.write() < 100_000, "nobody is told");
        }
        reader.execute("COMMIT", &[]).unwrap();
        let longest = pages(&mut log.writer).unwrap();
        while log.write() >= LENGTHS.most {
            assert!(pages(&mut log.writer).unwrap() < 2 * longest, "it never begins anew");
        }
        assert_eq!(log.folding.telling, telling);
    }
}
