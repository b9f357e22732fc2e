//! Where the files of runs and models are, and where they go. What clients keep in buckets, or behind a server,
//! stays where it is; files of this machine are copied to where new experiments keep theirs, or stay.

use std::path::{Path, PathBuf};

use trainyard_mlflow::uri;

use super::file_store::ExperimentFolder;

/// What happens to files of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactsAre {
    Copied,
    /// Experiments, runs and models say where they lie now.
    LeftInPlace,
}

/// An experiment's files before and after.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    /// As locations in the files begin; none for what is not on this machine.
    written: Option<PathBuf>,
    /// Where they lie: another place than the files say, if the store was moved.
    pub(super) folder: PathBuf,
    /// The location that the experiment has in the database.
    to: String,
    artifacts_are: ArtifactsAre,
}

/// Files, and the location that they get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The folder to copy from; none if there is nothing to copy.
    pub(super) from: Option<PathBuf>,
    pub(super) to: String,
}

/// The location that an experiment keeps; none if it gets a new one.
pub(super) fn kept_location(
    folder: &ExperimentFolder,
    artifacts_are: ArtifactsAre,
) -> Option<String> {
    let written = &folder.experiment.artifact_location;
    match (local(written), artifacts_are) {
        (None, _) => Some(written.clone()),
        (Some(_), ArtifactsAre::Copied) => None,
        (Some(path), ArtifactsAre::LeftInPlace) => Some(place(folder, &path).display().to_string()),
    }
}

/// Where an experiment's files lie: in its folder, or where it says that they are.
fn place(folder: &ExperimentFolder, written: &Path) -> PathBuf {
    let is_elsewhere =
        written.is_absolute() && written.file_name() != folder.path.file_name() && written.is_dir();
    if is_elsewhere { written.to_owned() } else { folder.path.clone() }
}

impl Moved {
    /// `to` is the experiment's location in the database.
    pub(super) fn new(folder: &ExperimentFolder, to: String, artifacts_are: ArtifactsAre) -> Self {
        let written = local(&folder.experiment.artifact_location);
        let lies =
            written.as_deref().map_or_else(|| folder.path.clone(), |path| place(folder, path));
        Self { written, folder: lies, to, artifacts_are }
    }

    /// Of a run or logged model in `folder`, whose files are below `below` in its experiment.
    pub(super) fn files(&self, folder: &Path, written: &str, below: &str) -> Files {
        let Some(path) = local(written) else {
            return Files { from: None, to: written.to_owned() };
        };
        let candidates = [folder.join("artifacts"), self.folder.join(below), path];
        let from = candidates.into_iter().find(|candidate| candidate.is_dir());
        match self.artifacts_are {
            ArtifactsAre::Copied => Files { from, to: uri::join(&self.to, below) },
            ArtifactsAre::LeftInPlace => {
                let lies = from.unwrap_or_else(|| folder.join("artifacts"));
                Files { from: None, to: lies.display().to_string() }
            }
        }
    }

    /// What a location below the experiment's becomes; none if it is not below it.
    pub(super) fn rewritten(&self, location: &str) -> Option<String> {
        let path = local(location)?;
        let below = [self.written.as_deref(), Some(self.folder.as_path())]
            .into_iter()
            .flatten()
            .find_map(|root| path.strip_prefix(root).ok())?;
        Some(match self.artifacts_are {
            ArtifactsAre::Copied => uri::join(&self.to, &below.to_string_lossy()),
            ArtifactsAre::LeftInPlace => self.folder.join(below).display().to_string(),
        })
    }
}

/// The path of a location on this machine.
fn local(location: &str) -> Option<PathBuf> {
    uri::local_path(location).ok().flatten()
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::Experiment;

    use super::*;

    fn experiment(path: &Path, location: &str) -> ExperimentFolder {
        let experiment =
            Experiment { artifact_location: location.to_owned(), ..Experiment::default() };
        ExperimentFolder { path: path.to_owned(), experiment, number: 1 }
    }

    #[test]
    fn a_store_that_was_moved_is_read_where_it_lies() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("1");
        let run = path.join("r");
        std::fs::create_dir_all(run.join("artifacts")).unwrap();
        let folder = experiment(&path, "file:///gone/mlruns/1");
        assert_eq!(kept_location(&folder, ArtifactsAre::Copied), None);
        let moved = Moved::new(&folder, "mlflow-artifacts:/1".to_owned(), ArtifactsAre::Copied);
        let files = moved.files(&run, "file:///gone/mlruns/1/r/artifacts", "r/artifacts");
        let expected = Files {
            from: Some(run.join("artifacts")),
            to: "mlflow-artifacts:/1/r/artifacts".to_owned(),
        };
        assert_eq!(files, expected);
        let source = moved.rewritten("file:///gone/mlruns/1/r/artifacts/model");
        assert_eq!(source.as_deref(), Some("mlflow-artifacts:/1/r/artifacts/model"));
        assert_eq!(moved.rewritten("file:///gone/mlruns/11/r"), None);
        assert_eq!(moved.rewritten("models:/m-1"), None);

        let kept = kept_location(&folder, ArtifactsAre::LeftInPlace).unwrap();
        assert_eq!(kept, path.display().to_string());
        let moved = Moved::new(&folder, kept, ArtifactsAre::LeftInPlace);
        let files = moved.files(&run, "file:///gone/mlruns/1/r/artifacts", "r/artifacts");
        assert_eq!((files.from, files.to), (None, run.join("artifacts").display().to_string()));
    }

    #[test]
    fn buckets_stay_where_they_are() {
        let folder = experiment(Path::new("/x/1"), "s3://bucket/1");
        let kept = kept_location(&folder, ArtifactsAre::Copied).unwrap();
        assert_eq!(kept, "s3://bucket/1");
        let moved = Moved::new(&folder, kept, ArtifactsAre::Copied);
        let files = moved.files(Path::new("/x/1/r"), "s3://bucket/1/r/artifacts", "r/artifacts");
        assert_eq!((files.from, files.to.as_str()), (None, "s3://bucket/1/r/artifacts"));
        assert_eq!(moved.rewritten("s3://bucket/1/r/artifacts/model"), None);
    }
}
