//! The MLflow-compatible tracking server: store, search, artifacts, api.
//!
//! - [`store`]: experiments, runs, models and the registry in an SQL database with upstream's own
//!   tables; [`search`] is the filter grammar that its searches share;
//! - [`artifacts`]: files of runs and models;
//! - [`api`]: MLflow's REST API over any [`trainyard_mlflow::Tracking`]; [`server`] serves it;
//! - [`access`]: users, roles and permissions, between whoever asks and the store;
//! - [`backup`]: a server's data in one folder, and back; [`removal`]: what was deleted, gone for good;
//! - [`open`]: whatever a tracking URI names.

pub mod access;
pub mod api;
pub mod artifacts;
pub mod backup;
mod error;
mod metrics;
mod open;
pub mod removal;
pub mod search;
pub mod server;
pub mod store;
mod waiting;

pub use error::{Constraint, Error, Result};
pub use open::{Lending, OpenOptions, Shared, open, share};
pub use waiting::Opening;
