//! A file store's folders: experiments, some of which are in the trash, and registered models.
//!
//! ```text
//! <root>/<experiment>/{meta.yaml, tags/<key>, datasets/<id>/, models/<id>/, traces/<id>/}
//! <root>/<experiment>/<run>/{meta.yaml, params/, tags/, metrics/, inputs/<id>/, outputs/<id>/, artifacts/}
//! <root>/.trash/<experiment>/…
//! <root>/models/<name>/{meta.yaml, tags/, aliases/<alias>, version-<n>/{meta.yaml, tags/}}
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use trainyard_mlflow::Result;
use trainyard_mlflow::entities::{Experiment, LifecycleStage};

use super::files::{META, subfolders, values, yaml};
use super::meta::{ExperimentMeta, lifecycle};
use super::problem::{Problem, Problems};
use crate::error::invalid;
use crate::store::validate;

const TRASH: &str = ".trash";
const REGISTRY: &str = "models";
/// Folders of an experiment that are no runs.
const NO_RUNS: [&str; 5] = ["tags", "datasets", "traces", "models", TRASH];
/// As the client limits them.
const EXPERIMENT_TAG_MAX: usize = 20_000;

/// A folder in which MLflow kept everything.
#[derive(Debug, Clone)]
pub(super) struct FileStore {
    root: PathBuf,
}

/// An experiment's folder, and what it says.
#[derive(Debug, Clone)]
pub(super) struct ExperimentFolder {
    pub(super) path: PathBuf,
    /// As in the files: id, location and times are those of the file store.
    pub(super) experiment: Experiment,
    pub(super) number: i64,
}

impl FileStore {
    /// Refuses a folder in which no experiment and no registered model is: it is probably not the one that was
    /// meant.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let root =
            std::path::absolute(root).map_err(|error| trainyard_mlflow::Error::io(root, error))?;
        if !root.is_dir() {
            return invalid!("there is no folder {}", root.display());
        }
        let store = Self { root };
        let mut unread = Problems::default();
        let is_empty = store.experiment_paths(&mut unread).is_empty()
            && store.registered_models(&mut unread).is_empty();
        if is_empty {
            return invalid!(
                "{} is not MLflow's file store: no folder in it has a meta.yaml",
                store.root.display()
            );
        }
        Ok(store)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn experiment_paths(&self, problems: &mut Problems) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for folder in [self.root.clone(), self.root.join(TRASH)] {
            for name in subfolders(&folder, problems) {
                let path = folder.join(&name);
                let is_reserved = name == TRASH || name == REGISTRY;
                if !is_reserved && path.join(META).exists() {
                    paths.push(path);
                }
            }
        }
        paths
    }

    /// All experiments that can be read, those in the trash last.
    pub(super) fn experiments(&self, problems: &mut Problems) -> Vec<ExperimentFolder> {
        let (mut names, mut folders) = (HashSet::new(), Vec::new());
        for path in self.experiment_paths(problems) {
            let Some(folder) = read_experiment(path, problems) else { continue };
            let name = &folder.experiment.name;
            // A database has a name once.
            if names.insert(name.clone()) {
                folders.push(folder);
            } else {
                let reason = format!("another experiment of these files is '{name}', too");
                problems.add(Problem::new(&folder.path, reason));
            }
        }
        folders
    }

    /// The folders of registered models.
    pub(super) fn registered_models(&self, problems: &mut Problems) -> Vec<PathBuf> {
        let folder = self.root.join(REGISTRY);
        let names = subfolders(&folder, problems).into_iter();
        names.map(|name| folder.join(name)).filter(|path| path.join(META).exists()).collect()
    }
}

impl ExperimentFolder {
    /// The folders of runs.
    pub(super) fn runs(&self, problems: &mut Problems) -> Vec<PathBuf> {
        let names = subfolders(&self.path, problems).into_iter();
        let runs = names.filter(|name| !NO_RUNS.contains(&name.as_str()));
        runs.map(|name| self.path.join(name)).filter(|path| path.join(META).exists()).collect()
    }

    /// The folders of logged models.
    pub(super) fn logged_models(&self, problems: &mut Problems) -> Vec<PathBuf> {
        let folder = self.path.join("models");
        let names = subfolders(&folder, problems).into_iter();
        names.map(|name| folder.join(name)).filter(|path| path.join(META).exists()).collect()
    }

    /// How many traces there are.
    pub(super) fn traces(&self, problems: &mut Problems) -> u64 {
        subfolders(&self.path.join("traces"), problems).len() as u64
    }
}

fn read_experiment(path: PathBuf, problems: &mut Problems) -> Option<ExperimentFolder> {
    let file = path.join(META);
    let meta: ExperimentMeta = problems.note(yaml(&file))?;
    let folder = path.file_name().unwrap_or_default().to_string_lossy();
    if meta.experiment_id != folder {
        let reason = format!("it says that it is experiment {}", meta.experiment_id);
        problems.add(Problem::new(&file, reason));
        return None;
    }
    let number = meta.experiment_id.parse().ok().filter(|number: &i64| *number >= 0);
    let Some(number) = number else {
        problems.add(Problem::new(&file, "databases number experiments, and this is no number"));
        return None;
    };
    if meta.name.contains('\0') || validate::experiment_name(&meta.name).is_err() {
        problems.add(Problem::new(&file, "the experiment has no name that a database holds"));
        return None;
    }
    let is_in_trash = path.parent().is_some_and(|parent| parent.ends_with(TRASH));
    let lifecycle_stage = if is_in_trash {
        LifecycleStage::Deleted
    } else {
        lifecycle(meta.lifecycle_stage.as_deref())
    };
    let experiment = Experiment {
        experiment_id: meta.experiment_id,
        name: meta.name,
        // Where the oldest files do not say it, it was the folder.
        artifact_location: meta
            .artifact_location
            .filter(|location| !location.is_empty())
            .unwrap_or_else(|| path.display().to_string()),
        lifecycle_stage,
        creation_time: meta.creation_time,
        last_update_time: meta.last_update_time,
        tags: values(&path.join("tags"), EXPERIMENT_TAG_MAX, problems),
    };
    Some(ExperimentFolder { path, experiment, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_cannot_have_is_found_before_anything_is_written() {
        let root = tempfile::tempdir().unwrap();
        let write = |folder: &str, number: u32, name: &str| {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            let meta = format!("experiment_id: '{number}'\nname: {name}\n");
            std::fs::write(folder.join(META), meta).unwrap();
        };
        write("1", 1, "one");
        write("2", 2, "one");
        write(".trash/3", 3, "one");
        write("4", 4, &"n".repeat(10_000));
        let mut problems = Problems::default();
        let store = FileStore::open(root.path()).unwrap();
        let found = store.experiments(&mut problems);
        let numbers: Vec<i64> = found.iter().map(|folder| folder.number).collect();
        assert_eq!(numbers, [1]);
        assert_eq!(problems.total(), 3, "{:?}", problems.first());
    }
}
