//! Syncs the write-ahead log of an SQLite file beside the thread that writes, and answers those whose changes are
//! on the disk.
//!
//! SQLite would wait for the disk within each commit, and the writer with it. So its connection leaves that out
//! (`synchronous=NORMAL`: commits are written to the log, and the log is synced where it is folded into the file),
//! and the log is synced here, while the writer runs the next changes. Nobody is told of a change before the sync
//! that begins after its commit.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::Notify;

use super::condition::{Condition, copy};
use crate::error::{Error, Result};

/// How a file is synced.
pub(super) type SyncFile = fn(&File) -> io::Result<()>;

/// Told how the commit went.
pub(super) type Answer = Box<dyn FnOnce(Option<Error>) + Send>;

/// The thread that syncs.
#[derive(Debug)]
pub(super) struct Syncer {
    log: Arc<Log>,
    commits: Option<SyncSender<Commit>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Of the log beside the file that `condition` knows.
    pub(super) fn start(condition: Arc<Condition>, sync: SyncFile) -> Result<Self> {
        let log = Arc::new(Log {
            condition,
            sync,
            file: Mutex::new(None),
            pending: AtomicUsize::new(0),
            synced: Notify::new(),
        });
        // Whoever commits while there is a commit to be synced waits: what is written stays bounded.
        let (commits, queue) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("trainyard-sqlite-sync".to_owned())
            .spawn(move || sync_loop(&queue))
            .map_err(|error| Error::database(format!("no thread that syncs: {error}")))?;
        Ok(Self { log, commits: Some(commits), thread: Some(thread) })
    }

    /// Whether there are commits to be synced.
    pub(super) fn is_busy(&self) -> bool {
        self.log.pending.load(Ordering::Acquire) > 0
    }

    /// Waits until there are none.
    pub(super) async fn idle(&self) {
        loop {
            let synced = self.log.synced.notified();
            if !self.is_busy() {
                return;
            }
            synced.await;
        }
    }

    /// Syncs a commit on the thread of the caller, who has nothing else to do.
    pub(super) fn sync(&self, answers: Vec<Answer>) {
        self.log.keep(answers);
    }

    /// Has a commit synced.
    pub(super) fn hand_over(&self, answers: Vec<Answer>) {
        self.log.pending.fetch_add(1, Ordering::Release);
        let commit = Commit { answers, log: Arc::clone(&self.log) };
        if let Some(commits) = &self.commits
            && let Err(unsent) = commits.send(commit)
        {
            // The thread has panicked.
            unsent.0.keep();
        }
    }
}

impl Drop for Syncer {
    /// Waits until what was handed over is answered.
    fn drop(&mut self) {
        drop(self.commits.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs the tracking store panicked");
        }
    }
}

/// Syncs what is handed over, until nobody can hand over anything.
fn sync_loop(commits: &Receiver<Commit>) {
    while let Ok(commit) = commits.recv() {
        commit.keep();
    }
}

/// A commit that is to be synced.
struct Commit {
    answers: Vec<Answer>,
    log: Arc<Log>,
}

impl Commit {
    fn keep(mut self) {
        self.log.keep(std::mem::take(&mut self.answers));
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        self.log.pending.fetch_sub(1, Ordering::Release);
        self.log.synced.notify_waiters();
    }
}

/// The write-ahead log as a file.
#[derive(Debug)]
struct Log {
    condition: Arc<Condition>,
    sync: SyncFile,
    /// Opened at the first sync: the first write makes it. It stays until the last connection is closed.
    file: Mutex<Option<File>>,
    pending: AtomicUsize,
    synced: Notify,
}

impl Log {
    /// Makes what is committed durable, and says how that went.
    fn keep(&self, answers: Vec<Answer>) {
        // Looked at again: what went into a file that is gone by now is not kept.
        let failure = self.sync().and_then(|()| self.condition.check_place()).err();
        if failure.is_some() {
            self.condition.note(failure.as_ref());
        }
        for answer in answers {
            answer(failure.as_ref().map(in_doubt));
        }
    }

    fn sync(&self) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A commit lies behind the one that was not kept, and a failure is told once.
        self.condition.check_end()?;
        let open = match file.take() {
            Some(open) => open,
            None => self.condition.place().open_log()?,
        };
        let synced = {
            let _waits = self.condition.at_disk();
            (self.sync)(&open)
        };
        if let Err(error) = synced {
            let error = Error::NotKept { reason: error.to_string() };
            self.condition.give_up(&error);
            return Err(error);
        }
        *file = Some(open);
        Ok(())
    }
}

/// What is told of a change that is committed: of a log that the disk did not keep, it may be read one day.
fn in_doubt(failure: &Error) -> Error {
    match failure {
        Error::NotKept { reason } => Error::Doubtful {
            reason: format!(
                "the disk did not keep what was written to the tracking database ({reason})"
            ),
            is_repeatable: false,
        },
        failure => copy(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(log: &str) -> (tempfile::TempDir, Arc<Condition>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mlflow.db");
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(log, folder.path().join("mlflow.db-wal")).unwrap();
        let condition = Condition::of(&file, &file).unwrap();
        (folder, Arc::new(condition))
    }

    fn answer() -> (Answer, Receiver<Option<Error>>) {
        let (told, heard) = std::sync::mpsc::channel();
        (Box::new(move |error| told.send(error).unwrap()), heard)
    }

    #[test]
    fn what_was_handed_over_is_answered_before_the_end() {
        let (_folder, condition) = condition("mlflow.db");
        let syncer = Syncer::start(Arc::clone(&condition), File::sync_data).unwrap();
        let (answers, heard): (Vec<_>, Vec<_>) = (0..3).map(|_commit| answer()).unzip();
        for answer in answers {
            syncer.hand_over(vec![answer]);
        }
        drop(syncer);
        assert!(heard.iter().all(|heard| heard.try_recv().unwrap().is_none()));
        condition.check().unwrap();
    }

    /// The kernel may have dropped what it could not write, and then says so once.
    #[test]
    fn what_could_not_be_synced_is_no_success_and_nothing_after_it_is() {
        // A file that cannot be synced.
        let (folder, condition) = condition("/dev/null");
        let syncer = Syncer::start(Arc::clone(&condition), File::sync_data).unwrap();
        let folder = folder.path();
        let tell = || {
            let (answer, heard) = answer();
            syncer.sync(vec![answer]);
            heard.try_recv().unwrap().unwrap()
        };
        assert!(matches!(tell(), Error::Doubtful { is_repeatable: false, .. }));
        // What was committed meanwhile is behind it in the log, of which a sync may succeed by now.
        std::fs::remove_file(folder.join("mlflow.db-wal")).unwrap();
        std::os::unix::fs::symlink("mlflow.db", folder.join("mlflow.db-wal")).unwrap();
        assert!(matches!(tell(), Error::Doubtful { is_repeatable: false, .. }));
        for refused in [condition.check(), condition.check_writing()] {
            assert!(matches!(refused, Err(Error::NotKept { .. })), "{refused:?}");
        }
        condition.note(None);
        assert!(condition.check().is_err(), "until all of it was written once more");
        condition.resume();
        condition.check_end().unwrap();
    }
}
