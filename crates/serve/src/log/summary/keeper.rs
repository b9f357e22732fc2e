//! Who makes summaries: a thread that looks for segments which are in none.
//!
//! It goes by what lies in the folder, not by what this process wrote, so it does not matter who wrote a segment, who
//! was killed before it was summarised, or how many servers share the folder: a lock of the kernel lets one at a time
//! do it. An hour is summarised once, when its segments are there, so that its quantiles are made as seldom as can be;
//! what comes later is put to it. Old hours are merged to days. How old they are goes by time that was seen to pass.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::super::age_clock::AgeClock;
use super::super::lock;
use super::super::segment::opened_ms;
use super::file::{self, HOUR_MS, day_of, day_path};
use super::part::{Key, Part};
use super::{days, hour, removal};
use crate::disk_quota::DiskQuota;
use crate::options::LogOptions;
use crate::private_files;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// How long after the last segment of an hour is closed it is summarised: that one is still to be put in its place.
const SETTLED_AFTER: Duration = Duration::from_mins(1);

/// Times as long as an hour took nothing is done: predictions go before summaries, so they get a fifth of a processor.
const REST: u32 = 4;

/// A log that is kept so briefly is summarised when this part of its age, or of its bytes, is not.
const HURRY_OF_AGE: u32 = 2;
const HURRY_OF_BYTES: u64 = 4;

/// The file with the lock, in the folder of summaries.
const LOCK: &str = ".lock";

/// Segments whose rows are in summaries, as far as this process knows.
#[derive(Debug, Default)]
pub(in super::super) struct Covered(Mutex<BTreeSet<String>>);

