//! What can go wrong in the model server, apart from a request (see [`crate::http`] for those).

use std::path::PathBuf;

use trainyard_base::{Advice, Advise, Fault};

/// The result of starting the server or loading a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the server does not start, or a version is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source of a model needs a tracking server and none is given.
    #[error("{uri} is looked up in a registry, and no tracking server is set")]
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
    /// The model refuses every row that is as its signature says.
    #[error("the model does not take what its signature says: {reason}")]
    Signature {
        /// What it says of such a row.
        reason: String,
    },
    /// The model was to be tried before it serves, and could not be.
    #[error("the model cannot be verified, which --require-verified asks for: {reason}")]
    Unverified {
        /// Why its input example says nothing.
        reason: String,
    },
    /// Reading or trying the model broke off.
    #[error("{what} broke off at {place}; this is a bug")]
    Panicked {
        /// What was done.
        what: &'static str,
        /// File and line of the code.
        place: String,
    },
    /// The folder is not what was registered.
    #[error("the model folder is not what was registered: {reason}")]
    Integrity {
        /// Which file, and both digests.
        reason: String,
    },
    /// The folder holds what no model consists of.
    #[error("the model folder cannot be read: {reason}")]
    Folder {
        /// Which entry, and what it is.
        reason: String,
    },
    /// There is no room for the model.
    #[error("loading the model may take {needed} bytes of memory, {available} are left")]
    Memory {
        /// Bytes that loading may take.
        needed: u64,
        /// Bytes that are left.
        available: u64,
    },
    /// There is no Python environment for the model.
    #[error("no Python environment for the model: {reason}")]
    Environment {
        /// What the tool said, or what is missing.
        reason: String,
    },
    /// No Python worker runs the model.
    #[error("{reason}")]
    Python {
        /// What Python said.
        reason: String,
        /// Whether it must happen again.
        is_final: bool,
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
    /// A copy of a model on this disk cannot be made, or is not what was kept.
    #[error("the model cache {}: {source}", dir.display())]
    ModelCache {
        /// Its folder.
        dir: PathBuf,
        /// Which file, and what is wrong.
        #[source]
        source: std::io::Error,
    },
    /// A thread of the server broke off.
    #[error("{0} broke off; this is a bug")]
    Broken(&'static str),
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::NoTracking { .. } => Advice::input("set MLFLOW_TRACKING_URI"),
            Self::Tracking(error) => error.advice(),
            Self::Model(error) => error.advice(),
            Self::Memory { .. } => {
                Advice::environment("give the server more memory, or a smaller model")
            }
            Self::SameName { .. }
            | Self::Verification { .. }
            | Self::Signature { .. }
            | Self::Unverified { .. }
            | Self::Integrity { .. }
            | Self::Folder { .. }
            | Self::Python { is_final: true, .. } => Fault::Input.into(),
            Self::Environment { .. }
            | Self::Python { .. }
            | Self::Io { .. }
            | Self::ModelCache { .. } => Fault::Environment.into(),
            Self::Panicked { .. } | Self::Broken(_) => Fault::Program.into(),
        }
    }
}

impl Error {
    /// No temporary folder can be made.
    pub(crate) fn temporary(source: std::io::Error) -> Self {
        Self::Io { path: std::env::temp_dir(), source }
    }

    /// Whether nobody answered for the registry or the artifact store.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Tracking(error) if error.is_outage())
    }

    /// Whether the registry answered that there is no such model, version or alias.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Tracking(error) if error.is_answer() && error.is_not_found())
    }

    /// Whether the same model must fail again on this server: it is unsupported, damaged, or does
    /// not do what it says. Everything else may be the network, the disk or another process.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Model(trainyard_models::Error::ModelFile(error)) => {
                !matches!(error, trainyard_signature::Error::Io { .. })
            }
            Self::Model(_)
            | Self::Verification { .. }
            | Self::Signature { .. }
            | Self::Unverified { .. }
            | Self::Panicked { .. }
            | Self::Integrity { .. }
            | Self::Folder { .. } => true,
            Self::Python { is_final, .. } => *is_final,
            _ => false,
        }
    }
}
