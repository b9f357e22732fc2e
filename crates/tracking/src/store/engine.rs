//! The two engines, and how each runs reads and writes.

use super::database::Connection;
use super::permits::Reading;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use crate::error::Result;

/// A database and its way of running reads and writes.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// A read of a few rows: done at once where that costs less than handing it over.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(work).await,
            Self::Postgres(postgres) => postgres.read(Reading::Listing, work).await,
        }
    }

    /// A read of any size, of one state of the database. It may be run again where a connection broke.
    pub(crate) async fn read_many<T, F>(&self, reading: Reading, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.read_many(reading, work).await,
            Self::Postgres(postgres) => postgres.read(reading, work).await,
        }
    }

    /// Whether what is written would be kept, as far as is known: a file is looked at, a server is asked.
    pub(crate) async fn health(&self) -> Result<()> {
        match self {
            Self::Sqlite(sqlite) => sqlite.health(),
            Self::Postgres(postgres) => postgres.health().await,
        }
    }

    /// Runs `work` as one change, all or nothing; it is on disk when this returns. Where several
    /// write at once it may be run again, after a conflict between two changes.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(work).await,
            Self::Postgres(postgres) => postgres.write(work).await,
        }
    }
}
