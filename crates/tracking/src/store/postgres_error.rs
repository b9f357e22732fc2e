//! PostgreSQL's errors as ours.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use crate::error::{Constraint, Error};

/// Whether a statement that was prepared before tables changed cannot be used any more: it must be prepared again,
/// in another transaction.
fn is_stale(error: &tokio_postgres::Error) -> bool {
    // The message is translated on some servers, and many other things are not supported.
    error.as_db_error().is_some_and(|details| {
        *details.code() == SqlState::FEATURE_NOT_SUPPORTED
            && details.routine() == Some("RevalidateCachedQuery")
    })
}

/// PostgreSQL's error as ours.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
pub(super) fn convert(error: tokio_postgres::Error) -> Error {
    if is_stale(&error) {
        return Error::Busy;
    }
    let Some(details) = error.as_db_error() else {
        // The client's own message leaves the cause to its source.
        let reason = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        return Error::Unreachable { reason };
    };
    let message = details.message().to_owned();
    let code = details.code();
    let constraint = |constraint| Error::Constraint { constraint, message: message.clone() };
    match code.code().get(..2) {
        _ if *code == SqlState::UNIQUE_VIOLATION => constraint(Constraint::Unique),
        _ if *code == SqlState::FOREIGN_KEY_VIOLATION => constraint(Constraint::ForeignKey),
        _ if *code == SqlState::DISK_FULL => Error::Full,
        _ if *code == SqlState::QUERY_CANCELED => Error::TimedOut { seconds: 0 },
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Error::ReadOnly,
        _ if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            Error::Unreachable { reason: message }
        }
        // A value that is too long, too large or holds a NUL, and the other rules.
        Some("22" | "23") => constraint(Constraint::Other),
        // Conflicts between transactions, of which trying again gets rid.
        Some("40" | "55") => Error::Busy,
        // Waiting is of no use: a wrong password, a database that is not there.
        Some("28" | "3D") => Error::SignIn { reason: message },
        // The connection broke off, there are too many, the server is going down or starting up.
        Some("08" | "53" | "57") => Error::Unreachable { reason: message },
        _ => Error::database(message),
    }
}
