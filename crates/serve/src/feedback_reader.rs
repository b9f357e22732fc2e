//! Feedback read back, for those who learn from it: of each row of each request the last word.
//!
//! The form of the lines is that of [`crate::feedback`]. A line that is no fact is passed over: the last of a
//! file that a server writes just now may be half there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use crate::feedback::FOLDER;

/// Facts that are held at once: some 200 MB of them. Where there are more, the files that were written to
/// last count.
const FACTS_MAX: usize = 1_000_000;

/// Longest line that is read; a server writes none that is longer.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// A line as [`crate::feedback`] writes it.
#[derive(Debug, Deserialize)]
struct Line {
    request_id: String,
    #[serde(default)]
    row: u64,
    actual: Value,
    /// Milliseconds since the Unix epoch.
    #[serde(default)]
    time: i64,
}

/// What is known of a row, and since when.
#[derive(Debug)]
struct Known {
    time: i64,
    actual: Value,
}

/// What was true of rows of requests.
#[derive(Debug, Default)]
pub struct Facts {
    by_request: BTreeMap<String, BTreeMap<u64, Known>>,
    count: usize,
    is_cut: bool,
}

impl Facts {
    /// Reads the feedback that lies beside the predictions in this folder; none where none came.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn read(log: &Path) -> std::io::Result<Self> {
        let mut facts = Self::default();
        for path in newest_first(&log.join(FOLDER))? {
            if facts.count >= FACTS_MAX {
                facts.is_cut = true;
                break;
            }
            facts.read_file(&path)?;
        }
        Ok(facts)
    }

    /// What was true of a row (from 0) of a request, as far as anybody said.
    pub fn actual(&self, request_id: &str, row: u64) -> Option<&Value> {
        let known = self.by_request.get(request_id)?.get(&row)?;
        // A truth that is null is one that stayed unknown.
        Some(&known.actual).filter(|actual| !actual.is_null())
    }

    /// All that is known: the request's id, the row (from 0), and what was true of it.
    pub fn all(&self) -> impl Iterator<Item = (&str, u64, &Value)> {
        self.by_request.iter().flat_map(|(id, rows)| {
            rows.iter().map(move |(row, known)| (id.as_str(), *row, &known.actual))
        })
    }

    /// Whether anything is known of a request.
    pub fn knows(&self, request_id: &str) -> bool {
        self.by_request.contains_key(request_id)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.by_request.is_empty()
    }

    /// Whether there is more than is held.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn read_file(&mut self, path: &Path) -> std::io::Result<()> {
        let mut reader = BufReader::new(File::open(path)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
            if read == 0 || self.count >= FACTS_MAX {
                self.is_cut |= read > 0;
                return Ok(());
            }
            if let Ok(fact) = serde_json::from_slice(&line) {
                self.add(fact);
            }
        }
    }

    /// The last word on a row counts; of two at one time that which is read last.
    fn add(&mut self, line: Line) {
        let Line { request_id, row, actual, time } = line;
        let rows = self.by_request.entry(request_id).or_default();
        match rows.get_mut(&row) {
            Some(known) if known.time > time => {}
            Some(known) => *known = Known { time, actual },
            None => {
                rows.insert(row, Known { time, actual });
                self.count += 1;
            }
        }
    }
}

/// The files of feedback, those first that were written to last.
fn newest_first(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push((path.metadata()?.modified()?, path));
        }
    }
    files.sort_unstable();
    Ok(files.into_iter().rev().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::lines;

    #[test]
    fn the_last_word_on_a_row_counts() {
        let log = tempfile::tempdir().unwrap();
        assert!(Facts::read(log.path()).unwrap().is_empty(), "no feedback came");
        let folder = log.path().join(FOLDER);
        std::fs::create_dir(&folder).unwrap();
        let write = |name: &str, said: &[(&str, i64)]| {
            let mut text = Vec::new();
            for (body, time) in said {
                text.extend(lines(body.as_bytes(), *time).unwrap().text);
            }
            // Half a line, as a server leaves it that writes just now.
            text.extend(b"{\"request_id\": \"a\", \"row\": 1, \"act");
            std::fs::write(folder.join(name), text).unwrap();
        };
        write(
            "feedback-1-a.jsonl",
            &[
                (
                    r#"[{"request_id": "a", "actual": "x"}, {"request_id": "a", "row": 2, "actual": 1}]"#,
                    5,
                ),
                (r#"{"request_id": "b", "actual": "late"}"#, 9),
            ],
        );
        write(
            "feedback-2-b.jsonl",
            &[
                (r#"{"request_id": "a", "actual": "y"}"#, 7),
                (r#"{"request_id": "b", "actual": "early"}"#, 3),
                (r#"{"request_id": "c", "actual": null}"#, 3),
            ],
        );
        let facts = Facts::read(log.path()).unwrap();
        let text = |id: &str, row| facts.actual(id, row).map(ToString::to_string);
        assert_eq!(text("a", 0).as_deref(), Some("\"y\""));
        assert_eq!(text("a", 2).as_deref(), Some("1"));
        assert_eq!(text("a", 1), None);
        assert_eq!(text("b", 0).as_deref(), Some("\"late\""));
        assert_eq!(text("c", 0), None, "it stayed unknown");
        assert!(facts.knows("c") && !facts.knows("d") && !facts.is_cut());
    }
}
