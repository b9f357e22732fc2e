//! What is removed from a prediction log: the oldest first, by age and by size of the folder.
//!
//! Segments and files of feedback are in one row, by when they were written to last. Feedback comes after its
//! prediction, so what is removed by this order leaves no feedback without its prediction, unless the feedback
//! came long after. The newest segment stays whatever its age: a service that rests is not one that never
//! predicted. Several servers may share a folder: one removes at a time, and a file that another one removed
//! first is gone all the same. How old a file is goes by time that was seen to pass ([`AgeClock`]): a wrong clock must not
//! remove a log. A segment that is old waits for a while until it is in a summary; a disk that is full does not wait.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::age_clock::AgeClock;
use super::reading;
use super::segment::opened_ms;
use super::summary::Covered;
use crate::feedback::FOLDER;
use crate::options::{LogOptions, Retention};

/// How often the folder is looked at. A listing of a hundred thousand files takes a tenth of a second.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Files that are removed at a time: nothing is written meanwhile, and what waits to be is dropped at some point.
const REMOVED_MAX: u64 = 10_000;

/// Feedback is kept so much longer than segments: what it is about may be in one that was still open.
const FEEDBACK_STAYS: Duration = Duration::from_hours(1);

/// A segment that is in no summary is kept so much longer, if it is removed for its age: not for ever, should summaries
/// fail.
const SUMMARY_WAIT: Duration = Duration::from_hours(1);

/// Looks at a folder again and again.
#[derive(Debug)]
pub(super) struct Sweeper {
    dir: PathBuf,
    retention: Retention,
    looked: Option<Instant>,
    clock: AgeClock,
    covered: Option<Arc<Covered>>,
}

impl Sweeper {
    /// `covered` knows what is in summaries, where there are any.
    pub(super) fn new(log: &LogOptions, covered: Option<Arc<Covered>>) -> Self {
        // What waits for a bucket is gone soon.
        let retention = if log.store.is_some() { Retention::default() } else { log.retention };
        let clock = AgeClock::default();
        Self { dir: log.dir.clone(), retention, looked: None, clock, covered }
    }

    /// Removes what is due, if it is time for it or somebody wants it now. Returns how many files.
    pub(super) fn look(&mut self, is_wanted: bool) -> u64 {
        let is_time = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if self.retention.is_forever() || !(is_time || is_wanted) {
            return 0;
        }
        self.looked = Some(Instant::now());
        let Self { dir, retention, clock, covered, .. } = self;
        let time = |age, newest| clock.time(dir, age, newest, SystemTime::now());
        let is_covered =
            |segment: &Path| covered.as_ref().is_none_or(|covered| covered.has(segment));
        match sweep(dir, *retention, time, is_covered) {
            Ok(Swept { files: 0, .. }) => 0,
            Ok(Swept { files, bytes }) => {
                tracing::info!(files, bytes, "removed from the prediction log by its retention");
                files
            }
            Err(error) => {
                tracing::warn!(%error, "nothing is removed from the prediction log now");
                0
            }
        }
    }
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Swept {
    files: u64,
    bytes: u64,
}

/// A file that can be removed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    /// When it was written to last, as far as its age goes.
    newest: SystemTime,
    path: PathBuf,
    bytes: u64,
    is_segment: bool,
}

