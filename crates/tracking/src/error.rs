//! Why the tracking store refused or failed.

use trainyard_mlflow as mlflow;
use trainyard_mlflow::ErrorCode;

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which rule of the database a statement broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// A primary key or unique constraint: the thing is already there.
    Unique,
    /// A foreign key: the thing that is referred to is not there.
    ForeignKey,
    /// Not null, check and the like.
    Other,
}

/// Why the tracking store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MLflow's own error, code and message as on the wire.
    #[error(transparent)]
    Mlflow(#[from] mlflow::Error),
    /// The database refused a row that breaks one of its rules.
    #[error("the tracking database refused the change: {message}")]
    Constraint {
        /// The rule.
        constraint: Constraint,
        /// The database's own words.
        message: String,
    },
    /// Another process held the database for longer than we wait.
    #[error("the tracking database is locked by another process; try again")]
    Busy,
    /// No space is left; nothing of the change was kept.
    #[error("no space left for the tracking database; the change was not stored")]
    Full,
    /// Anything else that the database reports.
    #[error("tracking database: {reason}")]
    Database {
        /// The database's own words.
        reason: String,
    },
    /// The database server could not be reached, or broke off.
    #[error("cannot reach the tracking database: {reason}")]
    Unreachable {
        /// The innermost cause.
        reason: String,
    },
    /// The store was shut down while the call waited.
    #[error("the tracking store is shutting down")]
    Stopped,
    /// The database was made by another version of MLflow; it was not touched.
    #[error(
        "the tracking database has schema version {found}, this program works with {expected} \
         (MLflow 3.17)\nhint: `mlflow db upgrade {uri}` with MLflow 3.17 upgrades an older one"
    )]
    SchemaVersion {
        /// Version found in the database.
        found: String,
        /// Version that this program reads and writes.
        expected: &'static str,
        /// The store's URI, without a password.
        uri: String,
    },
    /// The file is a database, but not MLflow's; it was not touched.
    #[error("{uri} holds tables but no `alembic_version`: it is not an MLflow database")]
    NotMlflow {
        /// The store's URI, without a password.
        uri: String,
    },
}

impl Error {
    /// A failure of the database in its own words.
    pub(crate) fn database(reason: impl Into<String>) -> Self {
        Self::Database { reason: reason.into() }
    }

    /// Whether a unique constraint was broken.
    pub(crate) fn is_unique(&self) -> bool {
        matches!(self, Self::Constraint { constraint: Constraint::Unique, .. })
    }

    /// Whether a foreign key was broken.
    pub(crate) fn is_foreign_key(&self) -> bool {
        matches!(self, Self::Constraint { constraint: Constraint::ForeignKey, .. })
    }
}

impl From<Error> for mlflow::Error {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Mlflow(_) => ErrorCode::Unknown,
            // Upstream reports broken constraints as the caller's mistake.
            Error::Constraint { .. } => ErrorCode::BadRequest,
            // Clients try these again, which is right for a condition that passes.
            Error::Busy | Error::Full | Error::Stopped | Error::Unreachable { .. } => {
                ErrorCode::TemporarilyUnavailable
            }
            Error::Database { .. } | Error::SchemaVersion { .. } | Error::NotMlflow { .. } => {
                ErrorCode::InternalError
            }
        };
        match error {
            Error::Mlflow(inner) => inner,
            other => Self::api(code, other.to_string()),
        }
    }
}
