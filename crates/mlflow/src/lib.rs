//! MLflow's contract: what every other room and every MLflow client agrees on.
//!
//! - [`entities`]: experiments, runs, logged models, registered models, as they travel as JSON;
//! - [`Tracking`]: what a tracking server and registry does, as one trait. The SQL store and the
//!   REST client both implement it, so nothing else in the program asks which one it talks to;
//! - [`resolve`]: which version and folder a model URI means, and fetching it;
//! - [`secrets`]: credentials out of text that somebody will read;
//! - [`uri`]: `models:/`, `runs:/`, `mlflow-artifacts:/` and tracking URIs;
//! - [`client`]: the REST client for any MLflow server.

pub mod artifacts;
pub mod client;
pub mod entities;
mod error;
pub mod metadata_hosts;
pub mod resolve;
pub mod secrets;
mod tracking;
pub mod uri;

pub use error::{Detail, Error, ErrorCode, Result};
pub use tracking::{
    CreateLoggedModel, CreateModelVersion, CreateRun, LogBatch, MetricHistoryPage, Page,
    SearchExperiments, SearchLoggedModels, SearchModelVersions, SearchRegisteredModels, SearchRuns,
    Tracking, UpdateRun,
};
