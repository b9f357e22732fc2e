//! Why the tracking store refused or failed.

use trainyard_base::{Advice, Advise, Fault};
use trainyard_mlflow as mlflow;
use trainyard_mlflow::ErrorCode;

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// `Err` of whatever a caller's mistake is here (`INVALID_PARAMETER_VALUE`), in the words of `format!`.
macro_rules! invalid {
    ($($words:tt)*) => {
        Err(trainyard_mlflow::Error::invalid(format!($($words)*)).into())
    };
}

pub(crate) use invalid;

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
    /// The database server is there and lets nobody in by this name, or has no such database.
    #[error("the tracking database refuses the connection: {reason}")]
    SignIn {
        /// The server's own words.
        reason: String,
    },
    /// The connection broke while a change was stored, and the database could not be asked since.
    #[error(
        "the connection to the tracking database broke while the change was stored, and it is not known whether it is there: look before you repeat it"
    )]
    InDoubt,
    /// The store was shut down while the call waited, or whoever called went away.
    #[error("the tracking store is shutting down")]
    Stopped,
    /// A read took longer than it may.
    #[error(
        "the query took longer than {seconds} s and was stopped; ask for less: an exact value \
         instead of a pattern, one experiment, a smaller page (the server's --query-timeout is its \
         limit)"
    )]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// A read that was to be short is not; it is begun anew elsewhere.
    #[error("the read takes longer than was thought")]
    NotShort,
    /// Other reads took all the time that this one had.
    #[error("the tracking server is busy with other requests; try again")]
    Crowded,
    /// What was read does not fit beside what others hold.
    #[error("the answer is too large for the memory that is left: {0}")]
    Memory(#[from] trainyard_base::Full),
    /// The database's file is not there any more, or another one is.
    #[error(
        "the tracking database's file was removed or replaced while it was open; nothing is stored \
         until it is back in its place or the server is restarted"
    )]
    Moved,
    /// The database can only be read, which is of no use to who opens it.
    #[error("the database {path} can only be read, but what is logged must be stored")]
    OpenedReadOnly {
        /// The file.
        path: String,
    },
    /// The database, or the disk it lies on, can only be read.
    #[error("the tracking database can only be read; the change was not stored")]
    ReadOnly,
    /// The database was made by another version of MLflow; it was not touched.
    #[error(
        "the tracking database has schema version {found}, this program works with {expected} \
         (MLflow 3.17)"
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

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::Mlflow(error) => error.advice(),
            Self::SchemaVersion { uri, .. } => Advice::input(format!(
                "`mlflow db upgrade {uri}` with MLflow 3.17 upgrades an older one"
            )),
            Self::NotMlflow { .. } => Fault::Input.into(),
            Self::OpenedReadOnly { .. } => Advice::environment(
                "is its disk mounted read-only, or does the file belong to another user?",
            ),
            Self::Unreachable { .. } => Advice::environment(
                "is the database running, and host, port, user and database in the URI right?",
            ),
            Self::SignIn { .. } => {
                Advice::environment("are user, password and database in the URI right?")
            }
            Self::NotShort => Fault::Program.into(),
            Self::Constraint { .. }
            | Self::Busy
            | Self::Full
            | Self::Database { .. }
            | Self::InDoubt
            | Self::Stopped
            | Self::TimedOut { .. }
            | Self::Crowded
            | Self::Memory(_)
            | Self::Moved
            | Self::ReadOnly => Fault::Environment.into(),
        }
    }
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

    /// Whether the connection leads to no database that takes writes any more: another one may.
    pub(crate) fn is_lost_database(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::ReadOnly)
    }

    /// Whether the database server may be there later.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl Error {
    /// The code that clients act on. They try a 5xx again, and a 4xx not.
    fn code(&self) -> ErrorCode {
        match self {
            Self::Mlflow(inner) => inner.code(),
            // Upstream reports broken constraints as the caller's mistake. What took too long or is
            // too large would be so again.
            Self::Constraint { .. } | Self::TimedOut { .. } => ErrorCode::BadRequest,
            Self::Memory(full) if full.never => ErrorCode::BadRequest,
            // Right for a condition that passes.
            Self::Busy
            | Self::Full
            | Self::Stopped
            | Self::Crowded
            | Self::Memory(_)
            | Self::Moved
            | Self::ReadOnly
            | Self::SignIn { .. }
            | Self::Unreachable { .. } => ErrorCode::TemporarilyUnavailable,
            // A code that clients do not repeat by themselves.
            Self::InDoubt => ErrorCode::Aborted,
            Self::NotShort
            | Self::Database { .. }
            | Self::OpenedReadOnly { .. }
            | Self::SchemaVersion { .. }
            | Self::NotMlflow { .. } => ErrorCode::InternalError,
        }
    }

    /// What clients may know; none if all of it. SQL, names of tables, paths and addresses are the
    /// operator's business.
    fn public(&self) -> Option<&'static str> {
        Some(match self {
            Self::Constraint { constraint: Constraint::Unique, .. } => {
                "the tracking database refused the change: such an entry is there already"
            }
            Self::Constraint { constraint: Constraint::ForeignKey, .. } => {
                "the tracking database refused the change: it refers to something that is not there"
            }
            Self::Constraint { constraint: Constraint::Other, .. } => {
                "the tracking database refused the change: a value is too long, too large, missing \
                 or holds a NUL character"
            }
            Self::Unreachable { .. } | Self::SignIn { .. } => {
                "the tracking database cannot be reached; try again"
            }
            Self::Database { .. }
            | Self::OpenedReadOnly { .. }
            | Self::SchemaVersion { .. }
            | Self::NotMlflow { .. } => "the tracking database failed",
            _ => return None,
        })
    }
}

impl From<Error> for mlflow::Error {
    fn from(error: Error) -> Self {
        let code = error.code();
        match (error.public(), error) {
            (_, Error::Mlflow(inner)) => inner,
            (None, error) => Self::api(code, error.to_string()),
            (Some(message), error) => {
                Self::Store { code, message: message.to_owned(), reason: error.to_string() }
            }
        }
    }
}
