//! Where requests leave their entries for the prediction log.
//!
//! A request hands over pointers to its columns and goes on; a thread of its own writes
//! ([`super::writer`]). When the thread cannot keep up, or the disk has no room, requests are dropped and
//! counted, never slowed, and their answers say so. Where rows are committed, answers wait for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::entry::Entry;
use super::logged::Logged;
use super::summary::Summariser;
use super::upload::Uploader;
use super::writer::{Out, write};
use super::{reading, segment};
use crate::disk_quota::DiskQuota;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::options::LogOptions;
use crate::private_files;

/// Bytes of columns that wait to be written; some thousand requests of a usual size, or a few large ones.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Where requests leave their entries.
#[derive(Debug)]
pub(crate) struct PredictionLog {
    queue: SyncSender<Entry>,
    flush: Arc<AtomicBool>,
    /// Bytes of the entries that are not written yet.
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    /// Whether answers wait until their rows are durable.
    commits: bool,
}

/// Ends when every [`PredictionLog`] is gone and the last segment is whole.
pub(crate) type Writer = JoinHandle<()>;

impl PredictionLog {
    /// Starts the writing thread.
    pub(crate) fn start(
        options: LogOptions,
        quota: Arc<DiskQuota>,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Writer)> {
        private_files::folder(&options.dir)
            .map_err(|source| Error::Io { path: options.dir.clone(), source })?;
        segment::remove_abandoned(&options.dir);
        if options.store.is_none() {
            reading::prepare(&options.dir)
                .map_err(|source| Error::Io { path: options.dir.clone(), source })?;
        }
        let (queue, entries) = sync_channel(options.queue_max.max(1));
        let counts = Arc::clone(&metrics);
        let flush = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&flush);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        let (path, commits) = (options.dir.clone(), options.commits);
        let uploader = match options.store.clone() {
            Some(store) => {
                let runtime = tokio::runtime::Handle::current();
                let uploader = Uploader::start(store, Arc::clone(&metrics), runtime);
                Some(uploader.map_err(|source| Error::Io { path: path.clone(), source })?)
            }
            None => None,
        };
        let summariser = match &options.store {
            Some(_) => None,
            None => Summariser::start(&options, Arc::clone(&quota))
                .map_err(|source| Error::Io { path: path.clone(), source })?,
        };
        let thread = std::thread::Builder::new()
            .name("prediction-log".to_owned())
            .spawn(move || {
                let (waiting, metrics) = (written, counts);
                let out = Out { options, quota, waiting, metrics, uploader, summariser };
                write(&out, &entries, &asked);
                out.finish();
            })
            .map_err(|source| Error::Io { path, source })?;
        Ok((Self { queue, flush, waiting, metrics, commits }, thread))
    }

    /// Asks the writer to close the open segment within a tick, so that readers see what was
    /// logged so far without waiting for its age.
    pub(crate) fn flush(&self) {
        self.flush.store(true, Ordering::Release);
    }

    /// Hands an entry over, or drops and counts it; what is answered waits where rows are committed first.
    pub(crate) fn push(&self, mut entry: Entry) -> Logged {
        let rows = entry.input.num_rows() as u64;
        let bytes = entry.bytes();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > WAITING_BYTES_MAX {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.log_dropped.fetch_add(rows, Ordering::Relaxed);
            return Logged::Dropped;
        }
        let logged = if self.commits {
            let (committed, waits) = oneshot::channel();
            entry.committed = Some(committed);
            Logged::Waits(waits)
        } else {
            Logged::Unsaid
        };
        // Counted first, so that the writer never takes off what is not on yet.
        self.metrics.log_queued.fetch_add(1, Ordering::Relaxed);
        match self.queue.try_send(entry) {
            Ok(()) => logged,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                self.metrics.log_queued.fetch_sub(1, Ordering::Relaxed);
                self.metrics.log_dropped.fetch_add(rows, Ordering::Relaxed);
                Logged::Dropped
            }
        }
    }
}
