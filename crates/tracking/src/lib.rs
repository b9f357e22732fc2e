//! The MLflow-compatible tracking server: store, search, artifacts, api.
//!
//! - [`store`]: experiments, runs, models and the registry in an SQL database with upstream's own
//!   tables; [`search`] is the filter grammar that its searches share;
//! - [`artifacts`]: files of runs and models;
//! - [`api`]: MLflow's REST API over any [`trainyard_mlflow::Tracking`]; [`server`] serves it;
//! - [`audit`]: the log of changes, verified, exported and shortened;
//! - [`backup`]: a server's data in one folder, and back; [`removal`]: what was deleted, gone for good;
//! - [`open`]: whatever a tracking URI names.

pub mod api;
pub mod artifacts;
pub mod audit;
pub mod backup;
mod error;
mod governance;
mod metrics;
mod open;
mod origin;
pub mod removal;
pub mod search;
pub mod server;
pub mod store;
mod waiting;

pub use error::{Constraint, Error, Result};
pub use governance::{APPROVALS_MAX, Audited, Governance, NotProtected, ProtectedAlias};
pub use open::{Lending, OpenOptions, Shared, open, share};
pub use waiting::Opening;
