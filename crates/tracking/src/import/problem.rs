//! What cannot be read of a file store, each with its path: the rest of the store is worth having.

use std::fmt;
use std::path::{Path, PathBuf};

/// Problems that are kept with their texts; further ones are only counted.
const KEPT_MAX: usize = 1000;

/// A file or folder that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    pub reason: String,
}

impl Problem {
    pub(super) fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Something read, or why it cannot be.
pub(super) type Read<T> = Result<T, Problem>;

/// All that could not be read.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    total: u64,
}

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        self.total += 1;
        if self.kept.len() < KEPT_MAX {
            self.kept.push(problem);
        }
    }

    /// The value, or the problem noted.
    pub(super) fn note<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|problem| self.add(problem)).ok()
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.total += more.total;
        let space = KEPT_MAX - self.kept.len();
        self.kept.extend(more.kept.into_iter().take(space));
    }

    /// The first of them.
    pub fn first(&self) -> &[Problem] {
        &self.kept
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.total
    }
}