/// Removes what is due; nothing while somebody reads the folder. `time` says which time it is for a log that is kept so
/// long, and was written to then; `is_covered` whether a segment is in a summary.
fn sweep(
    dir: &Path,
    retention: Retention,
    time: impl FnOnce(Duration, Option<SystemTime>) -> SystemTime,
    is_covered: impl Fn(&Path) -> bool,
) -> io::Result<Swept> {
    let Some(_alone) = reading::alone(dir)? else { return Ok(Swept::default()) };
    let mut kept = segments(dir)?;
    let (written, newest) =
        kept.iter().max().map(|segment| (segment.newest, segment.path.clone())).unzip();
    kept.extend(feedback(&dir.join(FOLDER))?);
    kept.sort_unstable();
    let mut left: u64 = kept.iter().fold(0, |sum, file| sum.saturating_add(file.bytes));
    // What is before the beginning of time has no age.
    let oldest = retention.age_max.and_then(|age| time(age, written).checked_sub(age));
    let mut swept = Swept::default();
    for file in kept {
        let is_old = oldest.is_some_and(|oldest| file.newest < oldest);
        let is_over = retention.bytes_max.is_some_and(|most| left > most);
        if (!is_old && !is_over) || swept.files == REMOVED_MAX {
            break;
        }
        let is_newest = Some(&file.path) == newest.as_ref();
        if is_newest || (!file.is_segment && is_written(&file.path)) {
            continue;
        }
        if file.is_segment && !is_covered(&file.path) {
            let late = file.newest.checked_add(SUMMARY_WAIT);
            if !is_over && oldest.zip(late).is_some_and(|(oldest, late)| oldest <= late) {
                continue;
            }
            tracing::warn!(segment = %file.path.display(), "predictions are removed that are in no summary");
        }
        match std::fs::remove_file(&file.path) {
            Ok(()) => {
                swept.files += 1;
                swept.bytes += file.bytes;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        left = left.saturating_sub(file.bytes);
    }
    Ok(swept)
}

/// The segments of a folder that are whole.
fn segments(dir: &Path) -> io::Result<Vec<Kept>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(opened) = name.to_str().and_then(opened) else { continue };
        let Some((written, bytes)) = written(&entry) else { continue };
        // The folder may be a copy, with times of its own.
        let newest = written.max(opened);
        found.push(Kept { newest, path: entry.path(), bytes, is_segment: true });
    }
    Ok(found)
}

/// The files of feedback, if there are any.
fn feedback(dir: &Path) -> io::Result<Vec<Kept>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with("feedback-") || !name.ends_with(".jsonl") {
            continue;
        }
        let Some((written, bytes)) = written(&entry) else { continue };
        let newest = written.checked_add(FEEDBACK_STAYS).unwrap_or(written);
        found.push(Kept { newest, path: entry.path(), bytes, is_segment: false });
    }
    Ok(found)
}

/// When a file was written to last, and its bytes; none of what is no file, or gone by now.
fn written(entry: &std::fs::DirEntry) -> Option<(SystemTime, u64)> {
    let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((about.modified().ok()?, about.len()))
}

/// When a segment was begun, by its name `predictions-<milliseconds>-….parquet`; none of other files.
fn opened(name: &str) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(opened_ms(name)?).ok()?))
}

