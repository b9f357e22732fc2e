//! Which summaries are removed: the oldest, where there are too many or they take too much.
//!
//! Rows of an hour may be there longer than its summary. So that nobody makes it again at each start, a file says before
//! which hour there are none any more.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use trainyard_base::file::{Access, UNFINISHED, remove_if_left, replace};

use super::file::{HOUR_MS, folder, hour_ms, paths};
use crate::options::LogOptions;

/// Files that are kept, the newest: two years of hours. Of a log that has a limit they take at most such a part of it.
const KEPT_MAX: usize = 20_000;
pub(super) const PART_OF_LOG: u64 = 10;

/// The file with the mark: milliseconds since 1970 in digits.
const MARK: &str = ".before";

/// When the first hour begins that is summarised: of those before it summaries were removed. What cannot be read as a mark
/// is none; then some are made once more.
pub(super) fn begins_ms(log: &Path) -> io::Result<i64> {
    match std::fs::read_to_string(folder(log).join(MARK)) {
        Ok(text) => Ok(text.trim().parse().unwrap_or(i64::MIN)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(i64::MIN),
        Err(error) => Err(error),
    }
}

/// Removes the oldest files where there are too many, or too large ones; the newest stays.
pub(super) fn remove_old(log: &LogOptions) -> io::Result<()> {
    let of_log = [log.bytes_max, log.retention.bytes_max].into_iter().flatten();
    let most = of_log.map(|bytes| bytes / PART_OF_LOG).fold(log.summaries_bytes_max, u64::min);
    let mut files = VecDeque::new();
    for path in paths(&log.dir)? {
        let bytes = std::fs::metadata(&path)?.len();
        files.push_back((path, bytes));
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    let mut removed: Vec<PathBuf> = Vec::new();
    while files.len() > 1 && (files.len() > KEPT_MAX || bytes > most) {
        let Some((path, size)) = files.pop_front() else { break };
        removed.push(path);
        bytes -= size;
    }
    let Some(last) = removed.last().and_then(|path| hour_ms(path)) else { return Ok(()) };
    // First, so that who is killed in between leaves files that are not needed, and not hours that are made again.
    let begins = (last + HOUR_MS).max(begins_ms(&log.dir)?);
    replace(&folder(&log.dir).join(MARK), begins.to_string().as_bytes(), Access::Private)?;
    tracing::info!(files = removed.len(), "the oldest summaries of the prediction log are removed");
    removed.iter().try_for_each(std::fs::remove_file)
}

/// Removes all, for a log of which none are wanted; what was half-written when its server was killed, too.
pub(super) fn remove_all(log: &Path) -> io::Result<()> {
    for path in paths(log)? {
        match std::fs::remove_file(path) {
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
