//! The thread that writes the prediction log.
//!
//! Each model has segments of its own. A segment is written under a hidden name and renamed when it is
//! whole, so a reader sees only whole files; names are unique to the process, so several servers may share
//! a folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::failure::Failure;
use super::recovery::recover;
use super::retention::Sweeper;
use super::segment::{Kind, Segment, batch};
use super::summary::Summariser;
use super::upload::{Uploader, Whole};
use crate::disk_quota::DiskQuota;
use crate::metrics::Metrics;
use crate::options::LogOptions;

/// Bytes of memory of all open segments together. One that takes more than its share is closed early.
const SEGMENTS_BYTES_MAX: usize = 128 << 20;

/// Rows that are put together before they are encoded: encoding has a price a call.
const CHUNK_ROWS: usize = 4096;

/// How long rows are gathered before they are encoded, and how often the age of the segment is
/// looked at.
const TICK: Duration = Duration::from_millis(200);

/// How long the thread rests when nothing waits: to be woken for each entry costs a request more than all else that it does
/// for the log. At a hundred thousand requests a second a fifth of the default queue fills meanwhile.
const REST: Duration = Duration::from_millis(2);

/// Where segments go.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) options: LogOptions,
    pub(super) quota: Arc<DiskQuota>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) metrics: Arc<Metrics>,
    /// None: they stay in the folder.
    pub(super) uploader: Option<Uploader>,
    /// Who summarises segments that stay in the folder.
    pub(super) summariser: Option<Summariser>,
}

/// Entries that make one table, and the segment that they go to.
struct Line {
    kind: Kind,
    chunk: Vec<Entry>,
    chunk_rows: usize,
    segment: Option<Segment>,
    /// When an entry came last.
    used: Instant,
}

/// Tables that are written at once: one for each model of the process and type of its answers.
const LINES_MAX: usize = 64;

/// Requests that are committed together: a disk syncs so many as fast as one.
const GROUP_MAX: usize = 1024;

/// How often journals are looked for that a server which shared the folder left.
const RECOVER_EVERY: Duration = Duration::from_mins(1);

/// Writes entries until no one is left who could hand one over.
pub(super) fn write(out: &Out, entries: &Receiver<Entry>, asked: &AtomicBool) {
    let mut lines: Vec<Line> = Vec::new();
    let covered = out.summariser.as_ref().map(Summariser::covered);
    let mut sweeper = Sweeper::new(&out.options, covered);
    out.recover();
    let mut recovered = Instant::now();
    let mut tick = Instant::now() + TICK;
    loop {
        let received = next(entries, tick, !out.options.commits);
        let open = !matches!(received, Err(RecvTimeoutError::Disconnected));
        let now = Instant::now();
        if let Ok(entry) = received {
            out.take(&mut lines, entry, now);
            if out.options.commits {
                // Whatever waits is committed with it.
                for entry in entries.try_iter().take(GROUP_MAX) {
                    out.take(&mut lines, entry, now);
                }
                for line in &mut lines {
                    out.flush(line, SEGMENTS_BYTES_MAX, false);
                }
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
        if out.options.commits && recovered.elapsed() >= RECOVER_EVERY {
            out.recover();
            recovered = Instant::now();
        }
        let removed = sweeper.look(close);
        out.metrics.log_removed.fetch_add(removed, Ordering::Relaxed);
        if !open {
            return;
        }
    }
}

/// The next entry, waited for until the tick. Whoever does not keep an answer waiting rests before it waits.
fn next(
    entries: &Receiver<Entry>,
    tick: Instant,
    may_rest: bool,
) -> Result<Entry, RecvTimeoutError> {
    match entries.try_recv() {
        Ok(entry) => return Ok(entry),
        Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
        Err(TryRecvError::Empty) if may_rest => std::thread::sleep(REST),
        Err(TryRecvError::Empty) => {}
    }
    entries.recv_timeout(tick.saturating_duration_since(Instant::now()))
}

impl Out {
    /// Makes segments of what killed servers left.
    fn recover(&self) {
        if self.uploader.is_none() {
            self.metrics.log_rows.fetch_add(recover(&self.options.dir), Ordering::Relaxed);
        }
    }

    /// Puts an entry to those of its kind.
    fn take(&self, lines: &mut Vec<Line>, entry: Entry, now: Instant) {
        self.metrics.log_queued.fetch_sub(1, Ordering::Relaxed);
        let line = self.line_of(lines, &entry);
        line.used = now;
        line.chunk_rows += entry.input.num_rows();
        line.chunk.push(entry);
        if line.chunk_rows >= CHUNK_ROWS {
            self.flush(line, SEGMENTS_BYTES_MAX, false);
        }
    }

    /// The line of an entry's kind; a new one may take the place of the one that waited longest.
    fn line_of<'l>(&self, lines: &'l mut Vec<Line>, entry: &Entry) -> &'l mut Line {
        let kind = Kind::of(entry);
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
            let is_kept = if self.quota.take(0).is_err() {
                self.metrics.log_dropped.fetch_add(rows, Ordering::Relaxed);
                false
            } else if let Err(error) = self.append(&mut line.segment, &line.chunk) {
                // What the segment held before is lost with it, unless it has a journal.
                let broken = line.segment.take().filter(|broken| !broken.has_journal());
                let lost = rows + broken.map_or(0, |broken| broken.rows() as u64);
                self.failed(lost, &error);
                false
            } else {
                true
            };
            for waiting in line.chunk.drain(..).filter_map(|entry| entry.committed) {
                let _nobody_waits = waiting.send(is_kept);
            }
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

    fn append(&self, segment: &mut Option<Segment>, chunk: &[Entry]) -> Result<(), Failure> {
        let batch = batch(chunk)?;
        if segment.as_ref().is_some_and(|open| open.schema() != batch.schema_ref()) {
            self.close(segment.take());
        }
        let open = match segment {
            Some(open) => open,
            none => none.insert(Segment::create(
                &self.options.dir,
                batch.schema(),
                self.options.commits,
            )?),
        };
        open.write(&batch)
    }

    fn close(&self, segment: Option<Segment>) {
        let Some(segment) = segment else { return };
        let (rows, has_journal) = (segment.rows() as u64, segment.has_journal());
        match (segment.close(), &self.uploader) {
            (Ok(path), Some(uploader)) => uploader.push(Whole { path, rows }),
            (Ok(path), None) => {
                self.quota.wrote(path.metadata().map_or(0, |about| about.len()));
                self.metrics.log_rows.fetch_add(rows, Ordering::Relaxed);
            }
            (Err(error), _) if has_journal => {
                tracing::error!(rows, %error, "predictions wait to be recovered");
            }
            (Err(error), _) => self.failed(rows, &error),
        }
    }

    fn failed(&self, rows: u64, error: &Failure) {
        self.metrics.log_failed.fetch_add(rows, Ordering::Relaxed);
        tracing::error!(rows, %error, "predictions are not logged");
    }

    /// Uploads what waits.
    pub(super) fn finish(self) {
        if let Some(summariser) = self.summariser {
            summariser.finish();
        }
        let Some(uploader) = self.uploader else { return };
        uploader.finish();
        // Empty by now, unless something could not be removed; then it is the system's to clean.
        let _stays = std::fs::remove_dir(&self.options.dir);
    }
}
