//! The store: one database, opened, which does everything of
//! [`Tracking`](trainyard_mlflow::Tracking) but the artifacts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Notify;
use trainyard_mlflow::{self as mlflow, LoggedModels};

use super::approval_desk::Desk;
use super::audit::Auditor;
use super::audit_schema;
use super::call::ReadLimits;
use super::database::Connection;
use super::engine::Database;
use super::mark::Mark;
use super::names::new_id;
use super::permits::Reading;
use super::postgres::Postgres;
use super::postgres_news::{Heard, News};
use super::schema;
use super::sqlite::Sqlite;
use super::validate::LongValues;
use crate::error::{Error, Result};
use crate::governance::Governance;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Experiments without a location of their own keep their files below this URI or path.
    pub artifact_root: String,
    /// Whether params and tags that are too long are cut (upstream's default) or refused.
    pub truncate_long_values: bool,
    /// What reads may take.
    pub limits: ReadLimits,
    /// What is written down of changes, and which aliases are protected.
    pub governance: Governance,
}

/// MLflow's tracking and registry in an SQL database.
pub struct SqlStore {
    database: Database,
    pub(super) artifact_root: String,
    pub(super) long_values: LongValues,
    pub(super) governance: Governance,
    /// Where logged models are that versions are made of, if they are not in this database.
    pub(super) logged_models: Option<Arc<dyn LoggedModels>>,
    /// Told when webhooks are to be told of something.
    pub(super) undelivered: Notify,
    /// The file of a store that nobody keeps; it goes after the database was closed.
    _temporary: Option<TemporaryFile>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &self.database)
            .field("artifact_root", &self.artifact_root)
            .finish_non_exhaustive()
    }
}

impl SqlStore {
    /// Opens or creates an SQLite file; its folder is created, too. A file of another schema
    /// version, or of another program, is refused and left as it is.
    pub fn open_sqlite(path: &Path, options: StoreOptions) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| mlflow::Error::io(folder, error))?;
        }
        let uri = format!("sqlite:///{}", path.display());
        let named = std::path::absolute(path).map_err(|error| mlflow::Error::io(path, error))?;
        let database = Sqlite::open(&named, options.limits.clone(), |connection| {
            schema::prepare(connection, &uri, &options.artifact_root)?;
            audit_schema::prepare(connection, options.governance.audited)
        })?;
        Ok(Self::new(Database::Sqlite(database), options))
    }

    /// Opens a PostgreSQL database (`postgresql://user:password@host:port/database`), and makes
    /// the tables in one that is empty. Another schema version is refused, and left as it is.
    pub fn open_postgres(url: &str, options: StoreOptions) -> Result<Self> {
        let uri = mlflow::uri::without_credentials(url);
        let database = Postgres::open(url, options.limits.clone(), |connection| {
            schema::prepare(connection, &uri, &options.artifact_root)?;
            audit_schema::prepare(connection, options.governance.audited)
        })?;
        Ok(Self::new(Database::Postgres(database.with_news()), options))
    }

    /// A store that is gone when it is dropped.
    pub fn open_temporary(options: StoreOptions) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("trainyard-{}.db", new_id()));
        let store = Self::open_sqlite(&path, options)?;
        Ok(Self { _temporary: Some(TemporaryFile(path)), ..store })
    }

    fn new(database: Database, options: StoreOptions) -> Self {
        Self {
            database,
            artifact_root: options.artifact_root,
            long_values: if options.truncate_long_values {
                LongValues::Truncate
            } else {
                LongValues::Refuse
            },
            governance: options.governance,
            logged_models: None,
            undelivered: Notify::new(),
            _temporary: None,
        }
    }

    /// A registry of models that are logged elsewhere.
    #[must_use]
    pub fn with_logged_models(self, elsewhere: Arc<dyn LoggedModels>) -> Self {
        Self { logged_models: Some(elsewhere), ..self }
    }

    /// Writes down what the current task changes.
    pub(super) fn auditor(&self) -> Auditor {
        Auditor::current(self.governance.audited)
    }

    /// Where the current task asks for approval.
    pub(super) fn desk(&self) -> Desk {
        Desk { governance: self.governance.clone(), auditor: self.auditor() }
    }

    /// Whether writes would be kept, within a few seconds.
    pub(super) async fn condition(&self) -> mlflow::Result<()> {
        Ok(self.database.health().await?)
    }

    /// What tells whether something was written since.
    pub(crate) async fn mark(&self) -> mlflow::Result<Mark> {
        Ok(self.database.mark().await?)
    }

    /// What was heard of what is written.
    pub(crate) fn heard(&self) -> Heard {
        self.database.heard()
    }

    /// What others tell, where somebody does.
    pub(crate) fn news(&self) -> Option<&Arc<News>> {
        self.database.news()
    }

    /// A read of a few rows.
    pub(super) async fn read<T, F>(&self, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        Ok(self.database.read(work).await?)
    }

    /// A read of any size.
    pub(super) async fn read_many<T, F>(&self, reading: Reading, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        Ok(self.database.read_many(reading, work).await?)
    }

    /// One change, all or nothing; it may be run again after a conflict. Whoever sends it twice changes
    /// nothing more, so clients are told to when it is not known whether it was stored.
    pub(super) async fn write<T, F>(&self, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let written = self.database.write(work).await;
        Ok(written.map_err(|error| match error {
            Error::InDoubt => Error::Unreachable { reason: error.to_string() },
            Error::Doubtful { reason, .. } => Error::Doubtful { reason, is_repeatable: true },
            error => error,
        })?)
    }

    /// The same for what would be there twice if it was sent twice.
    pub(super) async fn create_one<T, F>(&self, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        Ok(self.database.write(work).await?)
    }
}

/// A database file that is removed.
struct TemporaryFile(PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // There is no one to tell.
        for file in files_of(&self.0) {
            let _missing = std::fs::remove_file(file);
        }
    }
}

/// The files of an SQLite database that is no symlink: itself, and what SQLite keeps beside it.
pub(crate) fn files_of(path: &Path) -> impl Iterator<Item = PathBuf> {
    ["", "-wal", "-shm", "-journal"].into_iter().map(move |end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}
