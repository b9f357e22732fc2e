//! Which segments are in summaries, and which are not yet: by what lies in the folder, whoever put it there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::super::segment::opened_ms;
use super::file::{self, HOUR_MS, day_of, day_path};
use super::removal;

/// A segment that is in no summary.
pub(super) struct Open {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// Segments that are in no summary, by the hour in which they were begun.
pub(super) struct Uncovered {
    pub(super) hours: BTreeMap<i64, Vec<Open>>,
    /// When the log was written to last.
    pub(super) newest: Option<SystemTime>,
}

/// Segments whose rows are in summaries, as far as this process knows.
#[derive(Debug, Default)]
pub(in super::super) struct Covered(Mutex<BTreeSet<String>>);

impl Covered {
    /// Whether the rows of a segment are in a summary.
    pub(in super::super) fn has(&self, segment: &Path) -> bool {
        let name = segment.file_name().unwrap_or_default().to_string_lossy();
        self.names().contains(&*name)
    }

    pub(super) fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Segments that are in no summary.
    pub(super) fn open_of(&self, log: &Path) -> io::Result<Uncovered> {
        let (mut hours, mut there) = (BTreeMap::<i64, Vec<Open>>::new(), BTreeSet::new());
        let mut newest = None;
        for entry in std::fs::read_dir(log)? {
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
        self.names().retain(|name| there.contains(name));
        let begins = removal::mark(log)?.begins_ms;
        // The day that was looked at last, and whether it could be read.
        let mut last_day = None;
        for (hour, open) in &mut hours {
            if *hour < begins {
                self.names().extend(open.drain(..).map(|one| one.name));
            }
            open.retain(|one| !self.names().contains(&one.name));
            if open.is_empty() {
                continue;
            }
            let day = day_of(*hour);
            let is_day_read = match last_day {
                Some((last, is_read)) if last == day => is_read,
                _ => self.note(&day_path(log, day), &there),
            };
            last_day = Some((day, is_day_read));
            let is_read = is_day_read && self.note(&file::path(log, *hour), &there);
            open.retain(|one| is_read && !self.names().contains(&one.name));
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
                self.names().extend(names);
                true
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a summary cannot be read: move it away");
                false
            }
        }
    }
}
