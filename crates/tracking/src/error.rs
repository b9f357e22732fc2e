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
    /// The disk under the database took too long, or did not keep what was written, and the change may be there later.
    #[error(
        "{reason}, and it is not known whether this change will be there: {}",
        if *.is_repeatable { "send it again, which changes nothing more" } else { "look before you repeat it" }
    )]
    Doubtful {
        /// What happened.
        reason: String,
        /// Whether to do it twice is the same as once.
        is_repeatable: bool,
    },
    /// The disk under the database has taken nothing for too long; the change was not begun.
    #[error(
        "the disk has not taken what was written to the tracking database for {seconds} s; what is sent meanwhile is not stored: \
         send it again once /health is well"
    )]
    Stalled {
        /// For how long.
        seconds: u64,
    },
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
    /// The disk did not take what was committed. What it holds is known when the database is opened anew.
    #[error(
        "the disk did not keep what was written to the tracking database ({reason}); nothing is stored until it \
         keeps all of it, which is tried each second, or the server is restarted"
    )]
    NotKept {
        /// The system's own words.
        reason: String,
    },
    /// The database can only be read, which is of no use to who opens it.
    #[error("the database {path} can only be read, but what is logged must be stored")]
    OpenedReadOnly {
        /// The file.
        path: String,
    },
    /// The database, or the disk it lies on, can only be read.
    #[error("the tracking database can only be read; the change was not stored")]
    ReadOnly,
    /// The database is of an older MLflow; it was not touched.
    #[error(
        "the database {uri} has the tables of an older MLflow (schema version {found}), this program works with \
         those of 3.17"
    )]
    SchemaOlder {
        /// Version found in the database.
        found: String,
        /// The store's URI, without a password.
        uri: String,
    },
    /// The database is of an MLflow before 2.0; it was not touched.
    #[error(
        "the database {uri} has the tables of an MLflow before 2.0 (schema version {found}), which are not upgraded \
         here"
    )]
    SchemaTooOld {
        /// Version found in the database.
        found: String,
        /// The store's URI, without a password.
        uri: String,
    },
    /// The database is of a newer MLflow, and its tables are other ones; it was not touched.
    #[error(
        "the database {uri} has the tables of a newer MLflow (schema version {found}), this program works with \
         those of 3.17{}", listed(.differences)
    )]
    SchemaNewer {
        /// Version found in the database.
        found: String,
        /// The store's URI, without a password.
        uri: String,
        /// What stands in the way, if that was looked for.
        differences: Vec<String>,
    },
    /// The database does not say which version it has, or says several; it was not touched.
    #[error(
        "the database {uri} does not say which one version it has: alembic_version holds \"{found}\""
    )]
    SchemaUnclear {
        /// What it says.
        found: String,
        /// The store's URI, without a password.
        uri: String,
    },
    /// A migration failed; the database is as it was before it.
    #[error("the migration {revision} ({title}) failed and was undone: {reason}")]
    Migration {
        /// Upstream's name of it.
        revision: &'static str,
        /// What it does.
        title: &'static str,
        /// The database's own words.
        reason: String,
    },
    /// The database is divided into workspaces, which are not here: everybody would see everything. It was not touched.
    #[error("the database {uri} is divided into workspaces, which are not here: {example}")]
    Divided {
        /// Something outside of the one that there is.
        example: String,
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

/// Differences named in a message; one is enough to know that nothing can be done.
const DIFFERENCES_SHOWN: usize = 5;

/// `: one; two`, or nothing.
fn listed(differences: &[String]) -> String {
    let shown: Vec<&str> = differences.iter().take(DIFFERENCES_SHOWN).map(String::as_str).collect();
    if shown.is_empty() { String::new() } else { format!(": {}", shown.join("; ")) }
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::Mlflow(error) => error.advice(),
            Self::SchemaOlder { uri, .. } => Advice::input(format!(
                "`trainyard server upgrade {uri}` brings it up to date in its place, after a backup"
            )),
            Self::SchemaTooOld { uri, .. } => Advice::input(format!(
                "`mlflow db upgrade {uri}` with MLflow 2.0 to 3.17 upgrades it"
            )),
            Self::SchemaNewer { .. } => Advice::input(
                "use a newer version of this program, or the MLflow that the database is of",
            ),
            Self::Divided { .. } => Advice::input(
                "`mlflow server --enable-workspaces` serves it; what is moved into the workspace 'default', or deleted for \
                 good, is in nobody's way",
            ),
            Self::Migration { .. } => Advice::environment(
                "nothing is lost: remove what the message names, and upgrade again, which goes on from there",
            ),
            Self::NotMlflow { .. } | Self::SchemaUnclear { .. } => Fault::Input.into(),
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
            | Self::Doubtful { .. }
            | Self::Stalled { .. }
            | Self::Stopped
            | Self::TimedOut { .. }
            | Self::Crowded
            | Self::Memory(_)
            | Self::Moved
            | Self::NotKept { .. }
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
            | Self::NotKept { .. }
            | Self::Stalled { .. }
            | Self::Doubtful { is_repeatable: true, .. }
            | Self::ReadOnly
            | Self::SignIn { .. }
            | Self::Unreachable { .. } => ErrorCode::TemporarilyUnavailable,
            // A code that clients do not repeat by themselves.
            Self::InDoubt | Self::Doubtful { .. } => ErrorCode::Aborted,
            Self::NotShort
            | Self::Database { .. }
            | Self::OpenedReadOnly { .. }
            | Self::SchemaOlder { .. }
            | Self::SchemaTooOld { .. }
            | Self::SchemaNewer { .. }
            | Self::SchemaUnclear { .. }
            | Self::Migration { .. }
            | Self::Divided { .. }
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
            | Self::SchemaOlder { .. }
            | Self::SchemaTooOld { .. }
            | Self::SchemaNewer { .. }
            | Self::SchemaUnclear { .. }
            | Self::Migration { .. }
            | Self::Divided { .. }
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
