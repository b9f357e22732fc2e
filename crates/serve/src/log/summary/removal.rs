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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::all::LogSummaries;
    use super::super::covered::Covered;
    use super::super::file;
    use super::super::keeper::Keeper;
    use super::super::summariser::Summariser;
    use super::super::testing::{keeper, look, rows, segment, summaries};
    use super::*;

    #[test]
    fn summaries_take_a_part_of_a_log_that_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = keeper(folder.path());
        for hour in 0..3 {
            segment(folder.path(), hour * 60, "1");
        }
        keeper.log.bytes_max = Some(10 * PART_OF_LOG);
        look(&keeper, 1000);
        let newest = [(2, "1".to_owned(), 120)];
        assert_eq!(rows(folder.path()), newest, "the newest stays");
        // The rows of the others are there: who starts again does not make them again, and nothing waits for them.
        let (log, quota) = (keeper.log.clone(), Arc::clone(&keeper.quota));
        let again = Keeper::new(&log, quota, Arc::<Covered>::default());
        let late = segment(folder.path(), 30, "1");
        look(&again, 1000);
        assert_eq!(rows(folder.path()), newest);
        assert!(again.covered.has(&folder.path().join(late)));
        assert_eq!(again.covered.open_of(folder.path()).unwrap().hours.len(), 0);
    }

    #[test]
    fn summaries_have_a_limit_where_the_log_has_none_and_none_are_kept_where_none_are_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = keeper(folder.path());
        for hour in 0..4 {
            segment(folder.path(), hour * 60, "1");
        }
        look(&keeper, 1000);
        assert_eq!(rows(folder.path()).len(), 4, "a gibibyte is enough");
        // Who reads them reads the hours that are wanted, and no more than fits in memory.
        let later = LogSummaries::read(folder.path(), 2 * HOUR_MS..i64::MAX).unwrap();
        assert_eq!(later.parts.len(), 2);
        let many = LogSummaries::within(folder.path(), &(0..i64::MAX), 10).unwrap_err();
        assert!(many.to_string().contains("fewer hours"), "{many}");
        let bytes = std::fs::metadata(file::path(folder.path(), 3 * HOUR_MS)).unwrap().len();
        keeper.log.summaries_bytes_max = bytes * 5 / 2;
        segment(folder.path(), 240, "1");
        look(&keeper, 1000);
        let hours: Vec<i64> = rows(folder.path()).iter().map(|row| row.0).collect();
        assert_eq!(hours, [3, 4], "the oldest go first");
        keeper.log.summaries_bytes_max = 0;
        // Of one that was killed while it wrote.
        let left = file::folder(folder.path()).join(".0000000000000.summary.Xa81bC.tmp");
        std::fs::write(&left, "half").unwrap();
        let started = Summariser::start(&keeper.log, Arc::clone(&keeper.quota)).unwrap();
        assert!(started.is_none() && rows(folder.path()).is_empty() && !left.exists());
    }

    #[test]
    fn summaries_have_an_age_by_time_that_was_seen_to_pass() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        segment(dir, 10, "1");
        segment(dir, 15 * 1440, "1");
        let mut keeper = keeper(dir);
        keeper.log.summaries_age_max = Some(Duration::from_hours(10 * 24));
        look(&keeper, 20 * 1440);
        let left = [(15 * 24, "1".to_owned(), 120)];
        assert_eq!(rows(dir), left);
        // Who reads knows from when on there are all, and nobody makes what is gone again.
        assert_eq!(summaries(dir).whole_from_ms, Some(HOUR_MS));
        assert_eq!(summaries(dir).rows_from_ms, Some(10 * 60_000));
        segment(dir, 18 * 1440, "1");
        look(&keeper, 20 * 1440);
        assert_eq!(rows(dir).len(), 2);
        look(&keeper, 20_000 * 1440);
        assert_eq!(rows(dir).len(), 2, "a clock that jumps removes nothing");
        std::fs::write(file::folder(dir).join(".before"), "3600000").unwrap();
        assert_eq!(summaries(dir).whole_from_ms, Some(2 * HOUR_MS), "nobody said it");
    }

    #[test]
    fn a_day_that_lost_its_first_hours_stays_and_is_known_to_be_partial() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let (mut keeper, week_later) = (keeper(dir), 8 * 1440);
        for hour in [0, 1, 5] {
            segment(dir, hour * 60, "1");
        }
        let bytes = || -> u64 {
            let files = files(dir).unwrap();
            files.iter().map(|file| std::fs::metadata(&file.path).unwrap().len()).sum()
        };
        look(&keeper, week_later - 5);
        keeper.log.summaries_bytes_max = bytes() - 1;
        look(&keeper, week_later - 5);
        assert_eq!(rows(dir).iter().map(|row| row.0).collect::<Vec<_>>(), [1, 5]);
        look(&keeper, week_later);
        let day = [(0, "1".to_owned(), 240)];
        assert_eq!(rows(dir), day);
        assert_eq!(summaries(dir).whole_from_ms, Some(HOUR_MS));
        // It goes as a whole, with what came late to it.
        segment(dir, 9 * 1440, "1");
        look(&keeper, 9 * 1440 + 600);
        assert_eq!(rows(dir).len(), 2);
        keeper.log.summaries_bytes_max = 1;
        look(&keeper, 9 * 1440 + 600);
        assert_eq!(rows(dir), [(9 * 24, "1".to_owned(), 120)]);
        assert_eq!(summaries(dir).whole_from_ms, Some(24 * HOUR_MS));
    }
}
