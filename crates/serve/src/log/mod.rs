//! The prediction log: what was asked and answered, as Parquet segments.
//!
//! A request hands over pointers to its columns and goes on; a thread of its own writes. When the
//! thread cannot keep up, requests are dropped and counted, never slowed. A segment is written
//! under a hidden name and renamed when it is whole, so a reader sees only whole files; names are
//! unique to the process, so several servers may share a folder.

mod segment;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use trainyard_models::Prediction;

use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::options::LogOptions;
use segment::Segment;
use upload::{Uploader, Whole};

/// One answered request.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) request_id: Arc<str>,
    /// Milliseconds since the Unix epoch.
    pub(crate) time_ms: i64,
    pub(crate) version: Arc<str>,
    pub(crate) input: RecordBatch,
    pub(crate) prediction: Prediction,
}

/// Rows that are put together before they are encoded: encoding has a price a call.
const CHUNK_ROWS: usize = 4096;

/// How long rows are gathered before they are encoded, and how often the age of the segment is
/// looked at.
const TICK: Duration = Duration::from_millis(200);

/// Where requests leave their entries.
#[derive(Debug)]
pub(crate) struct PredictionLog {
    queue: SyncSender<Entry>,
    flush: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
}

/// Ends when every [`PredictionLog`] is gone and the last segment is whole.
pub(crate) type Writer = JoinHandle<()>;

impl PredictionLog {
    /// Starts the writing thread.
    pub(crate) fn start(options: LogOptions, metrics: Arc<Metrics>) -> Result<(Self, Writer)> {
        std::fs::create_dir_all(&options.dir)
            .map_err(|source| Error::Io { path: options.dir.clone(), source })?;
        segment::remove_abandoned(&options.dir);
        let (queue, entries) = sync_channel(options.queue_max.max(1));
        let counts = Arc::clone(&metrics);
        let flush = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&flush);
        let path = options.dir.clone();
        let uploader = match options.store.clone() {
            Some(store) => {
                let runtime = tokio::runtime::Handle::current();
                let uploader = Uploader::start(store, Arc::clone(&metrics), runtime);
                Some(uploader.map_err(|source| Error::Io { path: path.clone(), source })?)
            }
            None => None,
        };
        let thread = std::thread::Builder::new()
            .name("prediction-log".to_owned())
            .spawn(move || {
                let out = Out { options, metrics: counts, uploader };
                write(&out, &entries, &asked);
                out.finish();
            })
            .map_err(|source| Error::Io { path, source })?;
        Ok((Self { queue, flush, metrics }, thread))
    }

    /// Asks the writer to close the open segment within a tick, so that readers see what was
    /// logged so far without waiting for its age.
    pub(crate) fn flush(&self) {
        self.flush.store(true, Ordering::Release);
    }

    /// Hands an entry over, or drops and counts it.
    pub(crate) fn push(&self, entry: Entry) {
        let rows = entry.input.num_rows() as u64;
        // Counted first, so that the writer never takes off what is not on yet.
        self.metrics.log_queued.fetch_add(1, Ordering::Relaxed);
        match self.queue.try_send(entry) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.log_queued.fetch_sub(1, Ordering::Relaxed);
                self.metrics.log_dropped.fetch_add(rows, Ordering::Relaxed);
            }
        }
    }
}

/// Where segments go.
#[derive(Debug)]
struct Out {
    options: LogOptions,
    metrics: Arc<Metrics>,
    /// None: they stay in the folder.
    uploader: Option<Uploader>,
}

fn write(out: &Out, entries: &Receiver<Entry>, asked: &AtomicBool) {
    let mut chunk: Vec<Entry> = Vec::new();
    let mut chunk_rows = 0;
    let mut chunk_started = Instant::now();
    let mut segment: Option<Segment> = None;
    loop {
        if chunk.is_empty() {
            chunk_started = Instant::now();
        }
        let received = entries.recv_timeout(TICK.saturating_sub(chunk_started.elapsed()));
        let open = !matches!(received, Err(RecvTimeoutError::Disconnected));
        if let Ok(entry) = received {
            out.metrics.log_queued.fetch_sub(1, Ordering::Relaxed);
            let same = chunk.last().is_none_or(|last| segment::is_alike(last, &entry));
            if !same {
                out.flush(&mut segment, &mut chunk);
                chunk_rows = 0;
            }
            chunk_rows += entry.input.num_rows();
            chunk.push(entry);
            if chunk_rows < CHUNK_ROWS && chunk_started.elapsed() < TICK {
                continue;
            }
        }
        out.flush(&mut segment, &mut chunk);
        chunk_rows = 0;
        let due = segment.as_ref().is_some_and(|segment| {
            segment.rows() >= out.options.segment_rows_max
                || Instant::now() >= segment.opened + out.options.segment_age_max
        });
        if asked.swap(false, Ordering::Acquire) || due || !open {
            out.close(segment.take());
        }
        if !open {
            return;
        }
    }
}

impl Out {
    /// Writes the chunk to the segment, to a new one if there is none or its columns are others.
    fn flush(&self, segment: &mut Option<Segment>, chunk: &mut Vec<Entry>) {
        if chunk.is_empty() {
            return;
        }
        let rows: u64 = chunk.iter().map(|entry| entry.input.num_rows() as u64).sum();
        let written = self.append(segment, chunk);
        chunk.clear();
        if let Err(error) = written {
            // What the segment held before is lost with it.
            let lost = rows + segment.take().map_or(0, |broken| broken.rows() as u64);
            self.failed(lost, &error);
        }
    }

    fn append(
        &self,
        segment: &mut Option<Segment>,
        chunk: &[Entry],
    ) -> Result<(), segment::Failure> {
        let batch = segment::batch(chunk)?;
        if segment.as_ref().is_some_and(|open| open.schema() != batch.schema_ref()) {
            self.close(segment.take());
        }
        let open = match segment {
            Some(open) => open,
            none => none.insert(Segment::create(&self.options.dir, batch.schema())?),
        };
        open.write(&batch)
    }

    fn close(&self, segment: Option<Segment>) {
        let Some(segment) = segment else { return };
        let rows = segment.rows() as u64;
        match (segment.close(), &self.uploader) {
            (Ok(path), Some(uploader)) => uploader.push(Whole { path, rows }),
            (Ok(_path), None) => {
                self.metrics.log_rows.fetch_add(rows, Ordering::Relaxed);
            }
            (Err(error), _) => self.failed(rows, &error),
        }
    }

    fn failed(&self, rows: u64, error: &segment::Failure) {
        self.metrics.log_failed.fetch_add(rows, Ordering::Relaxed);
        tracing::error!(rows, %error, "predictions are not logged");
    }

    /// Uploads what waits.
    fn finish(self) {
        let Some(uploader) = self.uploader else { return };
        uploader.finish();
        // Empty by now, unless something could not be removed; then it is the system's to clean.
        let _stays = std::fs::remove_dir(&self.options.dir);
    }
}
