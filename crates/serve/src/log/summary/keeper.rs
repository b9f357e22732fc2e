//! Who makes summaries: it looks again and again for segments which are in none.
//!
//! It goes by what lies in the folder, not by what this process wrote, so it does not matter who wrote a segment, who
//! was killed before it was summarised, or how many servers share the folder: a lock of the kernel lets one at a time
//! do it. An hour is summarised once, when its segments are there, so that its quantiles are made as seldom as can be;
//! what comes later is put to it. Old hours are merged to days. How old they are goes by time that was seen to pass.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::super::age_clock::AgeClock;
use super::super::lock;
use super::super::segment::opened_ms;
use super::covered::{Covered, Open, Uncovered};
use super::file::{self, HOUR_MS, day_of, day_path};
use super::part::{Key, Part};
use super::{days, hour, removal};
use crate::disk_quota::DiskQuota;
use crate::options::LogOptions;
use crate::private_files;

/// How often the folder is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_mins(1);

/// How long after the last segment of an hour is closed it is summarised: that one is still to be put in its place.
const SETTLED_AFTER: Duration = Duration::from_mins(1);

/// Times as long as an hour took nothing is done: predictions go before summaries, so they get a fifth of a processor.
const REST: u32 = 4;

/// A log that is kept so briefly is summarised when this part of its age, or of its bytes, is not.
const HURRY_OF_AGE: u32 = 2;
const HURRY_OF_BYTES: u64 = 4;

/// The file with the lock, in the folder of summaries.
const LOCK: &str = ".lock";

/// What looks.
pub(super) struct Keeper {
    pub(super) log: LogOptions,
    pub(super) quota: Arc<DiskQuota>,
    pub(super) covered: Arc<Covered>,
    clock: RefCell<AgeClock>,
}

impl Keeper {
    /// Of a log; what it covers is known to whoever removes rows.
    pub(super) fn new(log: &LogOptions, quota: Arc<DiskQuota>, covered: Arc<Covered>) -> Self {
        Self { log: log.clone(), quota, covered, clock: RefCell::default() }
    }

    /// Looks until it is stopped.
    pub(super) fn keep(&self, stopped: &Receiver<()>) {
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
    pub(super) fn look(&self, now: SystemTime, stopped: &Receiver<()>) -> io::Result<Duration> {
        let Uncovered { hours, newest } = self.covered.open_of(&self.log.dir)?;
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
        // They are due at the next look.
        let late = days::mend(&self.log.dir)?;
        self.covered.names().retain(|name| !late.contains(name));
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

    /// Puts the segments of an hour that are in no summary into its file, for who is [`alone`]; `false` if it was
    /// stopped.
    fn cover(&self, hour_ms: i64, stopped: &Receiver<()>) -> io::Result<bool> {
        let dir = self.log.dir.as_path();
        // Another server may have done some of it until now.
        let open = self.covered.open_of(dir)?.hours.remove(&hour_ms).unwrap_or_default();
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
    use super::super::testing::{keeper, look, rows, segment};
    use super::*;

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
}
