//! The tracking store: MLflow's experiments, runs, logged models and registry in an SQL database.
//!
//! Tables are upstream's own ([`schema`]), so a database moves between `mlflow server` and this
//! program as it is. Logic is in one file per resource, written against [`database`]; the engine
//! is [`sqlite`] or [`postgres`].

mod call;
mod calls;
pub(crate) mod database;
pub(crate) mod experiments;
pub(crate) mod inputs;
mod like;
mod logged_models;
mod metrics;
mod model_versions;
mod names;
mod page;
mod permits;
mod place;
mod postgres;
mod postgres_tls;
pub(crate) mod python;
mod registered_models;
pub(crate) mod runs;
mod schema;
mod search_runs;
mod searches;
mod sqlite;
mod sqlite_connection;
pub(crate) mod validate;

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use trainyard_mlflow::artifacts::Artifacts;
use trainyard_mlflow::entities::{LifecycleStage, ModelVersion};
use trainyard_mlflow::{CreateModelVersion, SearchRuns};

use crate::error::Result;
pub use call::ReadLimits;
use database::{Database, Value};
use permits::Reading;
use postgres::Postgres;
use sqlite::Sqlite;
use validate::LongValues;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Experiments without a location of their own keep their files below this URI or path.
    pub artifact_root: String,
    /// Whether params and tags that are too long are cut (upstream's default) or refused.
    pub truncate_long_values: bool,
    /// What reads may take.
    pub limits: ReadLimits,
}

/// MLflow's tracking and registry in an SQL database.
pub struct SqlStore {
    database: Arc<Database>,
    artifacts: Arc<dyn Artifacts>,
    artifact_root: String,
    long_values: LongValues,
    /// The file of a store that nobody keeps; it goes when the database is closed.
    temporary: Option<Arc<TemporaryFile>>,
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
    pub fn open_sqlite(
        path: &Path,
        artifacts: Arc<dyn Artifacts>,
        options: StoreOptions,
    ) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| trainyard_mlflow::Error::io(folder, error))?;
        }
        let uri = format!("sqlite:///{}", path.display());
        let named =
            std::path::absolute(path).map_err(|error| trainyard_mlflow::Error::io(path, error))?;
        let database = Sqlite::open(&named, options.limits.clone(), |connection| {
            schema::prepare(connection, &uri, &options.artifact_root)
        })?;
        Ok(Self::new(Database::Sqlite(database), artifacts, options))
    }

    /// Opens a PostgreSQL database (`postgresql://user:password@host:port/database`), and makes
    /// the tables in one that is empty. Another schema version is refused, and left as it is.
    pub fn open_postgres(
        url: &str,
        artifacts: Arc<dyn Artifacts>,
        options: StoreOptions,
    ) -> Result<Self> {
        let uri = trainyard_mlflow::uri::without_credentials(url);
        let database = Postgres::open(url, options.limits.clone(), |connection| {
            schema::prepare(connection, &uri, &options.artifact_root)
        })?;
        Ok(Self::new(Database::Postgres(database), artifacts, options))
    }

    fn new(database: Database, artifacts: Arc<dyn Artifacts>, options: StoreOptions) -> Self {
        Self {
            database: Arc::new(database),
            artifacts,
            artifact_root: options.artifact_root,
            long_values: if options.truncate_long_values {
                LongValues::Truncate
            } else {
                LongValues::Refuse
            },
            temporary: None,
        }
    }

    /// A store that is gone when it is dropped.
    pub fn open_temporary(artifacts: Arc<dyn Artifacts>, options: StoreOptions) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("trainyard-{}.db", new_id()));
        let mut store = Self::open_sqlite(&path, artifacts, options)?;
        store.temporary = Some(Arc::new(TemporaryFile(path)));
        Ok(store)
    }

    /// The same database with other artifacts.
    #[must_use]
    pub fn with_artifacts(&self, artifacts: Arc<dyn Artifacts>) -> Self {
        Self {
            database: Arc::clone(&self.database),
            artifacts,
            artifact_root: self.artifact_root.clone(),
            long_values: self.long_values,
            temporary: self.temporary.clone(),
        }
    }

    /// Number of the runs that a search would find.
    pub async fn count_runs(&self, search: SearchRuns) -> trainyard_mlflow::Result<i64> {
        let reading = reading(&search.filter);
        let read = move |connection: &mut dyn database::Connection| {
            search_runs::count(connection, &search)
        };
        Ok(self.database.read_many(reading, read).await?)
    }

    /// Whether writes would be kept, as far as is known without asking the database.
    pub(crate) fn condition(&self) -> trainyard_mlflow::Result<()> {
        Ok(self.database.health()?)
    }

    /// Makes a version whose files are at `location`, where the source does not say it.
    pub(crate) async fn create_model_version_at(
        &self,
        version: CreateModelVersion,
        location: Option<String>,
    ) -> trainyard_mlflow::Result<ModelVersion> {
        let write = move |connection: &mut dyn database::Connection| {
            model_versions::create(connection, &version, location.as_deref())
        };
        Ok(self.database.write(write).await?)
    }

    /// A logged model that may have been deleted.
    pub async fn get_logged_model_or_deleted(
        &self,
        model_id: &str,
    ) -> trainyard_mlflow::Result<trainyard_mlflow::entities::LoggedModel> {
        let model_id = model_id.to_owned();
        let read = move |connection: &mut dyn database::Connection| {
            logged_models::get(connection, &model_id, logged_models::Deleted::Shown)
        };
        Ok(self.database.read(read).await?)
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

/// What a search with this filter does.
fn reading(filter: &str) -> Reading {
    if filter.trim().is_empty() { Reading::Listing } else { Reading::Searching }
}

/// Milliseconds since the Unix epoch; 0 for a clock that stands before it.
fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time at which something is made, in milliseconds: later for each call, so that what is
/// listed by the time of its creation keeps its order however fast it was made.
fn creation_millis() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    /// How far this may run ahead of the clock: a burst, not a habit (or a clock that was set back).
    const AHEAD_MAX: i64 = 1000;

    let now = now_millis();
    let next = |last: i64| if (now..now + AHEAD_MAX).contains(&last) { last + 1 } else { now };
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    next(last.unwrap_or_else(|last| last))
}

