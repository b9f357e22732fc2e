//! Hours are merged to days when they are old: a day takes as much as an hour, and nobody asks for its hours any more.
//!
//! The file of the day is there before those of its hours are gone, and lists their segments; whoever finds both goes by
//! that, so no row is lost or counts twice, whoever is killed in between. What comes late to a day is an hour once more, until
//! that is merged, too. An earlier version that comes back knows of no days and makes the hour of all its segments again: such
//! hours are taken apart.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::file::{DAY_MS, Kept, LogSummary, Named, day_of, day_path, files, open, write};
use super::part::{COLUMN_BYTES_MAX, Key, Part};

/// Bytes that columns which are put together may take at once.
const COLUMNS_BYTES_MAX: usize = 64 << 20;

/// The days that ended so long before now and have files of hours, the oldest first.
pub(super) fn due(log: &Path, now: SystemTime, after: Duration) -> io::Result<Vec<i64>> {
    let is_past = |day_ms: i64| {
        let ends = u64::try_from(day_ms.saturating_add(DAY_MS)).unwrap_or(0);
        let due = UNIX_EPOCH.checked_add(Duration::from_millis(ends).saturating_add(after));
        due.is_some_and(|due| due <= now)
    };
    let hours = files(log)?.into_iter().filter(|file| !file.is_day());
    let mut days: Vec<i64> = hours.map(|hour| day_of(hour.begins_ms)).collect();
    days.dedup();
    days.retain(|day| is_past(*day));
    Ok(days)
}

/// Puts the files of the hours of a day into its own, for who is alone; `false` if there was nothing that can be merged.
///
/// # Errors
///
/// Where nothing could be written; what was there is there.
pub(super) fn merge(log: &Path, day_ms: i64) -> io::Result<bool> {
    let Some(Merged { day, merged }) = write_day(log, day_ms)? else { return Ok(false) };
    tracing::debug!(day = %day.display(), hours = merged.len(), "summaries of hours are merged");
    merged.iter().try_for_each(std::fs::remove_file)?;
    Ok(true)
}

/// A day that is written, and the files that are in it and not removed yet.
struct Merged {
    day: PathBuf,
    merged: Vec<PathBuf>,
}

fn write_day(log: &Path, day_ms: i64) -> io::Result<Option<Merged>> {
    let path = day_path(log, day_ms);
    let day = open(&path)?.unwrap_or_default();
    let is_of_day = |file: &Named| !file.is_day() && day_of(file.begins_ms) == day_ms;
    let (mut merged, mut further) = (Vec::new(), Vec::new());
    for file in files(log)?.into_iter().filter(is_of_day) {
        match open(&file.path) {
            Ok(Some(hour)) => {
                // Whoever merged it before was killed.
                if !hour.is_merged(&day) {
                    further.push(hour);
                }
                merged.push(file.path);
            }
            Ok(None) => {}
            // It is somebody's to look at, and no reason to leave the others.
            Err(error) => {
                tracing::warn!(path = %file.path.display(), %error, "a summary cannot be read: move it away");
            }
        }
    }
    if merged.is_empty() {
        return Ok(None);
    }
    if !further.is_empty() {
        let Kept { mut segments, mut unreadable, parts } = day;
        let mut all = parts;
        for hour in further {
            segments.extend(hour.segments);
            unreadable.extend(hour.unreadable);
            all.extend(hour.parts);
        }
        write(&path, segments, unreadable, &together(day_ms, &all)?)?;
    }
    Ok(Some(Merged { day: path, merged }))
}

/// All that is kept, in parts of the day; rows of the hours before and after it, which its segments may have, stay in hours.
fn together(day_ms: i64, all: &[LogSummary]) -> io::Result<Vec<Part>> {
    let mut groups: BTreeMap<(Key, i64), Vec<&LogSummary>> = BTreeMap::new();
    for one in all {
        let (mut key, mut length_ms) = (one.key(), one.length_ms);
        if one.begins_ms >= day_ms && one.ends_ms() <= day_ms.saturating_add(DAY_MS) {
            (key.0, length_ms) = (day_ms, DAY_MS);
        }
        groups.entry((key, length_ms)).or_default().push(one);
    }
    let mut parts = Vec::with_capacity(groups.len());
    for ((key, length_ms), group) in groups {
        match group.as_slice() {
            // It is not made of quantiles once more.
            [one] => parts.push(Part { key, length_ms, ..one.part()? }),
            several => parts.extend(whole(&key, length_ms, several, COLUMNS_BYTES_MAX)?),
        }
    }
    Ok(parts)
}

