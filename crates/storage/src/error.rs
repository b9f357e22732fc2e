//! What can be wrong with a location.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a location cannot be opened. Keys never appear in messages: of a URI is shown what cannot hold
/// one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A scheme that is not one of the crate's.
    #[error(
        "locations with the scheme '{scheme}' are not supported: use a local path, file://, s3://, \
         gs://, wasbs:// or abfss://"
    )]
    UnknownScheme { scheme: String },
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
        Self::Uri { uri: shown(uri), problem: problem.into() }
    }
}

/// A URI that could not be read: all of it, or its scheme where keys may be behind.
fn shown(uri: &str) -> String {
    match uri.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?', '#']) => format!("{scheme}://***"),
        _ => uri.to_owned(),
    }
}
