//! A [`Tracking`](trainyard_mlflow::Tracking) that does for each sender what is theirs to do.
//!
//! The permissions are looked up here, between whoever answers requests (the API and its twins, GraphQL, pages)
//! and the store, and not by route: a way to a run that is made tomorrow leads through here, too.

mod artifacts;
mod evaluation_datasets;
mod experiments;
mod governance;
mod guard;
mod listing;
mod locations;
mod logged_models;
mod model_versions;
mod registered_models;
mod runs;
mod scorers;
mod traces;
mod webhooks;

pub(crate) use guard::guarded;
pub(crate) use webhooks::guarded_log;
