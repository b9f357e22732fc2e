//! What a training learns from, in two digests: of the data, and of what decides how it is learned from. Where
//! both are those of the last training there is nothing new to learn, and training would make the same model.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{KeyValue, ModelVersion, Tag};

use crate::registry::versions;
use crate::{Error, FILE_NAME, Project, Result};

/// Tags of a version: SHA-256 of the training data, labelled rows included, and of the settings.
const DATA_TAG: &str = "trainyard.data_digest";
const SETTINGS_TAG: &str = "trainyard.settings_digest";

/// Endings of the files that a training program may be made of. What it writes (models, tables, pictures) has
/// others: that would look as if something had changed.
const SOURCES: [&str; 14] = [
    "py", "ipynb", "r", "R", "jl", "sh", "sql", "toml", "txt", "cfg", "ini", "yaml", "yml", "lock",
];

/// Folders that hold no sources of the project, but packages or what was made.
const FOREIGN: [&str; 5] = ["mlartifacts", "reports", "venv", "node_modules", "__pycache__"];

/// Sources that are read at most: a project with more is no project of one model, and is always new.
const FILES_MAX: usize = 10_000;

/// Bytes of a source that are read; a larger one is told by its size.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a training learns from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// None where it is not known: a program that reads data of its own.
    data: Option<String>,
    /// None where there are too many sources to read.
    settings: Option<String>,
}

impl Fingerprint {
    /// Of a training of this project on data with this digest.
    pub(crate) fn of(project: &Project, data: Option<String>) -> Result<Self> {
        Ok(Self { data, settings: settings(project)? })
    }

    /// Tags of the version that it becomes.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        [(DATA_TAG, &self.data), (SETTINGS_TAG, &self.settings)]
            .into_iter()
            .filter_map(|(key, digest)| Some(KeyValue::new(key, digest.as_ref()?)))
            .collect()
    }

    /// The version that was trained last, if it was trained on the same.
    ///
    /// A version counts whatever became of it: one that the gate refused would be refused again. One that was
    /// deleted does not.
    pub(crate) async fn last_trained_on_it(
        &self,
        tracking: &Tracking,
        model: &str,
    ) -> Result<Option<ModelVersion>> {
        let (Some(data), Some(settings)) = (self.data.as_deref(), self.settings.as_deref()) else {
            return Ok(None);
        };
        let all = versions(tracking, model).await?;
        let last = all.into_iter().find(|version| tag_of(version, SETTINGS_TAG).is_some());
        Ok(last.filter(|version| {
            tag_of(version, SETTINGS_TAG) == Some(settings)
                && tag_of(version, DATA_TAG) == Some(data)
        }))
    }
}

fn tag_of<'v>(version: &'v ModelVersion, key: &str) -> Option<&'v str> {
    KeyValue::find(&version.tags, key)
}

/// Digest of `[train]`, of this program, and of the training program where the project has one of its own.
fn settings(project: &Project) -> Result<Option<String>> {
    let mut hash = Sha256::new();
    // Another release may train otherwise.
    hash.update(env!("CARGO_PKG_VERSION"));
    // All keys, those to come as well.
    hash.update(format!("{:?}", project.config.train));
    if project.config.train.command.is_some() {
        let commit = trainyard_train::git_commit(&project.folder);
        hash.update(commit.unwrap_or_default());
        let mut sources = Vec::new();
        if !collect(project, &project.folder, &mut sources)? {
            return Ok(None);
        }
        sources.sort();
        for path in sources {
            let name = path.strip_prefix(&project.folder).unwrap_or(&path);
            hash.update(name.as_os_str().as_encoded_bytes());
            let size = std::fs::metadata(&path).map_err(|source| Error::io(&path, source))?.len();
            hash.update(size.to_le_bytes());
            if size <= FILE_BYTES_MAX {
                hash.update(std::fs::read(&path).map_err(|source| Error::io(&path, source))?);
            }
        }
    }
    Ok(Some(hex::encode(hash.finalize())))
}

/// Adds the sources below a folder; false where there are too many. Links are not followed: they may lead in a
/// circle.
fn collect(project: &Project, folder: &Path, found: &mut Vec<PathBuf>) -> Result<bool> {
    let failed = |source| Error::io(folder, source);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || path == project.state_folder() {
            continue;
        }
        if kind.is_dir() && !FOREIGN.contains(&name.as_str()) {
            if !collect(project, &path, found)? {
                return Ok(false);
            }
        } else if kind.is_file() && name != FILE_NAME {
            let ending = path.extension().and_then(|ending| ending.to_str());
            if ending.is_some_and(|ending| SOURCES.contains(&ending)) {
                found.push(path);
            }
        }
        if found.len() > FILES_MAX {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(folder: &Path, train: &str) -> Project {
        let text = format!("[model]\nname = \"M\"\n[train]\n{train}");
        std::fs::write(folder.join(FILE_NAME), text).unwrap();
        Project::open(folder, None).unwrap()
    }

    #[test]
    fn what_decides_how_is_learned_changes_the_digest_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |train: &str| settings(&project(folder.path(), train)).unwrap();
        let base = "data = \"a.csv\"\ntarget = \"y\"\n";
        let first = digest(base);
        std::fs::write(folder.path().join("notes.py"), "1").unwrap();
        let monitored = digest(&format!("{base}[monitor]\ndrift_share = 0.1\n"));
        assert_eq!(first, monitored, "neither files of no training program nor other tables count");
        assert_ne!(first, digest(&format!("{base}seed = 7\n")));
        assert_ne!(first, digest(&format!("{base}[train.params]\nn_estimators = 3\n")));
    }

    #[test]
    fn a_program_is_its_line_and_the_sources_of_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |train: &str| settings(&project(folder.path(), train)).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/train.py", "a");
        let command = "command = \"python src/train.py\"\n";
        let first = digest(command);
        write("out/model.bin", "made");
        write("mlartifacts/x.py", "made");
        write(".cache/x.py", "made");
        assert_eq!(first, digest(command), "what was made is no source");
        write("src/deep/part.py", "b");
        let second = digest(command);
        assert_ne!(first, second);
        write("src/train.py", "c");
        assert_ne!(second, digest(command));
        assert_ne!(digest(command), digest("command = \"python src/train.py --fast\"\n"));
    }
}
