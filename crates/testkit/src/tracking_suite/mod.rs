//! What every home of [`Tracking`] must do: the SQL store, our server, and an unmodified upstream
//! server are all put through the same steps, and must answer the same.
//!
//! Each step makes what it needs under names of its own, so that steps can run in any order, at
//! the same time, and against a store that is not empty.

#![expect(clippy::unwrap_used, reason = "a step that cannot go on has failed")]

mod all;
mod artifacts;
mod assertions;
mod experiments;
mod fixtures;
mod logged_models;
mod metrics;
mod registry;
mod runs;

pub use all::all;
pub use artifacts::{artifacts, artifacts_in_bulk};
pub use experiments::{experiment_search, experiments};
pub use fixtures::{new_experiment, new_run, unique};
pub use logged_models::logged_models;
pub use metrics::{metric_extremes, metric_history, metrics};
pub use registry::{model_versions, registered_models, registry_search};
pub use runs::{datasets, run_search, runs};
