//! The thread that makes summaries, as long as a server writes the log.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::covered::Covered;
use super::keeper::Keeper;
use super::removal;
use crate::disk_quota::DiskQuota;
use crate::options::LogOptions;

/// The thread; it ends when this is finished.
#[derive(Debug)]
pub(in super::super) struct Summariser {
    covered: Arc<Covered>,
    alive: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Summariser {
    /// Starts the thread; none where no summaries are wanted, and what was kept is removed.
    pub(in super::super) fn start(
        log: &LogOptions,
        quota: Arc<DiskQuota>,
    ) -> io::Result<Option<Self>> {
        if log.summaries_bytes_max == 0 {
            removal::remove_all(&log.dir)?;
            return Ok(None);
        }
        let covered = Arc::new(Covered::default());
        let keeper = Keeper::new(log, quota, Arc::clone(&covered));
        let (alive, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name("prediction-log-summaries".to_owned())
            .spawn(move || keeper.keep(&stopped))?;
        Ok(Some(Self { covered, alive, thread }))
    }

    /// What is in summaries.
    pub(in super::super) fn covered(&self) -> Arc<Covered> {
        Arc::clone(&self.covered)
    }

    /// Ends it, within a segment: what is not summarised is the next start's.
    pub(in super::super) fn finish(self) {
        drop(self.alive);
        if self.thread.join().is_err() {
            tracing::error!("summarising the prediction log broke off; this is a bug");
        }
    }
}
