//! Where the tracking database is, as a server and all that is done to its data are told: by a URI, or by a file with
//! one, which keeps a password out of process lists and environments.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;

/// The database of experiments, runs and models.
#[derive(Debug, Args)]
pub(crate) struct BackendStore {
    /// Database of experiments, runs and models
    #[arg(
        long,
        env = "MLFLOW_BACKEND_STORE_URI",
        default_value = "sqlite:///mlflow.db",
        value_name = "URI",
        help_heading = "Storage"
    )]
    backend_store_uri: String,
    /// File with that URI instead, which keeps a password out of the environment
    #[arg(
        long,
        env = "TRAINYARD_BACKEND_STORE_URI_FILE",
        conflicts_with = "backend_store_uri",
        value_name = "FILE",
        help_heading = "Storage"
    )]
    backend_store_uri_file: Option<PathBuf>,
}

impl BackendStore {
    /// The URI, wherever it stands.
    pub(crate) fn uri(&self) -> Result<String, Failure> {
        match &self.backend_store_uri_file {
            Some(file) => uri_in(file),
            None => Ok(self.backend_store_uri.clone()),
        }
    }

    /// The file that it stands in, if it does.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        self.backend_store_uri_file.as_ref()
    }
}

/// The URI in a file. What is in it is not repeated: it may have a password.
pub(super) fn uri_in(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    let uri = text.trim();
    if uri.is_empty() || uri.contains(['\n', '\r']) {
        return Err(Failure::input(format!("{} holds no URI", file.display()))
            .hint("one line is wanted: postgresql://user:password@host:5432/database"));
    }
    Ok(uri.to_owned())
}
