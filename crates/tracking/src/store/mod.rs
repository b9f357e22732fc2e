//! The tracking store: MLflow's experiments, runs, logged models and registry in an SQL database.
//!
//! Tables are upstream's own ([`schema`]), so a database moves between `mlflow server` and this
//! program as it is. Each resource has a file with its trait of [`trainyard_mlflow`] and the SQL of
//! what it writes, one of its rows as they are read, and one of its search; all are written against
//! [`database`], and the [`engine`] is [`sqlite`] or [`postgres`].

mod call;
mod clock;
mod condition;
pub(crate) mod database;
mod datasets;
mod engine;
mod experiment_rows;
mod experiments;
mod inputs;
mod like;
mod logged_model_rows;
mod logged_models;
mod metrics;
mod model_version_rows;
mod model_versions;
mod names;
mod page;
mod params;
mod permits;
mod place;
mod placeholders;
mod postgres;
mod postgres_client;
mod postgres_connection;
mod postgres_doubt;
mod postgres_error;
mod postgres_health;
mod postgres_outage;
mod postgres_pool;
mod postgres_tls;
mod postgres_url;
mod postgres_verdict;
pub(crate) mod python;
mod registered_model_rows;
mod registered_models;
mod removal;
mod run_data;
mod run_rows;
mod run_tags;
mod runs;
mod schema;
mod search_experiments;
mod search_logged_models;
mod search_registry;
mod search_runs;
mod sql_store;
mod sqlite;
mod sqlite_connection;
mod sqlite_readers;
mod sqlite_writer;
pub(crate) mod validate;
mod version_source;

pub use call::ReadLimits;
pub(crate) use removal::{Item, Removable, Removed, containing};
pub(crate) use sql_store::files_of;
pub use sql_store::{SqlStore, StoreOptions};
