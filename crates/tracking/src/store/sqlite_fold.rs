//! Folds the write-ahead log of an SQLite file into the file, beside the thread that writes.
//!
//! SQLite would do so within a commit, and the writer would wait until thousands of pages are copied and both files are
//! synced. Here another connection copies what is there while the writer goes on. What came meanwhile is little: the
//! writer copies that itself, and the log begins anew.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::condition::Condition;
use super::database::{Connection as _, Row};
use super::sqlite_connection::{Access, SqliteConnection};
use crate::error::{Error, Result};

/// Pages of the log (4 KiB each) from which on it is folded in.
const PAGES: i64 = 4000;
/// Pages at which the writer waits: the disk takes more time to copy them than the writer to write them.
const PAGES_MAX: i64 = 16 * PAGES;

/// What is copied beside the writer.
#[derive(Debug)]
pub(super) struct Folding {
    condition: Arc<Condition>,
    /// Kept from one time to the next, once it was needed.
    connection: Option<SqliteConnection>,
    copying: Option<JoinHandle<Option<SqliteConnection>>>,
}

impl Folding {
    /// Of the file that `condition` knows, whose log nobody else folds in by itself.
    pub(super) fn new(condition: Arc<Condition>) -> Self {
        Self { condition, connection: None, copying: None }
    }

    /// Keeps the log of `writer` short, which is between two transactions.
    pub(super) fn keep_short(&mut self, writer: &mut SqliteConnection) {
        let pages = match log(writer, "NOOP") {
            Ok(log) => log.pages,
            Err(error) => return tell(&self.condition, &error),
        };
        let Some(copying) = &self.copying else {
            if pages >= PAGES {
                self.begin(writer);
            }
            return;
        };
        if copying.is_finished() || pages >= PAGES_MAX {
            self.wait();
            fold(writer, &self.condition);
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
#[derive(Debug, Default)]
struct Log {
    /// Whether nobody else was folding it in.
    is_free: bool,
    pages: i64,
    copied: i64,
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

/// The log has everything, and the next write says what is wrong with the disk, mostly. A sync that failed is told once:
/// if it were tried again it would succeed, and the log begin anew over what the file never got.
fn tell(condition: &Condition, error: &Error) {
    if matches!(error, Error::NotKept { .. }) {
        return condition.note(Some(error));
    }
    tracing::debug!(%error, "the write-ahead log is not folded into the tracking store");
}
