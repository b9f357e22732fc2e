//! What is kept of many hours and days, and of which of them not everything is known.
//!
//! A file that is damaged hides its own hours and no other: whoever asks is told that nobody knows what was in it. Hours may
//! be merged while somebody reads. So files of hours are read first, and that of their day after them: it is there before
//! the former are gone, and says which of these are in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::super::segment::opened_ms;
use super::file::{DAY_MS, HOUR_MS, Kept, LogSummary, Named, day_of, day_path, files, open};
use super::removal::{Mark, mark};

/// Names of columns that summaries of one look hold: two years of hours with a hundred columns, some 200 MB.
const NAMES_MAX: usize = 2_000_000;

/// What summaries of a log say, without their columns.
#[derive(Debug, Default)]
pub struct LogSummaries {
    /// Hours or days, and versions.
    pub parts: Vec<LogSummary>,
    /// Hours (when they begin, in milliseconds since 1970) of which something is not known, and why.
    pub doubts: BTreeMap<i64, String>,
    /// Summaries of what was before this moment are gone, all or some; none where none were ever removed.
    pub whole_from_ms: Option<i64>,
    /// When the oldest segment was begun that is there; none where there is none.
    pub rows_from_ms: Option<i64>,
}

impl LogSummaries {
    /// What is kept beside the log in this folder of segments that were begun in these milliseconds since 1970; nothing
    /// where nobody kept anything.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read, or so much is in it that it would take too much memory.
    pub fn read(log: &Path, begun: Range<i64>) -> io::Result<Self> {
        Self::within(log, &begun, NAMES_MAX)
    }

    /// The same, with at most so many names of columns.
    pub(super) fn within(log: &Path, begun: &Range<i64>, names_max: usize) -> io::Result<Self> {
        let mut hours: BTreeMap<i64, Vec<Named>> = BTreeMap::new();
        for hour in files(log)?.into_iter().filter(|file| !file.is_day()) {
            if begun.contains(&hour.begins_ms) {
                hours.entry(day_of(hour.begins_ms)).or_default().push(hour);
            }
        }
        // What was merged before the first list was complete is in the second.
        let is_wanted = |day: &Named| day.ends_ms() > begun.start && day.begins_ms < begun.end;
        let days = files(log)?.into_iter().filter(|file| file.is_day() && is_wanted(file));
        let days: BTreeSet<i64> =
            days.map(|day| day.begins_ms).chain(hours.keys().copied()).collect();
        let mut reading = Reading { names_max, ..Reading::default() };
        for day in days {
            reading.add(log, day, &hours.remove(&day).unwrap_or_default())?;
        }
        // Whoever removes says so before it is done.
        let Mark { whole_from_ms, .. } = mark(log)?;
        let mut all = reading.all;
        all.whole_from_ms = (whole_from_ms > i64::MIN).then_some(whole_from_ms);
        all.rows_from_ms = oldest(log)?;
        Ok(all)
    }
}

/// When the oldest segment of a log was begun.
fn oldest(log: &Path) -> io::Result<Option<i64>> {
    let mut oldest = None;
    for entry in std::fs::read_dir(log)? {
        let opened = opened_ms(&entry?.file_name().to_string_lossy());
        oldest = opened.into_iter().chain(oldest).min();
    }
    Ok(oldest)
}

/// Files that are being read.
#[derive(Default)]
struct Reading {
    all: LogSummaries,
    names: usize,
    names_max: usize,
    /// Columns are those of the hour before, mostly.
    columns: BTreeMap<(String, String), Arc<[String]>>,
}

impl Reading {
    /// Reads the files of hours, and that of their day.
    fn add(&mut self, log: &Path, day_ms: i64, hours: &[Named]) -> io::Result<()> {
        let mut kept = Vec::with_capacity(hours.len());
        for hour in hours {
            match open(&hour.path) {
                Ok(one) => kept.extend(one.map(|one| (hour, one))),
                Err(error) => self.doubt(&[hour.begins_ms], &hour.path, &error),
            }
        }
        let path = day_path(log, day_ms);
        let day = match open(&path) {
            Ok(day) => day.unwrap_or_default(),
            Err(error) => {
                let hours: Vec<i64> =
                    (0..DAY_MS / HOUR_MS).map(|hour| day_ms + hour * HOUR_MS).collect();
                self.doubt(&hours, &path, &error);
                Kept::default()
            }
        };
        // Until the server takes them apart.
        for (named, _) in kept.extract_if(.., |(_, hour)| hour.is_mixed(&day)) {
            let error = io::Error::other("some of its rows are in that of its day, too");
            self.doubt(&[named.begins_ms], &named.path, &error);
        }
        kept.retain(|(_, hour)| hour.segments.is_empty() || !hour.is_merged(&day));
        for kept in kept.into_iter().map(|(_, kept)| kept).chain([day]) {
            self.take(kept)?;
        }
        Ok(())
    }

    fn doubt(&mut self, hours: &[i64], path: &Path, error: &io::Error) {
        for hour_ms in hours {
            self.all.doubts.insert(*hour_ms, format!("{}: {error}", path.display()));
        }
    }

    fn take(&mut self, kept: Kept) -> io::Result<()> {
        let mut damaged: BTreeMap<i64, usize> = BTreeMap::new();
        for opened in kept.unreadable.iter().filter_map(|name| opened_ms(name)) {
            *damaged.entry(opened - opened.rem_euclid(HOUR_MS)).or_default() += 1;
        }
        for (hour_ms, segments) in damaged {
            let why = format!("{segments} damaged segments, whose rows are in no summary");
            self.all.doubts.insert(hour_ms, why);
        }
        for mut part in kept.parts {
            let last = self.columns.entry((part.model.clone(), part.version.clone())).or_default();
            if **last == *part.columns {
                part.columns = Arc::clone(last);
            } else {
                self.names += part.columns.len();
                *last = Arc::clone(&part.columns);
            }
            self.names += part.left_out.len() + part.withheld.len() + part.averaged.len() + 1;
            if self.names > self.names_max {
                let names_max = self.names_max;
                let more = format!("they name more than {names_max} columns; look at fewer hours");
                return Err(io::Error::other(more));
            }
            self.all.parts.push(part);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::testing::{keeper, look, segment, summaries};
    use super::*;

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
}
