//! The tracking server or database of verbs that need no project: the one that is named, or the project's here.

use std::path::Path;

use trainyard_mlflow::Tracking;
use trainyard_mlflow::uri::TrackingUri;
use trainyard_pipeline::Project;
use trainyard_tracking::OpenOptions;

use super::project::TrackingArguments;
use crate::failure::Failure;

/// The database of MLflow's clients that were told nothing.
const USUAL: &str = "mlflow.db";

impl TrackingArguments {
    /// Opens the one that is named, or the database of this folder; none where neither is there. A new one would
    /// have no models.
    pub(crate) fn open_found(&self) -> Result<Option<Tracking>, Failure> {
        let uri = match &self.tracking_uri {
            Some(uri) => uri.clone(),
            None if Path::new(USUAL).is_file() => format!("sqlite:///{USUAL}"),
            None => return Ok(None),
        };
        Ok(Some(trainyard_tracking::open(&uri, OpenOptions::default())?))
    }

    /// Opens it. A database that is not there is not made: nobody asks a new one what was.
    pub(crate) fn open_known(&self) -> Result<Tracking, Failure> {
        let Some(uri) = self.tracking_uri.as_deref() else {
            if Path::new("trainyard.toml").is_file() {
                return Ok(Project::open(Path::new("."), None)?.tracking()?);
            }
            return Err(Failure::input("no tracking server or database is named, and there is no trainyard.toml here")
                .hint("set MLFLOW_TRACKING_URI, or give --tracking-uri http://host:5000 or sqlite:///mlflow.db"));
        };
        let parsed: TrackingUri = uri.parse()?;
        if let TrackingUri::Sqlite(path) = &parsed
            && std::fs::metadata(path).is_err()
        {
            return Err(Failure::input(format!("there is no database at {}", path.display())));
        }
        Ok(trainyard_tracking::open(uri, OpenOptions::default())?)
    }
}
