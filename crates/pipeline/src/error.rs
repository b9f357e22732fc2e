//! Why a pipeline stops, what to do about it, and with which exit code.

use std::path::{Path, PathBuf};

use crate::gate::Verdict;

/// The result of a step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a step failed. A user's mistake has a hint and exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `trainyard.toml`.
    #[error("cannot read {}: {source}", path.display())]
    NoProject {
        /// The file looked for.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: std::io::Error,
    },
    /// `trainyard.toml` is wrong.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Line, key and what is wrong.
        reason: String,
    },
    /// `init` would overwrite something.
    #[error("{} is already there", path.display())]
    AlreadyAProject {
        /// The file in the way.
        path: PathBuf,
    },
    /// A file of the project could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The gate refused the version.
    #[error("{0}")]
    Gate(Verdict),
    /// The staged version did not answer as it should.
    #[error("version {version} of {model} did not pass its check as Staging: {reason}")]
    Staging {
        /// Registered model.
        model: String,
        /// Version that was checked.
        version: String,
        /// What it answered.
        reason: String,
    },
    /// The gateway's address is taken.
    #[error("the gateway cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Nothing to do the step with.
    #[error("{what}")]
    Missing {
        /// What is missing.
        what: String,
        /// How to get it.
        hint: String,
    },
    /// A request of the example's traffic failed.
    #[error("request {request} of {total} failed: {reason}")]
    Traffic {
        /// Which one, from 1.
        request: usize,
        /// Out of how many.
        total: usize,
        /// Status and body, or why there was no answer.
        reason: String,
    },
    /// An object store refused or cannot be reached.
    #[error("{uri}: {reason}")]
    Remote {
        /// As the user wrote it.
        uri: String,
        /// What was answered.
        reason: String,
    },
    /// A profile could not be read.
    #[error("{}: {source}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: trainyard_drift::ProfileError,
    },
    /// Data could not be read.
    #[error(transparent)]
    Data(#[from] trainyard_data::Error),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] trainyard_train::Error),
    /// The tracking server or registry refused or cannot be reached.
    #[error(transparent)]
    Mlflow(#[from] trainyard_mlflow::Error),
    /// A model folder is not as MLflow writes it.
    #[error(transparent)]
    Signature(#[from] trainyard_signature::Error),
    /// The tracking database cannot be opened.
    #[error(transparent)]
    Tracking(#[from] trainyard_tracking::Error),
    /// A model cannot be loaded or run.
    #[error(transparent)]
    Model(#[from] trainyard_models::Error),
    /// The model server could not start.
    #[error(transparent)]
    Serve(#[from] trainyard_serve::Error),
    /// A release failed.
    #[error(transparent)]
    Deploy(#[from] trainyard_deploy::Error),
}

impl Error {
    pub(crate) fn config(path: &Path, reason: impl Into<String>) -> Self {
        Self::Config { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}