/// A random id of 32 hex digits.
fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A path below an artifact URI.
fn join_uri(root: &str, path: &str) -> String {
    trainyard_mlflow::uri::join(root, path)
}

fn lifecycle(text: Option<&str>) -> LifecycleStage {
    if text == Some("deleted") { LifecycleStage::Deleted } else { LifecycleStage::Active }
}

/// Splits rows for statements that insert several at a time. Few different sizes mean few different
/// statements to prepare, and a thousand rows take ten round trips instead of a thousand.
fn row_groups<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    const SIZES: [usize; 3] = [100, 10, 1];
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (group, rest) = rows.split_at(size);
        rows = rest;
        Some(group)
    })
}

/// `(?2, ?3, ?1), (?4, ?5, ?1), …`: so many rows of so many values, and behind them the run's id,
/// which is bound once.
fn row_placeholders(rows: usize, values: usize) -> String {
    let mut list = String::with_capacity(rows * (6 * values + 8));
    let mut place = 2;
    for row in 0..rows {
        list.push_str(if row == 0 { "(" } else { ", (" });
        for _value in 0..values {
            // Writing to a string cannot fail.
            let _infallible = write!(list, "?{place}, ");
            place += 1;
        }
        list.push_str("?1)");
    }
    list
}

/// `?first, ?first+1, …`.
fn placeholders(first: usize, count: usize) -> String {
    let list: Vec<String> = (first..first + count).map(|place| format!("?{place}")).collect();
    list.join(", ")
}

/// Some of many items, whose ids fill a list of placeholders.
pub(crate) struct Chunk<'a, T> {
    items: &'a mut [T],
    /// Placeholders in the list. Few different numbers mean few different statements to prepare.
    padded: usize,
}

impl<T> Chunk<'_, T> {
    /// Repeats the last value until the list is full, which does not change what is found.
    fn pad(&self, values: &mut Vec<Value<'_>>) {
        if let Some(last) = values.last().cloned() {
            values.resize(self.padded, last);
        }
    }
}

/// Splits items into chunks of at most 100, with lists of 1, 10 or 100 placeholders.
fn chunks<T>(items: &mut [T]) -> impl Iterator<Item = Chunk<'_, T>> {
    items.chunks_mut(100).map(|items| {
        let padded = match items.len() {
            0 | 1 => 1,
            2..=10 => 10,
            _ => 100,
        };
        Chunk { items, padded }
    })
}
