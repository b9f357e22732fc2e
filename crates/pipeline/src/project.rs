//! A project folder: its configuration, where it tracks, where it keeps state.

use std::path::{Path, PathBuf};

use trainyard_base::TemporaryFolder;
use trainyard_data::{ReadOptions, Table};
use trainyard_engine::Source;
use trainyard_mlflow::Tracking;
use trainyard_tracking::{Lending, OpenOptions, Shared};
use trainyard_train::{Holdout, TrainConfig};

use crate::feedback::{self, Learner, Provenance};
use crate::{Config, Error, Result, remote};

/// Root of artifacts that a tracking server passes on, which an embedded store resolves itself.
const ARTIFACT_ROOT: &str = "mlflow-artifacts:/";

/// Requests that need no mention in the project file.
const USUAL_REQUESTS: &str = "data/production_requests.csv";

/// A folder with a `trainyard.toml`.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder, absolute.
    pub folder: PathBuf,
    pub config: Config,
    /// `http(s)://…` or `sqlite:////absolute/path`.
    pub tracking_uri: String,
}

impl Project {
    /// Opens a project. `tracking_uri` is the user's choice for this call (flag or
    /// `MLFLOW_TRACKING_URI`), which goes before the project's own.
    pub fn open(folder: &Path, tracking_uri: Option<&str>) -> Result<Self> {
        let config = Config::read(folder)?;
        let folder = folder.canonicalize().map_err(|source| Error::io(folder, source))?;
        let tracking_uri = tracking_uri
            .filter(|uri| !uri.trim().is_empty())
            .or(config.tracking.uri.as_deref())
            .map_or_else(
                || format!("sqlite:///{}", folder.join("mlflow.db").display()),
                |uri| absolute_sqlite(uri, &folder),
            );
        Ok(Self { folder, config, tracking_uri })
    }

    /// The project's tracking store or server.
    pub fn tracking(&self) -> Result<Tracking> {
        Ok(trainyard_tracking::open(&self.tracking_uri, self.open_options())?)
    }

    /// The same for a server in this process: the store for itself, and for requests of others. Of a server
    /// elsewhere there is nothing to serve.
    pub fn shared_tracking(&self) -> Result<Shared> {
        if self.tracks_by_http() {
            let tracking = self.tracking()?;
            let (own, lent) = (tracking.clone(), tracking);
            return Ok(Shared { own, lent, webhooks: None, log: None, changes: None });
        }
        let lending = Lending::default();
        Ok(trainyard_tracking::share(&self.tracking_uri, self.open_options(), &lending)?)
    }

    /// Whether tracking is a server elsewhere.
    pub fn tracks_by_http(&self) -> bool {
        self.tracking_uri.starts_with("http://") || self.tracking_uri.starts_with("https://")
    }

    /// URL of that server, without credentials.
    pub fn http_tracking_url(&self) -> Option<String> {
        self.tracks_by_http()
            .then(|| trainyard_mlflow::uri::without_credentials(&self.tracking_uri))
    }

