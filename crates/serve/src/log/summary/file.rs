//! Summaries as files: one for the segments that were begun within one hour, or within one day when its hours were merged.
//!
//! A file is [`MAGIC`], the length of the head (`u64`, little-endian), the head (JSON) and a `.profile` for each part. The
//! head lists the segments whose rows are in it. All that is kept of a segment is in the one file that its name says,
//! which is replaced as a whole: so rows are in it or not, and never twice, whoever is killed in between. A file of a day
//! takes the place of those of its hours: one of these whose segments are in it, too, was merged, and is nothing any more.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trainyard_base::file::{Access, replace};
use trainyard_drift::Profile;

use super::part::{COLUMN_BYTES_MAX, Key, POINTS, Part};

/// Milliseconds of the time that a part is of.
pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// The folder, in that of the log.
const FOLDER: &str = "summaries";
/// How names end; before that are the milliseconds of the hour, or the day.
const ENDING: &str = ".summary";
const DAY_ENDING: &str = ".day";

/// The first bytes of a file. The line break shows a transfer that changed them.
const MAGIC: [u8; 8] = *b"TYSUMM\r\n";
/// Version of the layout.
const VERSION: u32 = 2;
/// Bytes of a head: a hundred for each segment, of which a busy server with many models writes thousands an hour.
const HEAD_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    segments: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    parts: Vec<PartHead>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PartHead {
    hour_ms: i64,
    #[serde(default = "hour")]
    length_ms: i64,
    model: String,
    model_version: String,
    rows: u64,
    time_sum: i64,
    folds: u32,
    columns: Vec<String>,
    left_out: BTreeSet<String>,
    withheld: BTreeMap<String, u64>,
    averaged: BTreeMap<String, u64>,
    bytes: u64,
}

/// What a part is of in a file in which it does not say.
fn hour() -> i64 {
    HOUR_MS
}

/// What is kept of the predictions of one version in one hour, or one day (of which there may be several: of segments that
/// were begun before and within it).
#[derive(Debug, Clone)]
pub struct LogSummary {
    /// When the hour or day begins: milliseconds since 1970, UTC.
    pub begins_ms: i64,
    /// How long it is: [`Self::HOUR_MS`], or a day.
    pub length_ms: i64,
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: String,
    /// Rows.
    pub rows: u64,
    /// The times of the rows in milliseconds, added up (wrapping).
    pub time_sum: i64,
    /// By how much of the rows the rank of a number may be wrong; columns of few and frequent values are exact.
    pub rank_error: f64,
    /// The columns that are kept, in the order of the log.
    pub columns: Arc<[String]>,
    /// Columns that are not kept: they hold ids, or have too many labels, or too long ones.
    pub left_out: BTreeSet<String>,
    /// Values of a column that stand in so few rows that they are not kept, and are missing in it: how many these are.
    pub withheld: BTreeMap<String, u64>,
    /// Columns whose numbers are means of rows.
    pub averaged: BTreeMap<String, u64>,
    folds: u32,
    path: Arc<Path>,
    at: u64,
    bytes: u64,
}

impl LogSummary {
    /// Milliseconds of an hour.
    pub const HOUR_MS: i64 = HOUR_MS;
    /// Distinct numbers of a column from which on they are quantiles: which values repeat is not known of these.
    pub const POINTS: u64 = POINTS as u64;
    /// Bytes that a column takes in memory at most.
    pub const COLUMN_BYTES_MAX: usize = COLUMN_BYTES_MAX;

    /// Its columns.
    pub fn profile(&self) -> io::Result<Profile> {
        self.profile_of(|_any| true)
    }

