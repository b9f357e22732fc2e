//! What a folder is to whoever wants a project in it: where it lies in a repository, and which tables it has.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Folders, below the project's, where tables are looked for: where people keep them.
const PLACES: [&str; 6] = ["data", "", "data/raw", "dataset", "datasets", "input"];

/// Most entries of a folder that are looked at: a folder of more is a store of something, not a project's.
const ENTRIES_MAX: usize = 10_000;

/// A list of files to leave out, or of jobs, is short: a larger one is not looked at.
pub(super) const LIST_BYTES_MAX: u64 = 1 << 20;

/// A folder that gets a project.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// As the user wrote it.
    pub(super) path: PathBuf,
    /// Its own name.
    pub(super) name: String,
    /// Root of the git repository that it lies in; its own path where it lies in none.
    pub(super) root: PathBuf,
    /// Its path below that root, with `/` behind each part; nothing where it is the root.
    pub(super) inside: String,
    /// Whether it lies in a git repository.
    pub(super) is_in_git: bool,
}

impl Folder {
    /// Looks at a folder that may not be there yet.
    pub(super) fn look(path: &Path) -> Result<Self> {
        let absolute = std::path::absolute(path).map_err(|source| Error::io(path, source))?;
        if absolute.is_file() {
            let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(Error::io(path, source));
        }
        // Links and `..` say nothing of where it lies.
        let absolute = absolute.canonicalize().unwrap_or(absolute);
        let name = absolute.file_name().map_or("model".into(), OsStr::to_string_lossy);
        let name = name.into_owned();
        let root = absolute.ancestors().find(|folder| folder.join(".git").exists());
        let inside = root.and_then(|root| absolute.strip_prefix(root).ok());
        let parts = inside.into_iter().flat_map(Path::components);
        let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
        let inside = if parts.is_empty() { String::new() } else { parts.join("/") + "/" };
        let is_in_git = root.is_some();
        // At the root, paths are shown as the user wrote the folder.
        let root = match root {
            Some(root) if !inside.is_empty() => root.to_owned(),
            _ => path.to_owned(),
        };
        Ok(Self { path: path.to_owned(), name, root, inside, is_in_git })
    }

    /// Its place in the repository is written into files that a shell, a YAML reader and GitHub's expressions read in turn.
    ///
    /// # Errors
    ///
    /// One of them could read something else in it.
    pub(super) fn can_be_named(&self) -> Result<()> {
        let is_plain = |c: char| c.is_alphanumeric() || " /._-@=,".contains(c);
        if self.inside.chars().all(is_plain) {
            return Ok(());
        }
        Err(Error::Missing {
            what: format!("jobs cannot name the folder {:?} of the repository", self.inside),
            hint: "give its folders names of letters, digits, blanks and any of . _ - @ = , or \
                   write no jobs: --ci none"
                .to_owned(),
        })
    }

    /// Whether there is something of this name, a broken link included.
    pub(super) fn has(&self, name: &str) -> bool {
        self.path.join(name).symlink_metadata().is_ok()
    }

    /// A text file of the project, if it is there and no larger than `bytes_max`.
    pub(super) fn text(&self, name: &str, bytes_max: u64) -> Option<String> {
        read_text(&self.path.join(name), bytes_max)
    }

    /// Tables that could be trained on, by their path in the project; those of the most usual places first.
    pub(super) fn tables(&self) -> Vec<String> {
        PLACES.iter().flat_map(|place| self.tables_in(place)).collect()
    }

    fn tables_in(&self, place: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path.join(place)) else { return Vec::new() };
        let mut found: Vec<String> = entries
            .take(ENTRIES_MAX)
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let is_table = trainyard_data::has_table_name(&name) && entry.path().is_file();
                let is_hidden = name.starts_with(['.', '_']);
                (is_table && !is_hidden).then_some(name)
            })
            .map(|name| if place.is_empty() { name } else { format!("{place}/{name}") })
            .collect();
        found.sort();
        found
    }
}

/// A text file, if it is there, is text, and is no larger than `bytes_max`.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > bytes_max {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_knows_its_place_in_a_repository() {
        let repository = tempfile::tempdir().unwrap();
        let root = repository.path().canonicalize().unwrap();
        std::fs::create_dir(root.join(".git")).unwrap();
        let part = root.join("models/churn");
        std::fs::create_dir_all(&part).unwrap();
        let folder = Folder::look(&part).unwrap();
        assert_eq!((folder.name.as_str(), folder.inside.as_str()), ("churn", "models/churn/"));
        assert_eq!(folder.root, root);
        let whole = Folder::look(&root).unwrap();
        assert_eq!((whole.inside.as_str(), whole.is_in_git), ("", true));
    }

    #[test]
    fn tables_are_found_where_people_keep_them() {
        let place = tempfile::tempdir().unwrap();
        for name in ["data/b.csv", "data/a.parquet", "all.csv.gz", "data/.hidden.csv", "notes.txt"]
        {
            let file = place.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "x").unwrap();
        }
        let folder = Folder::look(place.path()).unwrap();
        assert_eq!(folder.tables(), ["data/a.parquet", "data/b.csv", "all.csv.gz"]);
        assert!(Folder::look(&place.path().join("notes.txt")).is_err());
    }
}