    /// Where an embedded store keeps artifacts.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions {
            // Through the server or without one: the same files.
            default_artifact_root: Some(ARTIFACT_ROOT.to_owned()),
            artifacts_destination: Some(self.folder.join("mlartifacts").display().to_string()),
            ..OpenOptions::default()
        }
    }

    /// A path of the project file, which is relative to the project.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.join(relative)
    }

    /// How the project trains and holds rows out, its paths made absolute.
    pub fn train_config(&self) -> TrainConfig {
        let mut config = self.config.train_config();
        if let Holdout::File { file } = &mut config.holdout {
            *file = self.source(file);
        }
        config
    }

    /// The training data, with the digest of its files. With `[train] feedback`, the rows that feedback
    /// labelled are behind those of the files, as one more file of the source.
    pub async fn training_data(&self) -> Result<Table> {
        Ok(self.labelled_training_data().await?.0)
    }

    /// The same, with where the labelled rows come from, if there are any.
    pub(crate) async fn labelled_training_data(&self) -> Result<(Table, Option<Provenance>)> {
        let data = self.config.train.data.clone().ok_or_else(|| Error::Missing {
            what: "the project names no training data".to_owned(),
            hint: format!("set `data` under [train] in {}", crate::FILE_NAME),
        })?;
        let fetched = if remote::is_remote(&data) {
            // Its future is large.
            Some(Box::pin(remote::fetch(&data, &self.state_folder())).await?)
        } else {
            None
        };
        let project = self.clone();
        let reading =
            tokio::task::spawn_blocking(move || project.read_training_data(data, fetched));
        reading.await.map_err(|error| trainyard_train::Error::Internal(error.to_string()))?
    }

    /// Reads them from where they are, or were fetched to.
    fn read_training_data(
        &self,
        data: String,
        fetched: Option<(TemporaryFolder, PathBuf)>,
    ) -> Result<(Table, Option<Provenance>)> {
        let options = ReadOptions { digest: true, ..ReadOptions::default() };
        let table = match fetched {
            None => self.read(&data, &options)?,
            Some((_folder, path)) => {
                let mut table = trainyard_data::read_table(&path.to_string_lossy(), &options)?;
                // A run says where it learned from, not where that lay meanwhile.
                table.source.name = data;
                table
            }
        };
        if !self.config.train.feedback {
            return Ok((table, None));
        }
        let learner = Learner { model: &self.config.model.name, train: &self.config.train };
        feedback::append(table, &self.prediction_log(), &learner)
    }

    /// Reads a table whose path is relative to the project.
    pub fn read(&self, source: &str, options: &ReadOptions) -> Result<Table> {
        let path = self.path(source);
        Ok(trainyard_data::read_table(&path.to_string_lossy(), options)?)
    }

    /// A source as one reads it from anywhere: paths are relative to the project, URIs are not.
    pub(crate) fn source(&self, source: &str) -> String {
        if source.contains(":/") || source == trainyard_data::STDIN || Source::is_one(source) {
            return source.to_owned();
        }
        self.path(source).to_string_lossy().into_owned()
    }

    /// Requests that a run sends to the new deployment: those of the project file, else the usual
    /// file if it is there.
    pub fn requests(&self) -> Option<String> {
        let usual = || self.path(USUAL_REQUESTS).is_file().then(|| USUAL_REQUESTS.to_owned());
        self.config.monitor.requests.clone().or_else(usual)
    }

    /// Where deployments and prediction logs live.
    pub fn state_folder(&self) -> PathBuf {
        self.path(&self.config.deploy.state)
    }

    /// Where the deployment's servers keep the models that they serve, to start from when the registry cannot be
    /// reached.
    pub fn model_cache(&self) -> PathBuf {
        self.state_folder().join("models")
    }

    /// Where the deployment's servers write their prediction log.
    pub fn prediction_log(&self) -> PathBuf {
        self.state_folder().join("predictions")
    }
}

/// `sqlite:///mlflow.db` means the folder one stands in; servers that a pipeline starts stand
/// elsewhere, so it is made absolute once.
fn absolute_sqlite(uri: &str, folder: &Path) -> String {
    match uri.strip_prefix("sqlite:///") {
        Some(path) if !path.starts_with('/') => {
            format!("sqlite:///{}", folder.join(path).display())
        }
        _ => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_are_relative_to_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[model]\nname = \"Churn\"\n[train]\ncommand = \"true\"\n";
        std::fs::write(folder.path().join("trainyard.toml"), text).unwrap();
        let project = Project::open(folder.path(), None).unwrap();
        for source in ["?table=t", "duckdb://a.db?table=t", "s3://b/a.csv", "-"] {
            assert_eq!(project.source(source), source);
        }
        assert!(Path::new(&project.source("a.csv")).is_absolute());
    }

    #[test]
    fn relative_databases_belong_to_the_project() {
        let folder = Path::new("/p");
        assert_eq!(absolute_sqlite("sqlite:///m.db", folder), "sqlite:////p/m.db");
        assert_eq!(absolute_sqlite("sqlite:////var/m.db", folder), "sqlite:////var/m.db");
        assert_eq!(absolute_sqlite("http://h:5000", folder), "http://h:5000");
    }
}