    /// Those of its columns that are wanted.
    pub fn profile_of(&self, is_wanted: impl Fn(&str) -> bool) -> io::Result<Profile> {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.at))?;
            let mut bytes = Vec::new();
            file.take(self.bytes).read_to_end(&mut bytes)?;
            let profile = Profile::read_columns(&mut bytes.as_slice(), is_wanted)
                .map_err(io::Error::other)?;
            // Further rows may have come to it meanwhile.
            if profile.rows() == self.rows {
                Ok(profile)
            } else {
                Err(io::Error::other("it has other rows than it says, or was changed now"))
            }
        };
        read().map_err(|error| named(&self.path, &error))
    }

    /// Whether its file still says the same of it. What cannot be read of one that does is damaged; otherwise further rows
    /// came to it, or it was removed.
    pub fn is_current(&self) -> bool {
        let is_same = |one: &Self| {
            let place = (one.begins_ms, one.length_ms, one.rows, one.at, one.bytes);
            place == (self.begins_ms, self.length_ms, self.rows, self.at, self.bytes)
                && one.model == self.model
                && one.version == self.version
        };
        match open(&self.path) {
            Ok(Some(kept)) => kept.parts.iter().any(is_same),
            Ok(None) => false,
            Err(_damaged) => true,
        }
    }

    /// When it ends.
    pub fn ends_ms(&self) -> i64 {
        self.begins_ms.saturating_add(self.length_ms)
    }

    /// Which rows it is of.
    pub(super) fn key(&self) -> Key {
        (self.begins_ms, self.model.clone(), self.version.clone())
    }

    /// The part that it is, to be put together with further rows.
    pub(super) fn part(&self) -> io::Result<Part> {
        self.part_of(|_any| true)
    }

    /// The same, with the columns alone that are wanted.
    pub(super) fn part_of(&self, is_wanted: impl Fn(&str) -> bool) -> io::Result<Part> {
        let of = |all: &BTreeMap<String, u64>| {
            let mut some = all.clone();
            some.retain(|name, _| is_wanted(name));
            some
        };
        Ok(Part {
            key: self.key(),
            length_ms: self.length_ms,
            rows: self.rows,
            time_sum: self.time_sum,
            folds: self.folds,
            left_out: self.left_out.clone(),
            withheld: of(&self.withheld),
            averaged: of(&self.averaged),
            profile: self.profile_of(&is_wanted)?,
        })
    }
}

/// A file that is open.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// All segments that need not be looked at again.
    pub(super) segments: BTreeSet<String>,
    /// Those among them of which no row is in it: they are damaged.
    pub(super) unreadable: BTreeSet<String>,
    pub(super) parts: Vec<LogSummary>,
}

impl Kept {
    /// Whether all that is in it is in the file of its day, too: whoever merged it was killed before it was removed.
    pub(super) fn is_merged(&self, day: &Self) -> bool {
        self.segments.is_subset(&day.segments)
    }

    /// Whether some of its rows are in the file of its day, too, and some are not: an earlier version, which knows of no
    /// days, made the hour again when something came late to it.
    pub(super) fn is_mixed(&self, day: &Self) -> bool {
        !self.segments.is_disjoint(&day.segments) && !self.is_merged(day)
    }
}

/// The folder of a log's summaries.
pub(super) fn folder(log: &Path) -> PathBuf {
    log.join(FOLDER)
}

/// The file of the segments that were begun within an hour.
pub(super) fn path(log: &Path, hour_ms: i64) -> PathBuf {
    folder(log).join(format!("{hour_ms:013}{ENDING}"))
}

/// The file of the segments that were begun within a day.
pub(super) fn day_path(log: &Path, day_ms: i64) -> PathBuf {
    folder(log).join(format!("{day_ms:013}{DAY_ENDING}"))
}

/// The day that a moment lies in.
pub(super) fn day_of(at_ms: i64) -> i64 {
    at_ms.saturating_sub(at_ms.rem_euclid(DAY_MS))
}

/// A file of summaries, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// When the hour or day begins that its segments were begun in.
    pub(super) begins_ms: i64,
    /// How long it is.
    pub(super) length_ms: i64,
    pub(super) path: PathBuf,
}

impl Named {
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (digits, length_ms) = match name.strip_suffix(ENDING) {
            Some(digits) => (digits, HOUR_MS),
            None => (name.strip_suffix(DAY_ENDING)?, DAY_MS),
        };
        Some(Self { begins_ms: digits.parse().ok()?, length_ms, path })
    }

    /// Whether it is of hours that were merged.
    pub(super) fn is_day(&self) -> bool {
        self.length_ms == DAY_MS
    }

    pub(super) fn ends_ms(&self) -> i64 {
        self.begins_ms.saturating_add(self.length_ms)
    }
}