/// Parts of one version as one, some of the columns after the others: labels of all of them may take more memory than a
/// server has to spare.
fn whole(
    key: &Key,
    length_ms: i64,
    parts: &[&LogSummary],
    bytes_max: usize,
) -> io::Result<Option<Part>> {
    let (mut names, mut known) = (Vec::new(), BTreeSet::new());
    names.extend(
        parts.iter().flat_map(|part| part.columns.iter()).filter(|name| known.insert(*name)),
    );
    let at_once = (bytes_max / COLUMN_BYTES_MAX / parts.len()).max(1);
    // Without a column there are rows.
    let none: [&[&String]; 1] = [&[]];
    let chunks: Vec<&[&String]> =
        if names.is_empty() { none.to_vec() } else { names.chunks(at_once).collect() };
    let mut whole: Option<Part> = None;
    for names in chunks {
        let is_wanted = |name: &str| names.iter().any(|wanted| *wanted == name);
        let some = parts.iter().map(|part| part.part_of(is_wanted));
        let some = some.collect::<io::Result<Vec<Part>>>()?;
        let Some(some) = Part::together(key.clone(), length_ms, &some) else { continue };
        whole = Some(match whole {
            Some(before) => before.with_columns_of(some),
            None => some,
        });
    }
    Ok(whole)
}

