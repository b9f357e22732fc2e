//! Why a model folder, a signature or an example cannot be used.

use std::path::Path;

use trainyard_base::{Advice, Advise, Fault};

/// The result of reading or writing what a model folder holds.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with a model folder, a signature or data that one is made from.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A model folder or one of its files is not as MLflow writes it.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, with the value.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A schema or a signature that cannot be: what, which value, what is allowed. Whoever wrote it down
    /// has to change it.
    #[error("{0}")]
    Schema(String),
    /// Data for which MLflow has no type, or no form in a request: which column or value.
    #[error("{0}")]
    Data(String),
    /// A value of ours that has no form in JSON or YAML: a mistake of the program, not of its user.
    #[error("{0}")]
    Internal(String),
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            // A folder that lacks a file of a model, or whose files may not be read: another one was meant.
            Self::File { .. } | Self::Schema(_) | Self::Data(_) | Self::Io { .. } => Fault::Input,
            Self::Internal(_) => Fault::Program,
        }
        .into()
    }
}

impl Error {
    /// A schema that cannot be.
    pub(crate) fn schema(message: impl Into<String>) -> Self {
        Self::Schema(message.into())
    }

    /// Data that has no place in a schema or a request.
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::Data(message.into())
    }

    /// A mistake of the program.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// An I/O error on `path`.
    pub(crate) fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().display().to_string(), source }
    }
}