impl Covered {
    /// Whether the rows of a segment are in a summary.
    pub(in super::super) fn has(&self, segment: &Path) -> bool {
        let name = segment.file_name().unwrap_or_default().to_string_lossy();
        self.names().contains(&*name)
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

/// A segment that is in no summary.
struct Open {
    name: String,
    bytes: u64,
}

/// Segments that are in no summary, by the hour in which they were begun.
struct Uncovered {
    hours: BTreeMap<i64, Vec<Open>>,
    /// When the log was written to last.
    newest: Option<SystemTime>,
}

struct Keeper {
    log: LogOptions,
    quota: Arc<DiskQuota>,
    covered: Arc<Covered>,
    clock: RefCell<AgeClock>,
}

impl Keeper {
    fn new(log: &LogOptions, quota: Arc<DiskQuota>, covered: Arc<Covered>) -> Self {
        Self { log: log.clone(), quota, covered, clock: RefCell::default() }
    }

    fn keep(&self, stopped: &Receiver<()>) {
        let mut pause = Duration::ZERO;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            pause = match self.look(SystemTime::now(), stopped) {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "the prediction log is not summarised now");
                    LOOK_EVERY
                }
            };
        }
    }

    /// Removes what is old, and summarises the oldest hour that is due, or merges the oldest day; returns when to look again.
    fn look(&self, now: SystemTime, stopped: &Receiver<()>) -> io::Result<Duration> {
        let Uncovered { hours, newest } = self.uncovered()?;
        let bytes: u64 = hours.values().flatten().map(|open| open.bytes).sum();
        let is_much = self
            .log
            .retention
            .bytes_max
            .is_some_and(|most| bytes.saturating_mul(HURRY_OF_BYTES) > most);
        let due = hours.iter().filter(|(hour, open)| is_much || self.is_due(**hour, open, now));
        let due: Vec<i64> = due.map(|(hour, _)| *hour).collect();
        // Nothing is put into a log that has no summaries and gets none.
        if due.is_empty() && !file::folder(&self.log.dir).try_exists()? {
            return Ok(LOOK_EVERY);
        }
        // Else another server does it.
        let Some(_alone) = alone(&self.log.dir)? else { return Ok(LOOK_EVERY) };
        let believed = self.believed(newest, now);
        let oldest = believed.zip(self.log.summaries_age_max);
        removal::remove_old(&self.log, oldest.and_then(|(now, age)| now.checked_sub(age)))?;
        // Where there is no room for predictions there is none for summaries.
        if self.quota.take(0).is_err() {
            return Ok(LOOK_EVERY);
        }
        for hour in due {
            let started = Instant::now();
            match self.cover(hour, stopped) {
                Ok(is_done) => {
                    removal::remove_old(&self.log, None)?;
                    return Ok(if is_done { started.elapsed() * REST } else { LOOK_EVERY });
                }
                // One that fails for good keeps no other from being done.
                Err(error) => {
                    tracing::warn!(hour, %error, "an hour of the prediction log is not summarised now");
                }
            }
            let rest = started.elapsed() * REST;
            if stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                return Ok(LOOK_EVERY);
            }
        }
        let Some((now, after)) = believed.zip(self.log.summaries_days_after) else {
            return Ok(LOOK_EVERY);
        };
        for day in days::due(&self.log.dir, now, after)? {
            let started = Instant::now();
            match days::merge(&self.log.dir, day) {
                Ok(true) => return Ok(started.elapsed() * REST),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(day, %error, "a day of summaries is not merged now");
                }
            }
            let rest = started.elapsed() * REST;
            if stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        Ok(LOOK_EVERY)
    }

    /// The time that summaries are as old as, of a log that was written to last then; none where their age does not matter.
    fn believed(&self, newest: Option<SystemTime>, now: SystemTime) -> Option<SystemTime> {
        let ages = [self.log.summaries_age_max, self.log.summaries_days_after];
        let age = ages.into_iter().flatten().max()?;
        let folder = file::folder(&self.log.dir);
        Some(self.clock.borrow_mut().time(&folder, age, newest, now))
    }

    /// Whether no segment of an hour is open any more, or the rows of its oldest would be gone before long.
    fn is_due(&self, hour_ms: i64, open: &[Open], now: SystemTime) -> bool {
        let is_past = |begins_ms: i64, wait: Duration| {
            let begins = Duration::from_millis(u64::try_from(begins_ms).unwrap_or(0));
            UNIX_EPOCH.checked_add(begins + wait).is_some_and(|due| due <= now)
        };
        let whole = Duration::from_hours(1) + self.log.segment_age_max + SETTLED_AFTER;
        let oldest = open.iter().filter_map(|one| opened_ms(&one.name)).min().unwrap_or(hour_ms);
        let hurry = self.log.retention.age_max.map(|age| age / HURRY_OF_AGE);
        is_past(hour_ms, whole) || hurry.is_some_and(|hurry| is_past(oldest, hurry))
    }

    /// Segments that are in no summary.
    fn uncovered(&self) -> io::Result<Uncovered> {
        let (mut hours, mut there) = (BTreeMap::<i64, Vec<Open>>::new(), BTreeSet::new());
        let mut newest = None;
        for entry in std::fs::read_dir(&self.log.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(opened) = opened_ms(&name) else { continue };
            let about = entry.metadata().ok();
            let bytes = about.as_ref().map_or(0, std::fs::Metadata::len);
            newest = newest.max(about.and_then(|about| about.modified().ok()));
            there.insert(name.clone());
            let hour = opened - opened.rem_euclid(HOUR_MS);
            hours.entry(hour).or_default().push(Open { name, bytes });
        }
        self.covered.names().retain(|name| there.contains(name));
        let begins = removal::mark(&self.log.dir)?.begins_ms;
        // The day that was looked at last, and whether it could be read.
        let mut last_day = None;
        for (hour, open) in &mut hours {
            if *hour < begins {
                self.covered.names().extend(open.drain(..).map(|one| one.name));
            }
            open.retain(|one| !self.covered.names().contains(&one.name));
            if open.is_empty() {
                continue;
            }
            let day = day_of(*hour);
            let is_day_read = match last_day {
                Some((last, is_read)) if last == day => is_read,
                _ => self.note(&day_path(&self.log.dir, day), &there),
            };
            last_day = Some((day, is_day_read));
            let is_read = is_day_read && self.note(&file::path(&self.log.dir, *hour), &there);
            open.retain(|one| is_read && !self.covered.names().contains(&one.name));
        }
        hours.retain(|_, open| !open.is_empty());
        Ok(Uncovered { hours, newest })
    }

    /// Notes which segments are in a file: what another server did, or this one before it was started again. `false` where
    /// it cannot be read: that is somebody's to look at, and no reason to do nothing for other hours.
    fn note(&self, path: &Path, there: &BTreeSet<String>) -> bool {
        match file::open(path) {
            Ok(kept) => {
                let kept = kept.unwrap_or_default();
                let names = kept.segments.into_iter().filter(|name| there.contains(name));
                self.covered.names().extend(names);
                true
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a summary cannot be read: move it away");
                false
            }
        }
    }

    /// Puts the segments of an hour that are in no summary into its file, for who is [`alone`]; `false` if it was
    /// stopped.
    fn cover(&self, hour_ms: i64, stopped: &Receiver<()>) -> io::Result<bool> {
        let dir = self.log.dir.as_path();
        // Another server may have done some of it until now.
        let open = self.uncovered()?.hours.remove(&hour_ms).unwrap_or_default();
        let names: Vec<String> = open.into_iter().map(|one| one.name).collect();
        if names.is_empty() {
            return Ok(true);
        }
        let path = file::path(dir, hour_ms);
        let day = file::open(&day_path(dir, day_of(hour_ms)))?.unwrap_or_default();
        // One that was merged counts in its day alone: whoever did it was killed before it was removed.
        let kept = file::open(&path)?.filter(|hour| !hour.is_merged(&day)).unwrap_or_default();
        let mut parts = BTreeMap::<Key, Part>::new();
        for summary in &kept.parts {
            let part = summary.part()?;
            parts.insert(part.key.clone(), part);
        }
        let is_stopped = || stopped.try_recv() == Err(TryRecvError::Disconnected);
        let Some(read) = hour::read(dir, &names, &is_stopped)?.filter(|_| !is_stopped()) else {
            return Ok(false);
        };
        for part in read.parts {
            let key = part.key.clone();
            let whole = match parts.remove(&key) {
                Some(kept) => Part::together(key.clone(), HOUR_MS, &[kept, part]),
                None => Some(part),
            };
            parts.extend(whole.map(|whole| (key, whole)));
        }
        let parts: Vec<Part> = parts.into_values().collect();
        let (mut segments, mut unreadable) = (kept.segments, kept.unreadable);
        segments.extend(read.segments);
        unreadable.extend(read.damaged);
        file::write(&path, segments.clone(), unreadable, &parts)?;
        self.covered.names().extend(segments);
        Ok(true)
    }
}

