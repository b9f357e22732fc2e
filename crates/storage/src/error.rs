//! What can be wrong with a location.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a location cannot be opened. Keys never appear in messages.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A scheme that is not one of the crate's.
    #[error(
        "locations with the scheme '{scheme}' are not supported: use a local path, file://, s3://, \
         gs://, wasbs:// or abfss://, not '{uri}'"
    )]
    UnknownScheme { scheme: String, uri: String },
    /// A URI that does not say what it should.
    #[error("'{uri}': {problem}")]
    Uri { uri: String, problem: String },
    /// A client whose settings do not fit together.
    #[error("the storage of '{uri}' cannot be used: {problem}")]
    Settings { uri: String, problem: String },
    /// A path that cannot be made absolute.
    #[error("{}: {source}", path.display())]
    Path { path: PathBuf, source: std::io::Error },
}

impl Error {
    pub(crate) fn uri(uri: &str, problem: impl Into<String>) -> Self {
        Self::Uri { uri: uri.to_owned(), problem: problem.into() }
    }
}
