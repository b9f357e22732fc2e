//! The MLflow-compatible tracking server: store, search, artifacts, api.
//!
//! - [`store`]: experiments, runs, models and the registry in an SQL database with upstream's own
//!   tables; [`search`] is the filter grammar that its searches share;
//! - [`artifacts`]: files of runs and models;
//! - [`api`]: MLflow's REST API over any [`trainyard_mlflow::Tracking`]; [`server`] serves it;
//! - [`access`]: users, roles and permissions, between whoever asks and the store;
//! - [`audit`]: the log of changes, verified, exported and shortened;
//! - [`backup`]: a server's data in one folder, and back; [`removal`]: what was deleted, gone for good;
//! - [`webhooks`]: changes of the registry, told to whoever subscribed;
//! - [`import`]: what MLflow kept in files, into a database;
//! - [`open`]: whatever a tracking URI names; [`upgrade`]: older MLflow's tables become ours.

pub mod access;
pub mod api;
pub mod artifacts;
pub mod audit;
pub mod backup;
mod changes;
mod error;
mod governance;
pub mod import;
mod metrics;
mod open;
mod origin;
pub mod removal;
pub mod search;
pub mod server;
mod spans;
pub mod store;
mod upgrade;
mod waiting;
pub mod webhooks;

pub use changes::Changes;
pub use error::{Constraint, Error, Result};
pub use governance::{APPROVALS_MAX, Approvers, Audited, Governance, NotProtected, ProtectedAlias};
pub use open::{Lending, OpenOptions, Shared, open, share};
pub use upgrade::{UpgradeEvent, Upgraded, upgrade};
pub use waiting::Opening;
