//! Whether something was written to a database since somebody looked, by whoever it was.
//!
//! The database itself is asked, which finds what any program wrote. That servers over PostgreSQL tell each other
//! ([`postgres_news`](super::postgres_news)) is faster, and no more than that.

use super::database::Connection;
use super::postgres_doubt;
use crate::error::Result;

/// What a database says of what was written last: equal as long as nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Of what was written to this database: in SQLite by anybody, in PostgreSQL by this program, wherever it runs.
    pub(crate) own: String,
    /// Of what anybody wrote to this database, or to another one of the same server: all that can be told of
    /// programs that leave no mark of their own.
    pub(crate) any: String,
}

impl Mark {
    /// Of an SQLite file, by the version that one connection sees.
    pub(super) fn of_sqlite(version: i64) -> Self {
        Self { own: version.to_string(), any: String::new() }
    }

    /// Of a PostgreSQL database: the changes of each of our connections ([`postgres_doubt`]), and which transactions
    /// there are.
    pub(super) fn of_postgres(connection: &mut dyn Connection) -> Result<Self> {
        let sql = format!(
            "SELECT concat_ws(' ', sum(change), count(*), max(used_at)), \
             CAST(txid_current_snapshot() AS text) FROM {}",
            postgres_doubt::TABLE
        );
        let read = connection
            .first(&sql, &[], |row| Ok(Self { own: row.need_text(0)?, any: row.need_text(1)? }))?;
        Ok(read.unwrap_or_else(|| Self { own: String::new(), any: String::new() }))
    }
}