/// The right to make summaries; none while another server has it.
fn alone(dir: &Path) -> io::Result<Option<File>> {
    let folder: PathBuf = file::folder(dir);
    private_files::folder(&folder)?;
    let mut options = File::options();
    lock::alone(options.create(true).append(true).mode(0o600).open(folder.join(LOCK))?)
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    };
    use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION, REQUEST_ID, TIME};

    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::super::reading;
    use super::super::super::segment::Segment;
    use super::super::all::LogSummaries;
    use super::super::file::LogSummary;
    use super::super::removal::PART_OF_LOG;
    use super::*;

    /// A row for each of so many seconds from this minute on.
    fn table(minute: i64, version: &str, seconds: i64) -> RecordBatch {
        let begins = minute * 60_000;
        let times: Vec<i64> = (0..seconds).map(|second| begins + second * 1000).collect();
        let of = |text: &str| Arc::new(StringArray::from(vec![text; times.len()])) as ArrayRef;
        let ids = times.iter().map(|time| format!("{version}-{time}"));
        let values = times.iter().map(|time| (time % 7919) as f64);
        let columns: [(&str, ArrayRef); 7] = [
            (REQUEST_ID, Arc::new(StringArray::from_iter_values(ids.clone()))),
            (TIME, Arc::new(TimestampMillisecondArray::from(times.clone()).with_timezone("UTC"))),
            (MODEL, of("iris")),
            (MODEL_VERSION, of(version)),
            ("x", Arc::new(Float64Array::from_iter_values(values))),
            ("side", of("left")),
            ("free text", Arc::new(StringArray::from_iter_values(ids))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// A segment that was begun in this minute, with a row for each second of two minutes.
    fn segment(dir: &Path, minute: i64, version: &str) -> String {
        let rows = table(minute, version, 120);
        let begins = minute * 60_000;
        let name = format!("predictions-{begins:013}-7-00000000-{version:0>6}.parquet");
        let mut segment = Segment::at(&dir.join(&name), rows.schema()).unwrap();
        segment.write(&rows).unwrap();
        segment.close().unwrap();
        name
    }

    fn keeper(dir: &Path) -> Keeper {
        let log = LogOptions::new(dir);
        Keeper::new(&log, Arc::new(DiskQuota::new(&log)), Arc::default())
    }

    /// Looks until nothing is due at this minute.
    fn look(keeper: &Keeper, minute: u64) {
        let now = UNIX_EPOCH + Duration::from_mins(minute);
        let (_alive, stopped) = sync_channel(0);
        while keeper.look(now, &stopped).unwrap() != LOOK_EVERY {}
    }

    fn summaries(dir: &Path) -> LogSummaries {
        LogSummaries::read(dir, 0..i64::MAX).unwrap()
    }

    fn rows(dir: &Path) -> Vec<(i64, String, u64)> {
        let all = summaries(dir).parts.into_iter();
        all.map(|one| (one.begins_ms / HOUR_MS, one.version, one.rows)).collect()
    }

    #[test]
    fn each_row_is_in_one_summary_whoever_makes_it_and_whatever_comes_late() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let first = segment(dir, 10, "1");
        // Half of its rows are of the next hour.
        segment(dir, 59, "1");
        let (one, other) = (keeper(dir), keeper(dir));
        look(&one, 61);
        assert!(rows(dir).is_empty(), "a segment of this hour may be open");
        look(&one, 62);
        let expected = [(0, "1".to_owned(), 180), (1, "1".to_owned(), 60)];
        assert_eq!(rows(dir), expected);
        look(&other, 62);
        assert_eq!(rows(dir), expected, "another server, or the same after a kill");
        assert!(other.covered.has(&dir.join(&first)));
        // A journal of this hour was recovered, and one of another version; the first rows are removed.
        std::fs::remove_file(dir.join(&first)).unwrap();
        segment(dir, 20, "1");
        segment(dir, 30, "2");
        look(&other, 200);
        look(&one, 200);
        let two = (0, "2".to_owned(), 120);
        assert_eq!(rows(dir), [(0, "1".to_owned(), 300), two, (1, "1".to_owned(), 60)]);
    }

    #[test]
    fn what_is_kept_says_how_exact_it_is_and_leaves_texts_out() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        for minute in 0..10 {
            segment(dir, minute * 2, "1");
        }
        look(&keeper(dir), 100);
        let [kept] = <[LogSummary; 1]>::try_from(summaries(dir).parts).unwrap();
        // Numbers are means of eleven rows, and the last of twelve.
        assert_eq!((kept.rows, kept.rank_error), (1200, 1.0 / 256.0 + 12.0 / 1200.0));
        assert_eq!(kept.time_sum, (0..1200).map(|second| second * 1000).sum::<i64>());
        assert_eq!(*kept.columns, [MODEL, MODEL_VERSION, "x", "side"]);
        assert_eq!(kept.left_out.iter().collect::<Vec<_>>(), ["free text"]);
        let profile = kept.profile().unwrap();
        assert_eq!(profile.column("side").unwrap().distinct(), 1);
        let x = profile.column("x").unwrap();
        assert_eq!((x.rows(), x.distinct()), (1200, 109));
        let exact = (0..1200_i64).filter(|second| (second * 1000) % 7919 < 4000).count() as f64;
        let about = x.count_between(0.0, 4000.0) as f64;
        assert!((exact - about).abs() <= 1200.0 * kept.rank_error, "{exact} {about}");
    }

    #[test]
    fn a_summary_that_is_damaged_is_a_doubt_and_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        segment(folder.path(), 0, "1");
        segment(folder.path(), 180, "1");
        look(&keeper(folder.path()), 1000);
        let path = file::path(folder.path(), 0);
        let good = std::fs::read(&path).unwrap();
        for length in [0, 12, 40, good.len() - 1] {
            std::fs::write(&path, &good[..length]).unwrap();
            let LogSummaries { parts, doubts, .. } = summaries(folder.path());
            assert_eq!(parts.iter().map(|part| part.begins_ms).collect::<Vec<_>>(), [3 * HOUR_MS]);
            let (hour, why) = doubts.first_key_value().unwrap();
            assert_eq!((doubts.len(), *hour), (1, 0));
            assert!(why.contains("0000000000000.summary"), "{why}");
        }
        // The last byte is of the checksum of a column.
        let mut bytes = good.clone();
        *bytes.last_mut().unwrap() ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        let broken = summaries(folder.path()).parts.remove(0);
        broken.profile().unwrap_err();
        assert!(broken.is_current(), "it is damaged, and was not changed");
        std::fs::remove_file(&path).unwrap();
        assert!(!broken.is_current());
        // Other hours are summarised all the same, also if rows of the damaged one are to be put to it.
        segment(folder.path(), 5, "1");
        for (hour, length) in [(1, 12), (2, good.len() - 1)] {
            std::fs::write(&path, &good[..length]).unwrap();
            segment(folder.path(), hour * 60 + 10, "1");
            look(&keeper(folder.path()), 1000);
            assert!(file::path(folder.path(), hour * HOUR_MS).exists());
            assert_eq!(std::fs::read(&path).unwrap(), &good[..length], "somebody's to look at");
        }
    }

    #[test]
    fn a_log_that_is_kept_for_minutes_is_summarised_before_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        segment(folder.path(), 0, "1");
        let mut keeper = keeper(folder.path());
        keeper.log.retention.age_max = Some(Duration::from_mins(10));
        look(&keeper, 4);
        assert!(rows(folder.path()).is_empty());
        look(&keeper, 6);
        assert_eq!(rows(folder.path()).len(), 1);
        // Not at each look: each time it is put together it is less exact.
        segment(folder.path(), 7, "1");
        look(&keeper, 8);
        assert_eq!(rows(folder.path())[0].2, 120);
        keeper.log.retention.age_max = None;
        keeper.log.retention.bytes_max = Some(1000);
        look(&keeper, 8);
        assert_eq!(rows(folder.path())[0].2, 240);
    }

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
        let again = Keeper { log, quota, covered: Arc::default(), clock: RefCell::default() };
        let late = segment(folder.path(), 30, "1");
        look(&again, 1000);
        assert_eq!(rows(folder.path()), newest);
        assert!(again.covered.has(&folder.path().join(late)));
        assert_eq!(again.uncovered().unwrap().hours.len(), 0);
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
    fn hours_are_merged_to_days_when_they_are_old_and_what_comes_late_is_put_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        for hour in 0..3 {
            segment(dir, hour * 60 + 10, "1");
        }
        segment(dir, 30, "2");
        let week_later = 8 * 1440;
        look(&keeper(dir), week_later - 1);
        assert_eq!(rows(dir).len(), 4, "the day is not old enough");
        look(&keeper(dir), week_later);
        let day = [(0, "1".to_owned(), 360), (0, "2".to_owned(), 120)];
        assert_eq!(rows(dir), day);
        // Its segments are known to be in it, whoever looks, and an hour is made of none of them once more.
        let late = segment(dir, 190, "2");
        let again = keeper(dir);
        look(&again, week_later);
        assert_eq!(rows(dir), [day[0].clone(), (0, "2".to_owned(), 240)]);
        assert!(again.covered.has(&dir.join(late)));
        assert!(!file::path(dir, 0).exists() && !file::path(dir, 3 * HOUR_MS).exists());
        let mut never = keeper(dir);
        never.log.summaries_days_after = None;
        segment(dir, 240, "1");
        look(&never, 100 * 1440);
        assert_eq!(rows(dir).len(), 3, "hours stay hours");
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
            let files = file::files(dir).unwrap();
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
    fn a_segment_that_breaks_off_half_way_is_in_no_summary_and_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        segment(dir, 10, "1");
        let path = dir.join(segment(dir, 11, "1"));
        let first = table(11, "1", 2048);
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, first.schema(), None).unwrap();
        writer.write(&first).unwrap();
        writer.flush().unwrap();
        writer.write(&table(11, "1", 100)).unwrap();
        writer.close().unwrap();
        let file = File::open(&path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let (at, length) = reader.metadata().row_group(1).column(4).byte_range();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at as usize..(at + length) as usize].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        let keeper = keeper(dir);
        for rows_there in [120, 240] {
            look(&keeper, 200);
            assert_eq!(rows(dir), [(0, "1".to_owned(), rows_there)]);
            assert!(summaries(dir).doubts[&0].contains("1 damaged segments"));
            assert!(keeper.covered.has(&path));
            segment(dir, 50, "1");
        }
        // One that cannot be read now is another matter.
        let unreadable = "predictions-0000000000000-7-00000000-000009.parquet".to_owned();
        std::fs::create_dir(dir.join(&unreadable)).unwrap();
        assert!(hour::read(dir, &[unreadable], &|| false).is_err());
    }

    #[test]
    fn who_removes_waits_for_one_segment_and_not_for_an_hour_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        reading::prepare(dir).unwrap();
        let names = [segment(dir, 10, "1"), segment(dir, 20, "1")];
        let free = std::cell::Cell::new(0);
        let count = || {
            free.set(free.get() + usize::from(reading::alone(dir).unwrap().is_some()));
            false
        };
        let read = hour::read(dir, &names, &count).unwrap().unwrap();
        assert_eq!((read.segments.len(), read.parts[0].rows, free.get()), (2, 240, 2));
    }
}
