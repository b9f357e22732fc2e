//! What can go wrong in the model server, apart from a request (see [`crate::http`] for those).

use std::path::PathBuf;

/// The result of starting the server or loading a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the server does not start, or a version is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source of a model needs a tracking server and none is given.
    #[error(
        "{uri} is looked up in a registry, and no tracking server is set\nhint: set MLFLOW_TRACKING_URI"
    )]
    NoTracking {
        /// The model URI.
        uri: String,
    },
    /// Two models would answer at the same place.
    #[error("two models are called {name:?}; give each a name of its own")]
    SameName {
        /// The name.
        name: String,
    },
    /// The registry or the artifact store did not answer, or refused.
    #[error(transparent)]
    Tracking(#[from] trainyard_mlflow::Error),
    /// The model folder cannot be evaluated.
    #[error(transparent)]
    Model(#[from] trainyard_models::Error),
    /// The model does not even predict its own input example.
    #[error("the model does not reproduce its input example: {reason}")]
    Verification {
        /// What happened instead.
        reason: String,
    },
    /// A directory or file of the server cannot be made or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A thread of the server broke off.
    #[error("{0} broke off; this is a bug")]
    Broken(&'static str),
}
