//! What `init` is going to do, and doing it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use crate::{Error, Result};

/// A file that is made or added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// Whether lines are added to a file that is there.
    pub is_addition: bool,
    /// What is written.
    pub(super) text: String,
}

/// What nobody said and was guessed, for whoever can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guesses {
    /// Registered model.
    pub name: String,
    /// Tables that could be trained on, by their path in the project.
    pub tables: Vec<String>,
    /// The one that is.
    pub data: Option<String>,
    /// Its columns; none if it was not looked at.
    pub columns: Vec<String>,
    /// The one that is predicted.
    pub target: Option<String>,
    /// Whether a program trains, which reads what it reads.
    pub has_command: bool,
}

/// The plan.
#[derive(Debug, Clone, Default)]
pub struct Scaffold {
    /// Files that are made or added to.
    pub changes: Vec<Change>,
    /// Files that are there and stay as they are.
    pub kept: Vec<PathBuf>,
    /// What was found, in words.
    pub found: Vec<String>,
    /// What is to be done before `trainyard run`, in words.
    pub missing: Vec<String>,
    /// What was guessed; nothing where there is a project file already.
    pub guesses: Option<Guesses>,
    /// A folder for data that are not there yet.
    pub(super) data_folder: Option<PathBuf>,
}

impl Scaffold {
    /// Does it. A file that has come into the way since is an error, and stays as it is.
    pub fn write(&self) -> Result<()> {
        for change in &self.changes {
            let path = &change.path;
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
            }
            let mut options = OpenOptions::new();
            if change.is_addition {
                options.append(true);
            } else {
                options.write(true).create_new(true);
            }
            let mut file = options.open(path).map_err(|source| Error::io(path, source))?;
            file.write_all(change.text.as_bytes()).map_err(|source| Error::io(path, source))?;
        }
        match &self.data_folder {
            Some(data) => std::fs::create_dir_all(data).map_err(|source| Error::io(data, source)),
            None => Ok(()),
        }
    }

    /// Plans a file, unless there is something of its name.
    pub(super) fn make(&mut self, path: PathBuf, text: String) -> Result<()> {
        match path.symlink_metadata() {
            Ok(_) => self.kept.push(path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.changes.push(Change { path, is_addition: false, text });
            }
            Err(source) => return Err(Error::io(path, source)),
        }
        Ok(())
    }
}
