//! Which summaries are removed: the oldest, where there are too many, they take too much, or are too old.
//!
//! Rows of an hour may be there longer than its summary. So that nobody makes it again at each start, a file says before
//! which hour there are none any more, and from when on all are there: a segment may have rows of the hour after the one
//! that it was begun in.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use trainyard_base::file::{Access, UNFINISHED, remove_if_left, replace};

use super::file::{HOUR_MS, LogSummary, Named, files, folder, open};
use crate::options::LogOptions;

/// Files that are kept, the newest: two years of hours. Of a log that has a limit they take at most such a part of it.
const KEPT_MAX: usize = 20_000;
pub(super) const PART_OF_LOG: u64 = 10;

/// The file with the mark: twice milliseconds since 1970 in digits.
const MARK: &str = ".before";

/// What was removed; least where nothing was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// When the first hour begins that is summarised: of those before it summaries were removed.
    pub(super) begins_ms: i64,
    /// From when on there is a summary of all rows.
    pub(super) whole_from_ms: i64,
}

/// What was removed of a log. What cannot be read as a mark is none; then some summaries are made once more.
pub(super) fn mark(log: &Path) -> io::Result<Mark> {
    let none = Mark { begins_ms: i64::MIN, whole_from_ms: i64::MIN };
    let text = match std::fs::read_to_string(folder(log).join(MARK)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(none),
        Err(error) => return Err(error),
    };
    let mut numbers = text.split_whitespace().map(str::parse::<i64>);
    let Some(Ok(begins_ms)) = numbers.next() else { return Ok(none) };
    // An earlier version did not say it.
    let whole_from_ms = match numbers.next() {
        Some(Ok(whole_from_ms)) => whole_from_ms.max(begins_ms),
        _ => begins_ms.saturating_add(HOUR_MS),
    };
    Ok(Mark { begins_ms, whole_from_ms })
}

/// Removes the oldest files where there are too many, too large ones, or some that ended before a time; the newest stays.
pub(super) fn remove_old(log: &LogOptions, oldest: Option<SystemTime>) -> io::Result<()> {
    let of_log = [log.bytes_max, log.retention.bytes_max].into_iter().flatten();
    let most = of_log.map(|bytes| bytes / PART_OF_LOG).fold(log.summaries_bytes_max, u64::min);
    let oldest_ms = oldest.map_or(i64::MIN, millis);
    let mut kept = VecDeque::new();
    for file in files(&log.dir)? {
        let bytes = std::fs::metadata(&file.path)?.len();
        kept.push_back((file, bytes));
    }
    let mut bytes: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
    let mut removed: Vec<Named> = Vec::new();
    let before = mark(&log.dir)?;
    let mut begins_ms = before.begins_ms;
    while kept.len() > 1
        && let Some((first, _)) = kept.front()
    {
        let is_over = kept.len() > KEPT_MAX || bytes > most;
        // What came late to a day that is gone goes with it.
        let is_gone = first.ends_ms() <= begins_ms;
        if !is_over && !is_gone && first.ends_ms() > oldest_ms {
            break;
        }
        let Some((file, size)) = kept.pop_front() else { break };
        begins_ms = begins_ms.max(file.ends_ms());
        bytes -= size;
        removed.push(file);
    }
    if removed.is_empty() {
        return Ok(());
    }
    let whole_from_ms = removed.iter().map(last_row_ms).fold(before.whole_from_ms, i64::max);
    // First, so that who is killed in between leaves files that are not needed, and not hours that are made again.
    let mark = format!("{begins_ms} {}", whole_from_ms.max(begins_ms));
    replace(&folder(&log.dir).join(MARK), mark.as_bytes(), Access::Private)?;
    tracing::info!(files = removed.len(), "the oldest summaries of the prediction log are removed");
    removed.iter().try_for_each(|file| std::fs::remove_file(&file.path))
}

/// When the last hour ends that a file may have rows of.
fn last_row_ms(file: &Named) -> i64 {
    match open(&file.path) {
        Ok(Some(kept)) => kept.parts.iter().map(LogSummary::ends_ms).fold(file.ends_ms(), i64::max),
        // Nobody knows.
        _ => file.ends_ms().saturating_add(HOUR_MS),
    }
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Removes all, for a log of which none are wanted; what was half-written when its server was killed, too.
pub(super) fn remove_all(log: &Path) -> io::Result<()> {
    for file in files(log)? {
        match std::fs::remove_file(file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let Ok(entries) = std::fs::read_dir(folder(log)) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.to_string_lossy().ends_with(UNFINISHED) {
            remove_if_left(&path);
        }
    }
    Ok(())
}
