//! How a file store is imported, and what came of it.

use trainyard_mlflow::{ErrorCode, Result};

use super::counts::Counts;
use super::locations::ArtifactsAre;
use super::problem::Problems;

/// Differences that are told one by one.
const DIFFERENCES_KEPT_MAX: usize = 100;

/// How a file store is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub artifacts_are: ArtifactsAre,
    /// Leave out what cannot be read.
    pub skip_broken: bool,
    /// Let runs go into the experiment of the database that has the same name.
    pub merge_experiments: bool,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What the files hold.
    pub read: Counts,
    /// What the database holds of it now.
    pub stored: Counts,
    /// What is not in the database as it is in the files, a sentence each.
    pub differences: Vec<String>,
    /// How many there are, if they are more.
    pub differences_total: u64,
    /// What is otherwise than in the files on purpose: experiments with another number and the like.
    pub notes: Vec<String>,
    /// What could not be read, and was left out.
    pub problems: Problems,
}

impl Report {
    pub(super) fn differs(&mut self, sentence: String) {
        self.differences_total += 1;
        if self.differences.len() < DIFFERENCES_KEPT_MAX {
            self.differences.push(sentence);
        }
    }

    /// What was done of a thing, or nothing, with the difference noted, if database or storage have no room for
    /// something in it: everything else is to come all the same.
    pub(super) fn unless_refused<T: Default>(&mut self, what: &str, done: Result<T>) -> Result<T> {
        match done {
            Err(error)
                if matches!(
                    error.code(),
                    ErrorCode::BadRequest | ErrorCode::InvalidParameterValue
                ) =>
            {
                self.differs(format!("{what}: {error}"));
                Ok(T::default())
            }
            done => done,
        }
    }

    /// Adds what was read and stored of a thing, and says what is missing of it.
    pub(super) fn compare(&mut self, what: &str, read: &Counts, stored: &Counts) {
        for kind in read.missing_in(stored) {
            let (name, read, stored) = (kind.name(), read.get(kind), stored.get(kind));
            self.differs(format!("{what}: {name}: {read} in the files, {stored} in the database"));
        }
        self.read += *read;
        self.stored += *stored;
    }

    pub(super) fn add(&mut self, part: Self) {
        self.read += part.read;
        self.stored += part.stored;
        self.differences_total += part.differences_total;
        let space = DIFFERENCES_KEPT_MAX - self.differences.len();
        self.differences.extend(part.differences.into_iter().take(space));
        self.notes.extend(part.notes);
        self.problems.extend(part.problems);
    }
}
