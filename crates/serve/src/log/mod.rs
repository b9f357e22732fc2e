//! The prediction log: what was asked and answered, as Parquet segments.
//!
//! A request hands over pointers to its columns and goes on; a thread of its own writes. When the
//! thread cannot keep up, or the disk has no room, requests are dropped and counted, never slowed. Each
//! model has segments of its own. A segment is written under a hidden name and renamed when it is whole, so a reader sees only whole files; names are
//! unique to the process, so several servers may share a folder.

mod segment;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use trainyard_models::Prediction;

use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::options::LogOptions;
use crate::private;
use crate::room::Room;
use segment::Segment;
use upload::{Uploader, Whole};

/// Bytes of columns that wait to be written; some thousand requests of a usual size, or a few large ones.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Bytes of memory of all open segments together. One that takes more than its share is closed early.
const SEGMENTS_BYTES_MAX: usize = 128 << 20;

/// One answered request.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) request_id: Arc<str>,
    /// Milliseconds since the Unix epoch.
    pub(crate) time_ms: i64,
    /// The name under which the model is served.
    pub(crate) model: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) input: RecordBatch,
    pub(crate) prediction: Prediction,
}

impl Entry {
    /// Bytes that it keeps in memory while it waits.
    fn bytes(&self) -> usize {
        self.input.get_array_memory_size() + bytes_of(&self.prediction)
    }
}

fn bytes_of(prediction: &Prediction) -> usize {
    match prediction {
        Prediction::Column(values)
        | Prediction::Matrix { values, .. }
        | Prediction::Maps { values, .. } => values.get_array_memory_size(),
        Prediction::Named(parts) => parts.iter().map(|(_, part)| bytes_of(part)).sum(),
    }
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
    /// Bytes of the entries that are not written yet.
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

/// Ends when every [`PredictionLog`] is gone and the last segment is whole.
pub(crate) type Writer = JoinHandle<()>;

impl PredictionLog {
    /// Starts the writing thread.
    pub(crate) fn start(
        options: LogOptions,
        room: Arc<Room>,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Writer)> {
        private::folder(&options.dir)
            .map_err(|source| Error::Io { path: options.dir.clone(), source })?;
        segment::remove_abandoned(&options.dir);
        let (queue, entries) = sync_channel(options.queue_max.max(1));
        let counts = Arc::clone(&metrics);
        let flush = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&flush);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
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
                let out = Out { options, room, waiting: written, metrics: counts, uploader };
                write(&out, &entries, &asked);
                out.finish();
            })
            .map_err(|source| Error::Io { path, source })?;
        Ok((Self { queue, flush, waiting, metrics }, thread))
    }

    /// Asks the writer to close the open segment within a tick, so that readers see what was
    /// logged so far without waiting for its age.
    pub(crate) fn flush(&self) {
        self.flush.store(true, Ordering::Release);
    }

    /// Hands an entry over, or drops and counts it.
    pub(crate) fn push(&self, entry: Entry) {
        let rows = entry.input.num_rows() as u64;
        let bytes = entry.bytes();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > WAITING_BYTES_MAX {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.log_dropped.fetch_add(rows, Ordering::Relaxed);
            return;
        }
        // Counted first, so that the writer never takes off what is not on yet.
        self.metrics.log_queued.fetch_add(1, Ordering::Relaxed);
        match self.queue.try_send(entry) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.waiting.fetch_sub(bytes, Ordering::Relaxed);
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
    room: Arc<Room>,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    /// None: they stay in the folder.
    uploader: Option<Uploader>,
}

/// Entries that make one table, and the segment that they go to.
struct Line {
    kind: segment::Kind,
    chunk: Vec<Entry>,
    chunk_rows: usize,
    segment: Option<Segment>,
    /// When an entry came last.
    used: Instant,
}

/// Tables that are written at once: one for each model of the process and type of its answers.
const LINES_MAX: usize = 64;

fn write(out: &Out, entries: &Receiver<Entry>, asked: &AtomicBool) {
    let mut lines: Vec<Line> = Vec::new();
    let mut tick = Instant::now() + TICK;
    loop {
        let received = entries.recv_timeout(tick.saturating_duration_since(Instant::now()));
        let open = !matches!(received, Err(RecvTimeoutError::Disconnected));
        let now = Instant::now();
        if let Ok(entry) = received {
            out.metrics.log_queued.fetch_sub(1, Ordering::Relaxed);
            let line = out.line_of(&mut lines, &entry);
            line.used = now;
            line.chunk_rows += entry.input.num_rows();
            line.chunk.push(entry);
            if line.chunk_rows >= CHUNK_ROWS {
                out.flush(line, SEGMENTS_BYTES_MAX, false);
            }
        }
        if open && now < tick {
            continue;
        }
        tick = now + TICK;
        let close = asked.swap(false, Ordering::Acquire) || !open;
        let share = SEGMENTS_BYTES_MAX / lines.len().max(1);
        for line in &mut lines {
            out.flush(line, share, close);
        }
        if !open {
            return;
        }
    }
}

impl Out {
    /// The line of an entry's kind; a new one may take the place of the one that waited longest.
    fn line_of<'l>(&self, lines: &'l mut Vec<Line>, entry: &Entry) -> &'l mut Line {
        let kind = segment::Kind::of(entry);
        let at = lines.iter().position(|line| line.kind == kind).unwrap_or_else(|| {
            if lines.len() >= LINES_MAX
                && let Some(oldest) = (0..lines.len()).min_by_key(|&at| lines[at].used)
            {
                self.flush(&mut lines.swap_remove(oldest), 0, true);
            }
            let used = Instant::now();
            lines.push(Line { kind, chunk: Vec::new(), chunk_rows: 0, segment: None, used });
            lines.len() - 1
        });
        &mut lines[at]
    }

    /// Writes the chunk to the segment, and closes the segment if it is due, takes more memory than
    /// its share, or this is asked for.
    fn flush(&self, line: &mut Line, share: usize, close: bool) {
        if !line.chunk.is_empty() {
            let rows: u64 = line.chunk.iter().map(|entry| entry.input.num_rows() as u64).sum();
            let bytes: usize = line.chunk.iter().map(Entry::bytes).sum();
            if self.room.take(0).is_ok() {
                if let Err(error) = self.append(&mut line.segment, &line.chunk) {
                    // What the segment held before is lost with it.
                    let lost = rows + line.segment.take().map_or(0, |broken| broken.rows() as u64);
                    self.failed(lost, &error);
                }
            } else {
                self.metrics.log_dropped.fetch_add(rows, Ordering::Relaxed);
            }
            line.chunk.clear();
            line.chunk_rows = 0;
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        let due = line.segment.as_ref().is_some_and(|segment| {
            segment.rows() >= self.options.segment_rows_max
                || segment.opened.elapsed() >= self.options.segment_age_max
                || segment.memory() > share
        });
        if close || due {
            self.close(line.segment.take());
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
            (Ok(path), None) => {
                self.room.wrote(path.metadata().map_or(0, |about| about.len()));
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