/// Whether a server has it open. Where there are no locks nobody can tell.
fn is_written(path: &Path) -> bool {
    File::options().append(true).open(path).is_ok_and(|file| file.try_lock().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// A folder with a segment of a hundred bytes a day, from so many days ago to today.
    fn log(now: SystemTime, days: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        reading::prepare(folder.path()).unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        for day in 0..=days {
            write(&folder.path().join(segment(now, day)), now - DAY * day);
        }
        folder
    }

    fn segment(now: SystemTime, day: u32) -> String {
        let opened = (now - DAY * day).duration_since(UNIX_EPOCH).unwrap().as_millis();
        format!("predictions-{opened:013}-7-00000000-000000.parquet")
    }

    fn write(path: &Path, modified: SystemTime) -> File {
        std::fs::write(path, [0; 100]).unwrap();
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(modified).unwrap();
        file
    }

    /// What a sweep removes whose time is not in doubt.
    fn swept(dir: &Path, retention: Retention, now: SystemTime) -> io::Result<Swept> {
        sweep(dir, retention, |_age, _newest| now, |_segment| true)
    }

    /// The days whose segments are there.
    fn days(folder: &Path, now: SystemTime) -> Vec<u32> {
        (0..=9).filter(|day| folder.join(segment(now, *day)).exists()).collect()
    }

    fn age(days: u32) -> Retention {
        Retention { age_max: Some(DAY * days), bytes_max: None }
    }

    fn size(bytes: u64) -> Retention {
        Retention { age_max: None, bytes_max: Some(bytes) }
    }

    #[test]
    fn the_oldest_go_by_age_and_by_size_and_the_newest_stays() {
        let now = SystemTime::now();
        let folder = log(now, 9);
        let dir = folder.path();
        for name in ["notes.txt", "old.parquet", ".predictions-1-7-0-0.parquet.x.tmp"] {
            write(&dir.join(name), now - DAY * 9);
        }
        let first = swept(dir, age(6), now + Duration::from_secs(1)).unwrap();
        assert_eq!(first, Swept { files: 4, bytes: 400 });
        assert_eq!(days(dir, now), [0, 1, 2, 3, 4, 5]);
        assert_eq!(swept(dir, size(350), now).unwrap().files, 3);
        assert_eq!(days(dir, now), [0, 1, 2]);
        swept(dir, size(1), now).unwrap();
        assert_eq!(days(dir, now), [0]);
        swept(dir, age(1), now + DAY * 1000).unwrap();
        assert_eq!(days(dir, now), [0], "the newest");
        for name in ["notes.txt", "old.parquet", ".predictions-1-7-0-0.parquet.x.tmp"] {
            assert!(dir.join(name).exists(), "{name} is not of the log");
        }
    }

    #[test]
    fn what_is_in_no_summary_waits_if_it_is_old_and_not_if_the_disk_is_full() {
        let now = SystemTime::now();
        let folder = log(now, 4);
        let dir = folder.path();
        let swept = |retention, now| {
            sweep(dir, retention, |_age, _newest| now, |_segment| false).unwrap();
        };
        let late = now + Duration::from_mins(1);
        swept(age(4), late);
        assert_eq!(days(dir, now), [0, 1, 2, 3, 4], "a minute too old");
        swept(age(4), now + SUMMARY_WAIT * 2);
        assert_eq!(days(dir, now), [0, 1, 2, 3], "nobody summarises it");
        swept(size(300), now);
        assert_eq!(days(dir, now), [0, 1, 2], "there is no room");
        let covered = dir.join(segment(now, 2));
        sweep(dir, age(2), |_age, _newest| late, |one| one == covered).unwrap();
        assert_eq!(days(dir, now), [0, 1], "it is in a summary");
    }

    #[test]
    fn nothing_goes_while_somebody_reads() {
        let now = SystemTime::now();
        let folder = log(now, 3);
        let reader = reading::LogReading::begin(folder.path()).unwrap();
        assert_eq!(swept(folder.path(), size(1), now).unwrap(), Swept::default());
        assert_eq!(days(folder.path(), now), [0, 1, 2, 3]);
        drop(reader);
        assert_eq!(swept(folder.path(), size(1), now).unwrap().files, 3);
    }

    #[test]
    fn feedback_goes_with_what_it_is_about_unless_a_server_writes_it() {
        let now = SystemTime::now();
        let folder = log(now, 5);
        let dir = folder.path().join(FOLDER);
        let file = |name: &str, day| write(&dir.join(name), now - DAY * day);
        file("feedback-1-a.jsonl", 4);
        file("feedback-1-b.jsonl", 1);
        let open = file("feedback-1-c.jsonl", 4);
        open.try_lock().unwrap();
        file("notes.jsonl", 4);
        let there = |name: &str| dir.join(name).exists();
        swept(folder.path(), age(2), now - Duration::from_secs(1)).unwrap();
        assert!(!there("feedback-1-a.jsonl") && there("feedback-1-b.jsonl"));
        assert!(there("feedback-1-c.jsonl") && there("notes.jsonl"));
        // Of 100 bytes each: three segments and two files of feedback are left.
        swept(folder.path(), size(300), now).unwrap();
        assert!(there("feedback-1-b.jsonl") && there("feedback-1-c.jsonl"));
        assert_eq!(days(folder.path(), now), [0]);
    }

    #[test]
    fn a_copied_folder_is_as_old_as_its_copy() {
        let now = SystemTime::now();
        let folder = log(now, 5);
        write(&folder.path().join(segment(now, 5)), now);
        swept(folder.path(), age(2), now).unwrap();
        assert!(days(folder.path(), now).contains(&5));
    }
    #[test]
    fn a_clock_that_jumps_ahead_removes_nothing() {
        let now = SystemTime::now();
        let folder = log(now, 9);
        let dir = folder.path();
        let look = |now: SystemTime| {
            // Each look is that of another process.
            let mut clock = AgeClock::default();
            let time = |age, newest| clock.time(dir, age, newest, now);
            sweep(dir, age(30), time, |_segment| true).unwrap()
        };
        for at in [now, now + DAY * 365, now + DAY * 365, now] {
            assert_eq!(look(at), Swept::default());
        }
        assert_eq!(days(dir, now).len(), 10);
    }
}
