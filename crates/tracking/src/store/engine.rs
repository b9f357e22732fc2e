//! The two engines, and how each runs reads and writes.

use std::sync::Arc;

use trainyard_mlflow as mlflow;
use trainyard_mlflow::uri::TrackingUri;

use super::call::ReadLimits;
use super::database::Connection;
use super::mark::Mark;
use super::permits::Reading;
use super::postgres::Postgres;
use super::postgres_doubt;
use super::postgres_news::{Heard, News};
use super::sqlite::Sqlite;
use crate::error::Result;

/// A database and its way of running reads and writes.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Opens a database that is not MLflow's own store, or makes a file for one; `prepare` makes or checks its
    /// tables. It blocks.
    pub(crate) fn open(
        uri: &TrackingUri,
        limits: ReadLimits,
        prepare: impl FnOnce(&mut dyn Connection) -> Result<()> + Send,
    ) -> Result<Self> {
        match uri {
            TrackingUri::Sqlite(path) => {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
                {
                    std::fs::create_dir_all(folder)
                        .map_err(|error| mlflow::Error::io(folder, error))?;
                }
                let path =
                    std::path::absolute(path).map_err(|error| mlflow::Error::io(path, error))?;
                let database = Sqlite::open(&path, limits, |connection| prepare(connection))?;
                Ok(Self::Sqlite(database))
            }
            TrackingUri::Postgres(_) => {
                let url = uri.connection_url();
                let database = Postgres::open(&url, limits, |connection| {
                    prepare(connection)?;
                    postgres_doubt::make(connection)
                })?;
                Ok(Self::Postgres(database))
            }
            TrackingUri::SqliteMemory | TrackingUri::Http(_) => Err(mlflow::Error::invalid(
                "a database of users is a file (sqlite:///…) or on a server (postgresql://…)",
            )
            .into()),
        }
    }

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

    /// What tells whether something was written since.
    pub(crate) async fn mark(&self) -> Result<Mark> {
        match self {
            Self::Sqlite(sqlite) => sqlite.mark(),
            Self::Postgres(postgres) => postgres.read(Reading::Listing, Mark::of_postgres).await,
        }
    }

    /// What was heard of what is written, without a look at the database; of a file nothing is.
    pub(crate) fn heard(&self) -> Heard {
        match self {
            Self::Sqlite(_) => Heard::default(),
            Self::Postgres(postgres) => postgres.heard(),
        }
    }

    /// What others tell, where somebody does.
    pub(crate) fn news(&self) -> Option<&Arc<News>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(postgres) => postgres.news(),
        }
    }

    /// Whether what is written would be kept, as far as is known: a file is looked at, a server is asked.
    pub(crate) async fn health(&self) -> Result<()> {
        match self {
            Self::Sqlite(sqlite) => sqlite.health(),
            Self::Postgres(postgres) => postgres.health().await,
        }
    }

    /// Returns when everything that was read so far is on the disk: of a file one may read what is yet to be synced.
    pub(crate) async fn settle(&self) -> Result<()> {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(|_connection| Ok(())).await,
            Self::Postgres(_) => Ok(()),
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
