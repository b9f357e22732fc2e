//! The journal: each step of each change of a service, written before the next begins.

use serde::{Deserialize, Serialize};

use super::file::append_json;
use super::folder::Folder;
use crate::clock::now_ms;
use crate::error::{Error, Result};

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
