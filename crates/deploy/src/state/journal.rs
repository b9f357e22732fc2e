//! The journal: each step of each change of a service, written before the next begins.

use serde::{Deserialize, Serialize};

use super::file::{append_json, tail};
use super::folder::Folder;
use crate::clock::now_ms;
use crate::error::{Error, Result};

/// Lines in which a release or the end of a service is looked for: those of some ten releases.
const LAST_LINES: usize = 1000;

/// A journal of some thousand releases is put aside.
const BYTES_MAX: u64 = 8 << 20;

/// A line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    at_ms: u64,
    pid: u32,
    release: String,
    step: String,
    text: String,
}

impl Folder {
    /// Writes a step down; on return it is on the disk.
    pub(crate) fn log_step(&self, release: &str, step: &str, text: String) -> Result<()> {
        let line = Line {
            at_ms: now_ms(),
            pid: std::process::id(),
            release: release.to_owned(),
            step: step.to_owned(),
            text,
        };
        append_json(&self.journal(), &line)
    }

    /// Whether the service was stopped on purpose, and nothing served since.
    pub(crate) fn was_stopped(&self) -> Result<bool> {
        let journal = self.journal();
        for path in [journal.clone(), journal.with_extension("jsonl.1")] {
            for line in tail(&path, LAST_LINES)?.iter().rev() {
                // A line that was cut by a crash says nothing.
                let Ok(line) = serde_json::from_str::<Line>(line) else { continue };
                match (line.release.as_str(), line.step.as_str()) {
                    ("stop", "finished") => return Ok(true),
                    (_, "switched") => return Ok(false),
                    _ => {}
                }
            }
        }
        Ok(false)
    }

    /// Puts a long journal aside, over the one put aside before.
    pub(crate) fn rotate_journal(&self) -> Result<()> {
        let journal = self.journal();
        if std::fs::metadata(&journal).is_ok_and(|file| file.len() > BYTES_MAX) {
            std::fs::rename(&journal, journal.with_extension("jsonl.1"))
                .map_err(|source| Error::io("cannot put aside", &journal, source))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_counts_until_something_serves_again() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder { root: temporary.path().to_owned() };
        let step = |release: &str, step: &str| {
            folder.log_step(release, step, String::new()).unwrap();
            folder.was_stopped().unwrap()
        };
        assert!(!folder.was_stopped().unwrap());
        assert!(!step("r1", "switched"));
        assert!(!step("r1", "finished"));
        assert!(!step("stop", "locked"));
        assert!(step("stop", "finished"));
        // A release that does not get so far changes nothing.
        assert!(step("r2", "starting"));
        assert!(!step("r3", "switched"));
    }
}
