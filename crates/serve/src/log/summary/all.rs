//! What is kept of many hours, and of which of them not everything is known.
//!
//! A file that is damaged hides its own hour and no other: whoever asks is told that nobody knows what was in it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::file::{LogSummary, hour_ms, open, paths};

/// Names of columns that summaries of one look hold: two years of hours with a hundred columns, some 200 MB.
const NAMES_MAX: usize = 2_000_000;

/// What summaries of a log say, without their columns.
#[derive(Debug, Default)]
pub struct LogSummaries {
    /// Hours and versions.
    pub parts: Vec<LogSummary>,
    /// Hours (when they begin, in milliseconds since 1970) of which something is not known, and why.
    pub doubts: BTreeMap<i64, String>,
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
        let mut read = Self::default();
        let mut names = 0;
        // Columns are those of the hour before, mostly.
        let mut columns: BTreeMap<(String, String), Arc<[String]>> = BTreeMap::new();
        for path in paths(log)? {
            let Some(hour_ms) = hour_ms(&path).filter(|hour| begun.contains(hour)) else {
                continue;
            };
            let kept = match open(&path) {
                Ok(Some(kept)) => kept,
                Ok(None) => continue,
                Err(error) => {
                    read.doubts.insert(hour_ms, format!("{}: {error}", path.display()));
                    continue;
                }
            };
            if !kept.unreadable.is_empty() {
                let segments = kept.unreadable.len();
                let why = format!("{segments} damaged segments, whose rows are in no summary");
                read.doubts.insert(hour_ms, why);
            }
            for mut part in kept.parts {
                let last = columns.entry((part.model.clone(), part.version.clone())).or_default();
                if **last == *part.columns {
                    part.columns = Arc::clone(last);
                } else {
                    names += part.columns.len();
                    *last = Arc::clone(&part.columns);
                }
                names += part.left_out.len() + part.withheld.len() + part.averaged.len() + 1;
                if names > names_max {
                    let more =
                        format!("they name more than {names_max} columns; look at fewer hours");
                    return Err(io::Error::other(more));
                }
                read.parts.push(part);
            }
        }
        Ok(read)
    }
}