/// All files of a log, the oldest first, and a day before what came late to it.
pub(super) fn files(log: &Path) -> io::Result<Vec<Named>> {
    let entries = match std::fs::read_dir(folder(log)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        files.extend(Named::of(entry?.path()));
    }
    files.sort_unstable_by_key(|file: &Named| (file.begins_ms, Reverse(file.length_ms)));
    Ok(files)
}

/// Opens a file; none if it is not there.
pub(super) fn open(path: &Path) -> io::Result<Option<Kept>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = file.metadata()?.len();
    let mut file = BufReader::new(file);
    let mut start = [0_u8; 16];
    file.read_exact(&mut start)?;
    let (magic, length) = start.split_at(MAGIC.len());
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    if magic != MAGIC || length > HEAD_BYTES_MAX {
        return Err(io::Error::other("this is no summary"));
    }
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    let head: Head = serde_json::from_slice(&text).map_err(io::Error::other)?;
    if head.version != VERSION {
        let found = head.version;
        let wrong = format!("it has version {found}, this program reads {VERSION}");
        return Err(io::Error::other(wrong));
    }
    let path: Arc<Path> = path.into();
    let mut at = start.len() as u64 + length;
    let mut parts = Vec::with_capacity(head.parts.len());
    for one in head.parts {
        if ![HOUR_MS, DAY_MS].contains(&one.length_ms) {
            return Err(io::Error::other("a part of it is of neither an hour nor a day"));
        }
        parts.push(LogSummary {
            begins_ms: one.hour_ms,
            length_ms: one.length_ms,
            model: one.model,
            version: one.model_version,
            rows: one.rows,
            time_sum: one.time_sum,
            rank_error: f64::from(one.folds) / POINTS as f64
                + one.averaged.values().max().map_or(0.0, |rows| *rows as f64 / one.rows as f64),
            columns: one.columns.into(),
            left_out: one.left_out,
            withheld: one.withheld,
            averaged: one.averaged,
            folds: one.folds,
            path: Arc::clone(&path),
            at,
            bytes: one.bytes,
        });
        at = at.saturating_add(one.bytes);
    }
    if at != bytes {
        return Err(io::Error::other(format!("it has {bytes} bytes, and should have {at}")));
    }
    Ok(Some(Kept { segments: head.segments, unreadable: head.unreadable, parts }))
}

/// Replaces a file, durably. What is damaged is among the segments, too.
pub(super) fn write(
    path: &Path,
    segments: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    parts: &[Part],
) -> io::Result<()> {
    let mut heads = Vec::with_capacity(parts.len());
    let mut profiles = Vec::new();
    for part in parts {
        let before = profiles.len();
        part.profile.write(&mut profiles).map_err(io::Error::other)?;
        let (hour_ms, model, model_version) = part.key.clone();
        heads.push(PartHead {
            hour_ms,
            length_ms: part.length_ms,
            model,
            model_version,
            rows: part.rows,
            time_sum: part.time_sum,
            folds: part.folds,
            columns: part.profile.columns().iter().map(|(name, _)| name.clone()).collect(),
            left_out: part.left_out.clone(),
            withheld: part.withheld.clone(),
            averaged: part.averaged.clone(),
            bytes: (profiles.len() - before) as u64,
        });
    }
    let head = Head { version: VERSION, segments, unreadable, parts: heads };
    let head = serde_json::to_vec(&head).map_err(io::Error::other)?;
    if head.len() as u64 > HEAD_BYTES_MAX {
        return Err(io::Error::other("it has more segments than are kept together"));
    }
    let length = (head.len() as u64).to_le_bytes();
    let bytes = [MAGIC.as_slice(), &length, &head, &profiles].concat();
    replace(path, &bytes, Access::Private)
}

/// An error with the file that it is of.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION};

    use super::super::testing::{keeper, look, segment, summaries};
    use super::*;

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
}