/// Takes hours apart of which some rows are in their day, too, for who is alone: what is there is summarised once more, of what
/// is gone it is said that nobody knows it. Returns the segments that are in no summary then.
pub(super) fn mend(log: &Path) -> io::Result<BTreeSet<String>> {
    let mut late = BTreeSet::new();
    let mut last: Option<(i64, Kept)> = None;
    for file in files(log)?.into_iter().filter(|file| !file.is_day()) {
        let day_ms = day_of(file.begins_ms);
        if last.as_ref().is_none_or(|(last, _)| *last != day_ms) {
            // One that is damaged is somebody's to look at.
            last = Some((day_ms, open(&day_path(log, day_ms)).ok().flatten().unwrap_or_default()));
        }
        let Some((_, day)) = &last else { continue };
        if day.segments.is_empty() {
            continue;
        }
        let Ok(Some(hour)) = open(&file.path) else { continue };
        if !hour.is_mixed(day) {
            continue;
        }
        let mut gone = BTreeSet::new();
        for name in hour.segments.difference(&day.segments) {
            let is_there = log.join(name).try_exists()? && !hour.unreadable.contains(name);
            if is_there { &mut late } else { &mut gone }.insert(name.clone());
        }
        tracing::warn!(path = %file.path.display(), lost = gone.len(), "an hour of summaries was made again although it is in its day; it is taken apart");
        if gone.is_empty() {
            std::fs::remove_file(&file.path)?;
        } else {
            write(&file.path, gone.clone(), gone, &[])?;
        }
    }
    Ok(late)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arrow_array::Float64Array;
    use trainyard_drift::{Column, Profile};

    use super::super::all::LogSummaries;
    use super::super::file::{self, HOUR_MS};
    use super::super::part::POINTS;
    use super::super::testing::{self, keeper, look, segment};
    use super::*;

    /// Rows of an hour of version 1: their numbers are those of the hour.
    fn part(hour: i64, rows: usize) -> Part {
        let values = (0..rows).map(|row| (row * 7919 % 1009) as f64 + hour as f64);
        let column = Column::new(&[&Float64Array::from_iter_values(values)]);
        let profile =
            Profile::from_columns(rows as u64, vec![("x".to_owned(), column.quantised(POINTS))]);
        Part {
            key: (hour * HOUR_MS, "m".to_owned(), "1".to_owned()),
            length_ms: HOUR_MS,
            rows: rows as u64,
            time_sum: hour,
            folds: 1,
            left_out: BTreeSet::new(),
            withheld: BTreeMap::new(),
            averaged: BTreeMap::new(),
            profile,
        }
    }

    /// The file of an hour, of one segment.
    fn hour(log: &Path, hour: i64, segment: u32, parts: &[Part]) {
        fs::create_dir_all(file::folder(log)).unwrap();
        let name = format!("predictions-{:013}-7-00000000-{segment:06}.parquet", hour * HOUR_MS);
        let segments = BTreeSet::from([name]);
        write(&file::path(log, hour * HOUR_MS), segments, BTreeSet::new(), parts).unwrap();
    }

    /// All hours of so many days, of 1,000 rows each.
    fn log(days: i64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..24 * days {
            hour(folder.path(), number, 0, &[part(number, 1000)]);
        }
        folder
    }

    /// When each part begins (in hours), how long it is, and its rows.
    fn found(log: &Path) -> Vec<(i64, i64, u64)> {
        let parts = LogSummaries::read(log, 0..i64::MAX).unwrap().parts;
        parts
            .iter()
            .map(|part| (part.begins_ms / HOUR_MS, part.length_ms / HOUR_MS, part.rows))
            .collect()
    }

    fn rows(log: &Path) -> u64 {
        found(log).iter().map(|part| part.2).sum()
    }

    #[test]
    fn a_day_has_the_rows_of_its_hours_and_says_how_exact_it_is() {
        let folder = log(1);
        let dir = folder.path();
        // A segment of the last hour has rows of the next day.
        hour(dir, 23, 0, &[part(23, 1000), part(24, 10)]);
        let day = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        let week = Duration::from_hours(7 * 24);
        assert!(due(dir, day + week - Duration::from_secs(1), week).unwrap().is_empty());
        assert_eq!(due(dir, day + week, week).unwrap(), [0]);
        assert!(merge(dir, 0).unwrap());
        assert_eq!(found(dir), [(0, 24, 24_000), (24, 1, 10)]);
        assert!(due(dir, day + week, week).unwrap().is_empty() && !merge(dir, 0).unwrap());
        let summary = LogSummaries::read(dir, 0..i64::MAX).unwrap().parts.remove(0);
        assert_eq!(summary.time_sum, (0..24).sum::<i64>());
        assert_eq!(summary.rank_error, 2.0 / POINTS as f64);
        let profile = summary.profile().unwrap();
        let x = profile.column("x").unwrap();
        let all: Vec<i64> =
            (0..24).flat_map(|hour| (0..1000).map(move |row| row * 7919 % 1009 + hour)).collect();
        for bound in (0..1035).step_by(9) {
            let exact = all.iter().filter(|value| **value < bound).count() as f64;
            let about = x.count_between(-1.0, bound as f64) as f64;
            assert!((exact - about).abs() <= 24_000.0 * summary.rank_error + 1.0, "{bound}");
        }
    }

    #[test]
    fn whoever_is_killed_in_between_no_row_is_lost_or_counts_twice() {
        let folder = log(1);
        let dir = folder.path();
        // Killed before anything was removed, …
        let Merged { merged, .. } = write_day(dir, 0).unwrap().unwrap();
        assert_eq!((merged.len(), rows(dir)), (24, 24_000));
        // … and within it.
        for path in &merged[..7] {
            fs::remove_file(path).unwrap();
        }
        assert_eq!(rows(dir), 24_000);
        let before = fs::read(day_path(dir, 0)).unwrap();
        assert!(merge(dir, 0).unwrap());
        assert_eq!(found(dir), [(0, 24, 24_000)]);
        assert_eq!(fs::read(day_path(dir, 0)).unwrap(), before, "it is not merged once more");
        // A segment of an hour that was merged was recovered late.
        hour(dir, 5, 1, &[part(5, 100)]);
        assert_eq!(rows(dir), 24_100);
        let Merged { merged, .. } = write_day(dir, 0).unwrap().unwrap();
        assert_eq!((merged.len(), rows(dir)), (1, 24_100));
        merge(dir, 0).unwrap();
        assert_eq!(found(dir), [(0, 24, 24_100)]);
    }

    #[test]
    fn columns_are_put_together_some_after_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let wide = |number: i64| {
            let x = part(number, 1000);
            let column = x.profile.column("x").unwrap().clone();
            let columns = (0..5).map(|name| (format!("c{name}"), column.clone())).collect();
            let withheld = (0..5).map(|name| (format!("c{name}"), name)).collect();
            Part { profile: Profile::from_columns(1000, columns), withheld, ..x }
        };
        for number in 0..3 {
            hour(dir, number, 0, &[wide(number)]);
        }
        let parts = LogSummaries::read(dir, 0..i64::MAX).unwrap().parts;
        let parts: Vec<&LogSummary> = parts.iter().collect();
        let of = |bytes_max| whole(&parts[0].key(), DAY_MS, &parts, bytes_max).unwrap().unwrap();
        let at_once = of(usize::MAX);
        assert_eq!((at_once.rows, at_once.profile.columns().len()), (3000, 5));
        assert_eq!(at_once.withheld["c4"], 12);
        for columns in [0, 1, 2, 3] {
            assert_eq!(of(columns * 3 * COLUMN_BYTES_MAX), at_once, "{columns}");
        }
    }

    #[test]
    fn an_hour_that_an_earlier_version_made_again_is_taken_apart() {
        let folder = log(1);
        let dir = folder.path();
        assert!(merge(dir, 0).unwrap());
        let path = file::path(dir, 5 * HOUR_MS);
        let name = |segment: u32| {
            format!("predictions-{:013}-7-00000000-{segment:06}.parquet", 5 * HOUR_MS)
        };
        let again = |names: &[u32]| {
            let segments = names.iter().map(|segment| name(*segment)).collect();
            write(&path, segments, BTreeSet::new(), &[part(5, 1100)]).unwrap();
        };
        // The first is in the day; of the late ones one is there, and one was removed.
        fs::write(dir.join(name(1)), "rows").unwrap();
        again(&[0, 1, 2]);
        let all = LogSummaries::read(dir, 0..i64::MAX).unwrap();
        assert_eq!((rows(dir), all.doubts.len()), (24_000, 1), "no row counts twice");
        assert!(all.doubts[&(5 * HOUR_MS)].contains("that of its day"), "{:?}", all.doubts);
        assert_eq!(mend(dir).unwrap(), BTreeSet::from([name(1)]));
        let all = LogSummaries::read(dir, 0..i64::MAX).unwrap();
        assert!(all.doubts[&(5 * HOUR_MS)].contains("1 damaged segments"), "{:?}", all.doubts);
        assert!(mend(dir).unwrap().is_empty());
        again(&[0, 1]);
        assert_eq!(mend(dir).unwrap(), BTreeSet::from([name(1)]));
        assert!(!path.exists() && LogSummaries::read(dir, 0..i64::MAX).unwrap().doubts.is_empty());
        // What is merged, and what is only late, stays.
        again(&[0]);
        assert!(mend(dir).unwrap().is_empty() && path.exists());
        again(&[1]);
        assert!(mend(dir).unwrap().is_empty() && path.exists());
        assert_eq!(rows(dir), 25_100);
    }

    #[test]
    fn a_damaged_hour_stays_a_doubt_and_keeps_no_other_from_being_merged() {
        let folder = log(1);
        let dir = folder.path();
        let path = file::path(dir, 3 * HOUR_MS);
        fs::write(&path, "no summary").unwrap();
        assert!(merge(dir, 0).unwrap() && path.exists());
        assert_eq!(found(dir), [(0, 24, 23_000)]);
        let all = LogSummaries::read(dir, 0..i64::MAX).unwrap();
        assert_eq!(all.doubts.keys().copied().collect::<Vec<_>>(), [3 * HOUR_MS]);
        assert!(!merge(dir, 0).unwrap());
        // Of a day that is damaged nobody knows anything, and nothing is put to it.
        fs::write(day_path(dir, 0), "no summary").unwrap();
        hour(dir, 4, 1, &[part(4, 10)]);
        assert!(merge(dir, 0).is_err());
        let all = LogSummaries::read(dir, 0..i64::MAX).unwrap();
        assert_eq!((all.doubts.len(), all.parts.len()), (24, 1));
    }

    #[test]
    fn whoever_reads_meanwhile_sees_each_row_once() {
        let folder = log(4);
        let dir = folder.path();
        std::thread::scope(|scope| {
            let merging = scope.spawn(|| {
                for day in 0..4 {
                    assert!(merge(dir, day * DAY_MS).unwrap());
                }
            });
            while !merging.is_finished() {
                assert_eq!(rows(dir), 96_000);
            }
        });
        assert_eq!(found(dir), [0, 24, 48, 72].map(|day| (day, 24, 24_000)));
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
        assert_eq!(testing::rows(dir).len(), 4, "the day is not old enough");
        look(&keeper(dir), week_later);
        let day = [(0, "1".to_owned(), 360), (0, "2".to_owned(), 120)];
        assert_eq!(testing::rows(dir), day);
        // Its segments are known to be in it, whoever looks, and an hour is made of none of them once more.
        let late = segment(dir, 190, "2");
        let again = keeper(dir);
        look(&again, week_later);
        assert_eq!(testing::rows(dir), [day[0].clone(), (0, "2".to_owned(), 240)]);
        assert!(again.covered.has(&dir.join(late)));
        assert!(!file::path(dir, 0).exists() && !file::path(dir, 3 * HOUR_MS).exists());
        let mut never = keeper(dir);
        never.log.summaries_days_after = None;
        segment(dir, 240, "1");
        look(&never, 100 * 1440);
        assert_eq!(testing::rows(dir).len(), 3, "hours stay hours");
    }
}
